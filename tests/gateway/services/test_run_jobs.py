"""The worker loop over real leases: done once, tried again, given up, handed back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.caller import Job
from gateway.clock import SystemClock
from gateway.services.run_jobs import GiveUp, Handler, LeaseLost, Renew, RunJobs
from gateway.settings import Settings
from gateway.store import Store, StoreUnavailable, open_store
from gateway.store.tables import job as job_table


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/jobs.db", master_key=bytes(range(32)))
    opened = await open_store(settings, SystemClock())
    yield opened
    await opened.close()


def loop_over(store: Store, handler: Handler, **changes: float) -> RunJobs:
    options: dict = {"poll_s": 0.01, "backoff_s": 0.01, "attempts": 3, "lease_s": 5.0, "grace_s": 0.1} | changes
    return RunJobs(store.jobs, SystemClock(), {"recheck": handler}, worker="w", **options)


async def enqueue(store: Store) -> str:
    return await store.jobs.enqueue("recheck", {"subject": "s1"}, run_at=datetime.now(UTC))


async def row_of(store: Store) -> sa.Row:
    async with store.database.read() as connection:
        return (await connection.execute(sa.select(job_table))).one()


async def until(store: Store, state: str) -> sa.Row:
    async with asyncio.timeout(10):
        while (row := await row_of(store)).state != state:
            await asyncio.sleep(0.01)
    return row


@pytest.mark.anyio
async def test_a_job_is_run_once_and_stays_as_done(store: Store) -> None:
    ran: list[Job] = []

    async def handler(job: Job, renew: Renew) -> None:
        await renew(0.5)
        assert (await row_of(store)).progress == 0.5
        ran.append(job)

    run_jobs = loop_over(store, handler)
    running = asyncio.create_task(run_jobs())
    await enqueue(store)
    run_jobs.wake()
    await until(store, "DONE")
    run_jobs.stop()
    await asyncio.wait_for(running, 5)
    assert [job.payload for job in ran] == [{"subject": "s1"}]


@pytest.mark.anyio
async def test_a_failing_job_is_tried_again_and_then_given_up_without_its_words(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")
    tried: list[int] = []

    async def handler(job: Job, _renew: Renew) -> None:
        tried.append(job.attempts)
        raise ValueError("张三 440606199003070017")

    run_jobs = loop_over(store, handler)
    await enqueue(store)
    running = asyncio.create_task(run_jobs())
    row = await until(store, "FAILED")
    run_jobs.stop()
    await running
    assert (tried, row.reason) == ([1, 2, 3], "ValueError")
    assert "张三" not in caplog.text
    assert "440606" not in caplog.text


@pytest.mark.anyio
async def test_a_hopeless_job_is_given_up_at_once(store: Store) -> None:
    async def handler(_job: Job, _renew: Renew) -> None:
        raise GiveUp

    run_jobs = loop_over(store, handler)
    await enqueue(store)
    running = asyncio.create_task(run_jobs())
    assert (await until(store, "FAILED")).attempts == 1
    run_jobs.stop()
    await running


@pytest.mark.anyio
async def test_a_long_job_keeps_its_lease(store: Store) -> None:
    async def handler(_job: Job, _renew: Renew) -> None:
        await asyncio.sleep(1.2)

    run_jobs = loop_over(store, handler, lease_s=0.3)
    await enqueue(store)
    workers = [asyncio.create_task(run_jobs()), asyncio.create_task(loop_over(store, handler, lease_s=0.3)())]
    assert (await until(store, "DONE")).fence == 1
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


@pytest.mark.anyio
async def test_a_worker_that_lost_its_lease_is_stopped_without_effect(store: Store) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(_job: Job, renew: Renew) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            with pytest.raises(LeaseLost):
                await renew()
            ended.set()

    run_jobs = loop_over(store, handler, lease_s=0.3)
    job_id = await enqueue(store)
    running = asyncio.create_task(run_jobs())
    await started.wait()
    async with store.database.write() as connection:  # as another worker's lease leaves it
        taken = {"fence": 2, "worker": "other", "due_at_us": job_table.c.due_at_us + 60_000_000}
        await connection.execute(sa.update(job_table).where(job_table.c.id == job_id).values(**taken))
    await asyncio.wait_for(ended.wait(), 5)
    run_jobs.stop()
    await running
    row = await row_of(store)
    assert (row.state, row.worker, row.fence, row.reason) == ("OPEN", "other", 2, None)


@pytest.mark.anyio
async def test_stopping_lets_the_running_job_end_or_hands_it_back(store: Store) -> None:
    started = asyncio.Event()

    async def handler(job: Job, _renew: Renew) -> None:
        started.set()
        await asyncio.sleep(job.payload["pause_s"])

    for pause_s, state in ((0.05, "DONE"), (30, "OPEN")):
        started.clear()
        job_id = await store.jobs.enqueue("recheck", {"pause_s": pause_s}, run_at=datetime.now(UTC))
        run_jobs = loop_over(store, handler, grace_s=0.5)
        running = asyncio.create_task(run_jobs())
        await started.wait()
        run_jobs.stop()
        await asyncio.wait_for(running, 5)
        async with store.database.read() as connection:
            row = (await connection.execute(sa.select(job_table).where(job_table.c.id == job_id))).one()
        assert (row.state, row.worker) == (state, None)
    again = await store.jobs.lease(["recheck"], worker="next", seconds=5)
    assert again is not None
    assert again.id == job_id


@pytest.mark.anyio
async def test_the_loop_outlives_a_store_that_is_away(store: Store) -> None:
    done = asyncio.Event()

    async def handler(_job: Job, _renew: Renew) -> None:
        done.set()

    real, failures = store.jobs.lease, iter(range(3))

    async def lease(*arguments: object, **options: object) -> Job | None:
        if next(failures, None) is not None:
            raise StoreUnavailable("away")
        return await real(*arguments, **options)  # type: ignore[arg-type]

    store.jobs.lease = lease  # type: ignore[method-assign]
    run_jobs = loop_over(store, handler)
    await enqueue(store)
    running = asyncio.create_task(run_jobs())
    await asyncio.wait_for(done.wait(), 5)
    run_jobs.stop()
    await running


def test_pauses_double_and_end_at_the_longest(tmp_path: Path) -> None:
    run_jobs = RunJobs(None, SystemClock(), {}, worker="w", backoff_s=2, longest_backoff_s=100)  # type: ignore[arg-type]
    for attempts, longest in ((1, 2), (2, 4), (5, 32), (50, 100)):
        for _ in range(50):
            assert longest / 2 <= run_jobs._pause_s(attempts) <= longest
    assert timedelta(seconds=run_jobs._pause_s(10_000))
