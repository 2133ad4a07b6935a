"""Failed tries, counted before they are looked at: tries sent side by side are counted one by one."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.login_ports import Bucket, Tries
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.keys import Keys
from gateway.store.tables.login import login_attempt

_FORGET_S = 3600  # failures with an hour's quiet behind them are history
_SECOND = 1_000_000
_TOLD = frozenset({1, 5, 10, 30, *(10**n for n in range(2, 9))})


class _TooEarly(Exception):
    def __init__(self, wait_us: int) -> None:
        super().__init__(wait_us)
        self.wait_us = wait_us


class StoredAttempts:
    """Implements `gateway.services.login_ports.Attempts`. Keys are keyed hashes: no login and no address stands here."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._key = keys.derive("login/attempt/v1")

    async def begin(self, buckets: Sequence[Bucket]) -> Tries:
        """See the port. All buckets or none."""
        # Sorted: two replicas that take the same rows in different orders would wait for each other.
        order = sorted(range(len(buckets)), key=lambda index: self._hash(buckets[index]))
        failures = [0] * len(buckets)
        try:
            async with self._database.write() as connection:
                await self._sweep(connection)
                for index in order:
                    failures[index] = await self._count(connection, buckets[index])
        except _TooEarly as early:
            return Tries(wait_s=-(-early.wait_us // _SECOND))
        return Tries(0, tuple(failures))

    async def succeeded(self, forget: Sequence[Bucket], forgive: Sequence[Bucket]) -> None:
        """See the port."""
        one_less = {"failures": login_attempt.c.failures - 1, "next_at_us": 0}
        async with self._database.write() as connection:
            for bucket in forget:
                await connection.execute(sa.delete(login_attempt).where(login_attempt.c.key == self._hash(bucket)))
            for bucket in forgive:
                this = (login_attempt.c.key == self._hash(bucket), login_attempt.c.failures > 0)
                await connection.execute(sa.update(login_attempt).where(*this).values(one_less))

    async def failed(self, user_id: str | None, org_id: str, stage: str, failures: int) -> None:
        """See the port."""
        if failures not in _TOLD:
            return
        change = Change("LOGIN_FAILED", user_id or "unknown", org_id, "", detail={"stage": stage, "failures": failures})
        async with self._database.write() as connection:
            await record_change(connection, self._clock.now(), change)

    async def _count(self, connection: AsyncConnection, bucket: Bucket) -> int:
        """One more failure, unless it is too early for one: one statement, so nobody gets in between."""
        now_us = to_us(self._clock.now())
        table, key = login_attempt, self._hash(bucket)
        fresh = table.c.last_at_us < now_us - _FORGET_S * _SECOND
        count = sa.case((fresh, 1), else_=table.c.failures + 1)
        wait_us = sa.case(
            (fresh, _us(0)),
            *((table.c.failures + 1 <= most, _us(seconds)) for most, seconds in _waits(bucket)),
            else_=_us(bucket.most_s),
        )
        put = self._database.insert(table).values(key=key, failures=1, last_at_us=now_us, next_at_us=now_us)
        counted = await connection.execute(
            put.on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "failures": count,
                    "last_at_us": now_us,
                    "next_at_us": sa.literal(now_us, sa.BigInteger) + wait_us,
                },
                where=table.c.next_at_us <= now_us,
            ).returning(table.c.failures)
        )
        failures = counted.scalar_one_or_none()
        if failures is None:
            next_at_us = await connection.scalar(sa.select(table.c.next_at_us).where(table.c.key == key))
            raise _TooEarly(max((next_at_us or 0) - now_us, 1))
        return int(failures)

    async def _sweep(self, connection: AsyncConnection) -> None:
        """A few rows of long ago; nobody's wait is longer than the time they are kept."""
        over = login_attempt.c.last_at_us < to_us(self._clock.now()) - 24 * 3600 * _SECOND
        old = sa.select(login_attempt.c.key).where(over).limit(20)
        await connection.execute(sa.delete(login_attempt).where(login_attempt.c.key.in_(old)))

    def _hash(self, bucket: Bucket) -> bytes:
        return hmac.digest(self._key, bucket.key.encode("utf-8", "surrogatepass"), "sha256")


def _us(seconds: int) -> sa.ColumnElement[int]:
    return sa.literal(seconds * _SECOND, sa.BigInteger)


def _waits(bucket: Bucket) -> list[tuple[int, int]]:
    """(up to how many failures, seconds to wait then), ascending: 0, 1, 2, 4, ... below the most."""
    waits = [(bucket.free, 0)]
    seconds = 1
    while seconds < bucket.most_s:
        waits.append((waits[-1][0] + 1, seconds))
        seconds *= 2
    return waits
