"""What may be used once, in one atomic statement."""

from __future__ import annotations

import time
from datetime import datetime

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.oauth_keys import revocation, spent_once

_PURGE_EVERY_S = 20.0
_PURGE_STEP = 500
_PURGE_STEPS = 40


class StoredReplays:
    """Implements `gateway.oauth.ports.ReplaySet`; durable when it says True."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._purged = time.monotonic()

    async def spend(self, kind: str, key: str, until: datetime) -> bool:
        """See the port. Raises StoreUnavailable, and then it may be spent or not."""
        row = {"kind": kind, "key": key, "until_us": to_us(until)}
        statement = self._database.insert(spent_once).values(row).on_conflict_do_nothing().returning(spent_once.c.key)
        async with self._database.write() as connection:
            first = (await connection.execute(statement)).first() is not None
        await self.purge_when_due()
        return first

    @property
    def due(self) -> bool:
        return time.monotonic() - self._purged >= _PURGE_EVERY_S

    async def purge_when_due(self) -> None:
        """Now and then, clear up: rows past their time are harmless, only in the way."""
        if self.due:
            self._purged = time.monotonic()
            await self.purge()

    async def purge(self) -> int:
        """Rows whose time is past, in steps small enough to keep nobody waiting; how many went."""
        now_us, gone = to_us(self._clock.now()), 0
        for table in (spent_once, revocation):
            names = list(table.primary_key.columns)
            old = sa.select(*names).where(table.c.until_us < now_us).limit(_PURGE_STEP)
            step = sa.delete(table).where(sa.tuple_(*names).in_(old))
            for _ in range(_PURGE_STEPS):
                async with self._database.write() as connection:
                    done = (await connection.execute(step)).rowcount
                gone += done
                if done < _PURGE_STEP:
                    break
        return gone
