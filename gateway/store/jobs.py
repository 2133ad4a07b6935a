"""Background work with leases: one worker at a time, and one that lost its lease has no effect any more.

Time is the injected clock's. Replica clocks that differ hand a job over early or late; the fence, not the time, decides
who may finish it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Job
from gateway.clock import Clock
from gateway.services.event_bus import JOBS
from gateway.store.engine import Database
from gateway.store.events import say
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.tables import job

_OPEN = job.c.state == sa.literal_column("'OPEN'")  # as in the partial indexes
_REASON_CHARS = 500


@lru_cache(maxsize=64)
def _any_due(many: int) -> sa.TextClause:
    kinds = ", ".join(f":k{at}" for at in range(many))
    return sa.text(f"SELECT 1 FROM job WHERE state = 'OPEN' AND kind IN ({kinds}) AND due_at_us <= :now LIMIT 1")  # noqa: S608


class StoredJobs:
    """Implements `gateway.caller.Jobs`. Nothing here deletes a job: finished ones stay for whoever must account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._new_id = OrderedIds()

    async def enqueue(
        self, kind: str, payload: Mapping[str, Any], *, run_at: datetime, unique_key: str | None = None
    ) -> str:
        """See the port; `unique_key` is unique within its kind."""
        now_us, run_at_us = to_us(self._clock.now()), to_us(run_at)
        row = {
            "id": self._new_id(now_us), "kind": kind, "payload": orjson.dumps(dict(payload)).decode(),
            "unique_key": unique_key, "state": "OPEN", "run_at_us": run_at_us, "due_at_us": run_at_us,
            "fence": 0, "attempts": 0, "progress": 0.0, "created_at_us": now_us,
        }  # fmt: skip
        make = self._database.insert(job).values(row).on_conflict_do_nothing().returning(job.c.id)
        same = sa.select(job.c.id).where(_OPEN, job.c.kind == kind, job.c.unique_key == unique_key)
        while True:
            async with self._database.write() as connection:
                found = await connection.scalar(make)
                if found is not None and run_at_us <= now_us:
                    await say(connection, JOBS, kind)
                found = found or await connection.scalar(same)
            if found is not None:  # else the other one was finished in between
                return str(found)

    async def lease(self, kinds: Sequence[str], *, worker: str, seconds: float) -> Job | None:
        """See the port. Jobs come in the order they are due."""
        now_us = to_us(self._clock.now())
        named = {f"k{at}": kind for at, kind in enumerate(kinds)}
        if not named or not await self._database.rows(_any_due(len(named)), {"now": now_us, **named}):
            return None  # an idle queue costs a short read, not a write lock
        due = sa.select(job.c.id).where(_OPEN, job.c.kind.in_(kinds), job.c.due_at_us <= now_us)
        due = due.order_by(job.c.due_at_us, job.c.id).limit(1)
        take = (
            sa.update(job)
            .where(job.c.id == due.with_for_update(skip_locked=True).scalar_subquery(), _OPEN)
            .values(
                worker=worker, due_at_us=now_us + int(seconds * 1e6), fence=job.c.fence + 1, attempts=job.c.attempts + 1
            )
            .returning(job)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(take)).one_or_none()
        if row is None:
            return None
        return Job(
            row.id,
            row.kind,
            orjson.loads(row.payload),
            row.fence,
            row.attempts,
            float(row.progress),
            from_us(row.run_at_us),
        )

    async def renew(self, job: Job, *, seconds: float, progress: float | None = None) -> bool:
        """See the port."""
        values: dict[str, Any] = {"due_at_us": to_us(self._clock.now()) + int(seconds * 1e6)}
        return await self._change(job, values if progress is None else values | {"progress": progress})

    async def finish(self, job: Job) -> bool:
        """False where the lease was lost."""
        return await self._change(job, self._ended("DONE") | {"progress": 1.0, "reason": None})

    async def fail(self, job: Job, *, retry_at: datetime | None, reason: str) -> bool:
        """See the port."""
        noted = {"reason": reason[:_REASON_CHARS]}
        if retry_at is None:
            return await self._change(job, self._ended("FAILED") | noted)
        due_at_us = to_us(retry_at)
        return await self._change(job, {"worker": None, "due_at_us": due_at_us, "run_at_us": due_at_us} | noted)

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """(kind, state) -> how many, for metrics."""
        query = sa.select(job.c.kind, job.c.state, sa.func.count()).group_by(job.c.kind, job.c.state)
        async with self._database.read() as connection:
            return {(kind, state): number for kind, state, number in await connection.execute(query)}

    def _ended(self, state: str) -> dict[str, Any]:
        return {"state": state, "worker": None, "finished_at_us": to_us(self._clock.now())}

    async def _change(self, held: Job, values: Mapping[str, Any]) -> bool:
        """Compare and swap on the fence, which every lease raises, and on the worker, which every return clears."""
        async with self._database.write() as connection:
            return await _swap(connection, held, values)


async def _swap(connection: AsyncConnection, held: Job, values: Mapping[str, Any]) -> bool:
    mine = (job.c.id == held.id, job.c.fence == held.fence, job.c.worker.is_not(None), _OPEN)
    done = await connection.execute(sa.update(job).where(*mine).values(**values))
    return bool(done.rowcount == 1)
