"""Replicas whose clocks differ share rates and leases: what one spent or holds, the other does not hand out again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import cycle

import pytest

from gateway.services.client_limits import Allowance
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.limits import StoredMeters
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio
USUAL = Allowance()
OpenAhead = Callable[[float], Awaitable[tuple[Store, HandClock]]]


@pytest.fixture
async def open_ahead(settings: Settings, clock: HandClock) -> AsyncIterator[OpenAhead]:
    """A replica on the same database whose clock is so many seconds ahead of `clock`."""
    opened: list[Store] = []

    async def open_one(seconds: float) -> tuple[Store, HandClock]:
        its = HandClock(clock.at + timedelta(seconds=seconds))
        opened.append(await open_store(settings, its))
        return opened[-1], its

    yield open_one
    for store in opened:
        await store.close()


async def admitted(*meters: StoredMeters) -> int:
    """How many requests in turn pass before each has refused three times running. Time stands still."""
    passed = refused = 0
    for one in cycle(meters):
        if await one.spend("bank", 1) is None:
            passed, refused = passed + 1, 0
        else:
            refused += 1
        if refused == 3 * len(meters):
            return passed
        assert passed < 10_000
    raise AssertionError


@pytest.mark.parametrize("seconds", [8.0, 60.0])
async def test_a_client_gets_no_more_of_two_than_of_one_but_for_the_difference(
    open_ahead: OpenAhead, clock: HandClock, seconds: float
) -> None:
    behind, _ = await open_ahead(0)
    ahead, later = await open_ahead(seconds)
    mine, others = (
        StoredMeters(store.database, store.keys, its, USUAL) for store, its in ((behind, clock), (ahead, later))
    )
    alone = await admitted(mine)
    assert alone == USUAL.burst_s * USUAL.requests_per_minute // 60
    more = await admitted(mine, others)
    assert more <= seconds * USUAL.requests_per_minute / 60
    for its in (clock, later):
        its.forward(30)  # the one that is behind waits for what the other spent, and no longer
    assert await others.spend("bank", 1) is None
    for its in (clock, later):
        its.forward(seconds + 60)
    assert await mine.spend("bank", 1) is None


async def lease(store: Store, worker: str) -> object:
    return await store.jobs.lease(["recheck"], worker=worker, seconds=30)


async def test_a_lease_is_kept_where_clocks_are_as_far_apart_as_is_allowed(
    open_ahead: OpenAhead, clock: HandClock
) -> None:
    """Renewed every third of its length, with ten seconds between the two."""
    behind, its_own = await open_ahead(0)
    ahead, later = await open_ahead(10)
    await behind.jobs.enqueue("recheck", {}, run_at=clock.now())
    job = await behind.jobs.lease(["recheck"], worker="behind", seconds=30)
    assert job is not None
    for _ in range(6):
        for its in (its_own, later):
            its.forward(10)
        assert await lease(ahead, "ahead") is None
        assert await behind.jobs.renew(job, seconds=30)
    assert await behind.jobs.finish(job)
    assert await lease(ahead, "ahead") is None


async def test_further_apart_a_job_may_change_hands_and_still_ends_once(
    open_ahead: OpenAhead, clock: HandClock
) -> None:
    behind, _ = await open_ahead(0)
    ahead, _later = await open_ahead(180)
    await behind.jobs.enqueue("recheck", {}, run_at=clock.now())
    lost = await behind.jobs.lease(["recheck"], worker="behind", seconds=30)
    taken = await ahead.jobs.lease(["recheck"], worker="ahead", seconds=30)
    assert lost is not None
    assert taken is not None
    assert not await behind.jobs.renew(lost, seconds=30)
    assert not await behind.jobs.finish(lost)
    assert await ahead.jobs.finish(taken)
    assert await behind.jobs.counts() == {("recheck", "DONE"): 1}
