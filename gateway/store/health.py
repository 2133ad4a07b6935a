"""Whether the store takes writes, for /readyz: asked by writing."""

from __future__ import annotations

import asyncio
import time

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.ids import to_us
from gateway.store.tables import heartbeat

_GOOD_FOR_S = 1.0
_PATIENCE_S = 2.0


class Health:
    """One row rewritten, at most once a second however often it is asked: a full disk or a standby shows here."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._turn = asyncio.Lock()
        self._good_until = 0.0

    async def ping(self) -> None:
        """Raises StoreUnavailable within two seconds. A good answer is at most a second old; a bad one is never kept."""
        async with self._turn:
            if time.monotonic() < self._good_until:
                return
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._beat()
            except TimeoutError:
                raise StoreUnavailable("the database took too long to write") from None
            self._good_until = time.monotonic() + _GOOD_FOR_S

    async def _beat(self) -> None:
        at_us = to_us(self._clock.now())
        async with self._database.write() as connection:
            beaten = await connection.execute(sa.update(heartbeat).where(heartbeat.c.id == 1).values(at_us=at_us))
            if beaten.rowcount != 1:
                raise StoreUnavailable("the heartbeat row is missing; the database was not migrated by yimen")
