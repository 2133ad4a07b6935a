"""What nothing can need any more goes now and then, in steps small enough to keep nobody waiting."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import to_us

Old = tuple[sa.Table, sa.ColumnElement[bool]]
"""A table of one key column, and which of its rows go."""

_EVERY_S = 300.0
_STEP, _STEPS = 500, 20
_KEPT = timedelta(days=1)


class Purge(ABC):
    """Of one room's tables. Call `when_due` from what writes there: most often it does nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._done = time.monotonic()

    @abstractmethod
    def old(self, past_us: int) -> Iterable[Old]:
        """What goes, in this order; `past_us`: what ended before that is kept no longer."""

    async def when_due(self) -> None:
        if time.monotonic() - self._done >= _EVERY_S:
            self._done = time.monotonic()
            await self()

    async def __call__(self) -> int:
        """How many rows went."""
        gone = 0
        for table, old in self.old(to_us(self._clock.now() - _KEPT)):
            (key,) = table.primary_key.columns
            step = sa.delete(table).where(key.in_(sa.select(key).where(old).limit(_STEP)))
            for _ in range(_STEPS):
                async with self._database.write() as connection:
                    done = (await connection.execute(step)).rowcount
                gone += done
                if done < _STEP:
                    break
        return gone
