"""Tokens by property; turns on a loop whose time can be read."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.limits import TokenBucket, Turns

from .conftest import monotonic


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


rates = st.floats(0.1, 500)
steps = st.lists(st.floats(0, 3), min_size=1, max_size=200)


@given(rates, st.integers(1, 20), steps)
def test_no_window_ever_sees_more_than_burst_and_rate(rate: float, burst: int, waits: list[float]) -> None:
    clock = Clock()
    bucket, taken = TokenBucket(rate, burst, monotonic=clock), []
    for wait in waits:
        clock.now += wait
        while bucket.take():
            taken.append(clock.now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + rate * (taken[last] - start) + 1e-6


@given(rates, st.integers(1, 20), st.integers(1, 50))
def test_the_forecast_is_kept_to_the_instant(rate: float, burst: int, n: int) -> None:
    clock = Clock()
    bucket, promised = TokenBucket(rate, burst, monotonic=clock), 0.0
    promised = bucket.ready_in(n)
    for _ in range(n):
        clock.now += bucket.ready_in()
        assert bucket.take()
    assert clock.now == pytest.approx(promised, abs=1e-6)


@given(rates, st.integers(1, 20))
def test_before_the_forecast_there_is_none(rate: float, burst: int) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, burst, monotonic=clock)
    while bucket.take():
        pass
    clock.now += bucket.ready_in() * 0.99
    assert not bucket.take()


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_must_be_one(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        TokenBucket(rate, 1, monotonic=Clock())


def turns(concurrency: int = 100, rate: float | None = None, burst: int = 1) -> Turns:
    bucket = TokenBucket(rate, burst, monotonic=monotonic) if rate else None
    return Turns(concurrency, bucket, monotonic=monotonic)


@pytest.mark.anyio
async def test_lookups_are_served_in_turn_however_long_their_queues() -> None:
    gate, served = turns(rate=10), list[str]()

    async def ask(who: str) -> None:
        assert await gate.take(who, monotonic() + 100) is None
        served.append(who)

    async with asyncio.TaskGroup() as group:
        for who in "aaaaaabbc":
            group.create_task(ask(who))
    assert "".join(served) == "aabcabaaa"


@pytest.mark.anyio
async def test_who_cannot_be_served_in_time_is_told_at_once_when_he_could() -> None:
    gate, start = turns(rate=10), monotonic()
    told = await asyncio.gather(*(gate.take("a", start + 0.25) for _ in range(5)))
    assert told == [None, None, None, pytest.approx(start + 0.3), pytest.approx(start + 0.3)]


@pytest.mark.anyio
async def test_a_newcomer_has_his_share_and_the_crowd_hears_of_it_at_once() -> None:
    gate, start = turns(rate=10), monotonic()
    crowd = [asyncio.create_task(gate.take("crowd", start + 0.35)) for _ in range(4)]
    await asyncio.sleep(0.05)
    newcomer = asyncio.create_task(gate.take("newcomer", start + 0.35))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [task.done() for task in crowd] == [True, False, False, True]
    assert crowd[3].result() == pytest.approx(start + 0.4)
    assert await newcomer is None
    assert await asyncio.gather(*crowd[:3]) == [None, None, None]


@pytest.mark.anyio
async def test_a_turn_given_back_goes_to_the_next_and_a_cancelled_wait_takes_none() -> None:
    gate = turns(concurrency=1)
    assert gate.try_take()
    first, second = (asyncio.create_task(gate.take(who, 1e9)) for who in "ab")
    await asyncio.sleep(0)
    assert not gate.try_take()
    first.cancel()
    gate.give_back()  # in the same instant: the cancelled one must neither get nor lose the turn
    assert await second is None
    gate.give_back()
    assert gate.try_take()


@pytest.mark.anyio
async def test_a_turn_that_arrives_with_the_cancellation_is_not_lost() -> None:
    gate = turns(concurrency=1)
    assert gate.try_take()
    waiting = asyncio.create_task(gate.take("a", 1e9))
    await asyncio.sleep(0)
    gate.give_back()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert gate.try_take()


@pytest.mark.anyio
async def test_nobody_jumps_the_queue_in_the_instant_before_it_moves() -> None:
    clock = Clock()
    gate = Turns(9, TokenBucket(10, 1, monotonic=clock), monotonic=clock)
    assert gate.try_take()
    waiting = asyncio.create_task(gate.take("a", 1e9))
    await asyncio.sleep(0)
    clock.now += 0.1
    assert not gate.try_take()
    assert await waiting is None


@pytest.mark.anyio
async def test_who_left_the_queue_does_not_count_in_the_forecast() -> None:
    gate = turns(rate=10)
    assert gate.try_take()
    gone = [asyncio.create_task(gate.take("gone", 1e9)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    assert await gate.take("a", monotonic() + 0.15) is None
