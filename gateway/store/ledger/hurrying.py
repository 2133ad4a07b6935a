"""Tells the leader, wherever it runs, that somebody waits for witnesses."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.services.event_bus import LEDGER
from gateway.store.engine import Database
from gateway.store.events import say
from gateway.store.ids import to_us
from gateway.store.tables.ledger import ledger_hurry

_ROW = 1


class Hurrying:
    """The leader reads it where it makes a checkpoint. `wait_s`: how long whoever says so will wait."""

    def __init__(self, database: Database, clock: Clock, *, wait_s: float) -> None:
        self._database, self._clock, self._wait_us = database, clock, int(wait_s * 1_000_000)
        self._said_us = 0

    async def __call__(self) -> None:
        """Written again only when half of the last time is over. Raises StoreUnavailable."""
        now_us = to_us(self._clock.now())
        if 0 <= now_us + self._wait_us - self._said_us < self._wait_us // 2:
            return
        until_us = now_us + self._wait_us
        insert = self._database.insert(ledger_hurry).values(id=_ROW, until_us=until_us)
        later = sa.case((ledger_hurry.c.until_us > until_us, ledger_hurry.c.until_us), else_=until_us)
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"until_us": later}))
            await say(connection, LEDGER)
        self._said_us = until_us
