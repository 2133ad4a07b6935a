"""How far this machine's clock is from the database server's, which all replicas share."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database

_NOW = sa.select(sa.extract("epoch", sa.func.clock_timestamp()))


class StoredClockOffset:
    """Implements `gateway.services.clock_watch.ClockOffset`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def seconds(self) -> float | None:
        """See the port. Half of the round trip is how wrong it may be. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return None
        async with self._database.read() as connection:
            before = self._clock.now()
            theirs = float((await connection.execute(_NOW)).scalar_one())
            after = self._clock.now()
        return (before.timestamp() + after.timestamp()) / 2 - theirs
