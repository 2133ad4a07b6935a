"""A job is one worker's at a time, and only the one that holds it can end it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.caller import Job
from gateway.store import Store
from gateway.store.tables import job as job_table
from tests.gateway.store.conftest import HandClock, OpenStore


async def lease(store: Store, worker: str = "w1", seconds: float = 30) -> Job | None:
    return await store.jobs.lease(["recheck"], worker=worker, seconds=seconds)


@pytest.mark.anyio
async def test_a_job_is_handed_out_when_it_is_due(store: Store, clock: HandClock) -> None:
    run_at = clock.now() + timedelta(seconds=60)
    job_id = await store.jobs.enqueue("recheck", {"caseNo": "案"}, run_at=run_at)
    assert await lease(store) is None
    clock.forward(60)
    job = await lease(store)
    assert job == Job(job_id, "recheck", {"caseNo": "案"}, fence=1, attempts=1, progress=0.0, run_at=run_at)
    assert await lease(store, "w2") is None
    assert await store.jobs.finish(job)
    clock.forward(3600)
    assert await lease(store) is None
    assert await store.jobs.counts() == {("recheck", "DONE"): 1}


@pytest.mark.anyio
async def test_only_the_kinds_asked_for_are_handed_out_earliest_first(store: Store, clock: HandClock) -> None:
    later = await store.jobs.enqueue("recheck", {}, run_at=clock.now() - timedelta(seconds=1))
    first = await store.jobs.enqueue("recheck", {}, run_at=clock.now() - timedelta(seconds=2))
    await store.jobs.enqueue("retention", {}, run_at=clock.now() - timedelta(seconds=3))
    assert [job and job.id for job in (await lease(store), await lease(store), await lease(store))] == [
        first,
        later,
        None,
    ]
    assert await store.jobs.lease([], worker="w", seconds=1) is None


@pytest.mark.anyio
async def test_an_unfinished_job_of_a_key_stands_for_a_second_one(store: Store, clock: HandClock) -> None:
    async def enqueue(kind: str = "recheck", key: str | None = "case-1") -> str:
        return await store.jobs.enqueue(kind, {}, run_at=clock.now(), unique_key=key)

    first = await enqueue()
    assert await enqueue() == first
    assert len({first, await enqueue("other"), await enqueue(key=None), await enqueue(key=None)}) == 4
    job = await lease(store)
    assert job is not None
    assert job.id == first
    assert await enqueue() == first  # held, not finished
    await store.jobs.finish(job)
    assert await enqueue() != first


@pytest.mark.anyio
async def test_replicas_enqueueing_one_key_at_once_make_one_job(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    stores = [store, await open_replica()]
    ids = await asyncio.gather(
        *(stores[n % 2].jobs.enqueue("recheck", {}, run_at=clock.now(), unique_key="one") for n in range(20))
    )
    assert len(set(ids)) == 1
    assert await store.jobs.counts() == {("recheck", "OPEN"): 1}


@pytest.mark.anyio
async def test_replicas_never_hold_the_same_job(store: Store, open_replica: OpenStore, clock: HandClock) -> None:
    stores = [store, await open_replica()]
    for _ in range(40):
        await store.jobs.enqueue("recheck", {}, run_at=clock.now())
    held: list[str] = []

    async def work(replica: Store, worker: str) -> None:
        while (job := await lease(replica, worker)) is not None:
            held.append(job.id)
            assert job.fence == 1

    # PostgreSQL workers skip each other's locked row, so one may leave early; the others must still take everything.
    await asyncio.gather(*(work(stores[n % 2], f"w{n}") for n in range(6)))
    await work(store, "last")
    assert len(held) == len(set(held)) == 40


@pytest.mark.anyio
async def test_an_expired_lease_hands_over_and_the_stale_worker_has_no_effect(store: Store, clock: HandClock) -> None:
    await store.jobs.enqueue("recheck", {}, run_at=clock.now())
    stale = await lease(store, "w1", seconds=30)
    clock.forward(29)
    assert await lease(store, "w2") is None
    clock.forward(1)
    taken = await lease(store, "w2")
    assert stale is not None
    assert taken is not None
    assert (taken.id, taken.fence, taken.attempts) == (stale.id, 2, 2)
    assert not await store.jobs.renew(stale, seconds=30)
    assert not await store.jobs.finish(stale)
    assert not await store.jobs.fail(stale, retry_at=clock.now(), reason="late")
    assert await store.jobs.finish(taken)
    assert not await store.jobs.finish(taken)


@pytest.mark.anyio
async def test_a_renewed_lease_stays_and_keeps_its_progress(store: Store, clock: HandClock) -> None:
    await store.jobs.enqueue("recheck", {}, run_at=clock.now())
    job = await lease(store, seconds=30)
    assert job is not None
    clock.forward(20)
    assert await store.jobs.renew(job, seconds=30, progress=0.5)
    clock.forward(29)
    assert await lease(store, "w2") is None
    assert await store.jobs.renew(job, seconds=1)
    clock.forward(1)
    taken = await lease(store, "w2")
    assert taken is not None
    assert taken.progress == 0.5


@pytest.mark.anyio
async def test_a_failed_job_comes_back_when_it_should_or_never(store: Store, clock: HandClock) -> None:
    await store.jobs.enqueue("recheck", {}, run_at=clock.now())
    job = await lease(store)
    assert job is not None
    retry_at = clock.now() + timedelta(seconds=300)
    assert await store.jobs.fail(job, retry_at=retry_at, reason="SourceUnavailable")
    assert not await store.jobs.finish(job)  # it was given back
    assert not await store.jobs.renew(job, seconds=30)
    clock.forward(299)
    assert await lease(store) is None
    clock.forward(1)
    again = await lease(store)
    assert again is not None
    assert (again.attempts, again.run_at) == (2, retry_at)
    assert await store.jobs.fail(again, retry_at=None, reason="x" * 5000)
    clock.forward(1e6)
    assert await lease(store) is None
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(job_table))).one()
    assert (row.state, len(row.reason)) == ("FAILED", 500)
