"""What wallets left behind and nothing can need any more goes, in steps small enough to keep nobody waiting."""

from __future__ import annotations

import time
from datetime import timedelta

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.credentials import credential_deferred, credential_grant, credential_token

_EVERY_S = 300.0
_STEP, _STEPS = 500, 20
_KEPT = timedelta(days=1)


class HolderPurge:
    """Offers stay with their timelines, and credentials with their states: of those somebody answers for."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._done = time.monotonic()

    async def when_due(self) -> None:
        if time.monotonic() - self._done >= _EVERY_S:
            self._done = time.monotonic()
            await self()

    async def __call__(self) -> int:
        """How many rows went."""
        past_us, gone = to_us(self._clock.now() - _KEPT), 0
        bare = sa.and_(
            credential_grant.c.created_at_us < past_us,
            ~sa.exists().where(credential_token.c.grant_id == credential_grant.c.grant_id),
        )
        for table, old in (
            (credential_token, credential_token.c.expires_at_us < past_us),
            (credential_deferred, credential_deferred.c.expires_at_us < past_us),
            (credential_grant, bare),
        ):
            (key,) = table.primary_key.columns
            step = sa.delete(table).where(key.in_(sa.select(key).where(old).limit(_STEP)))
            for _ in range(_STEPS):
                async with self._database.write() as connection:
                    done = (await connection.execute(step)).rowcount
                gone += done
                if done < _STEP:
                    break
        return gone
