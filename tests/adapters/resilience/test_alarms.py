"""Many timers on one: each rings at its time, in order, or not at all."""

from __future__ import annotations

import asyncio

import pytest

from adapters.alarms import Alarms

from .conftest import monotonic

pytestmark = pytest.mark.anyio


async def test_each_rings_at_its_time_whatever_the_order_they_were_set_in() -> None:
    alarms, rung = Alarms(), []
    start = monotonic()
    for delay_s in (3.0, 1.0, 2.0, 1.0):
        alarms.after(delay_s, lambda delay_s=delay_s: rung.append((delay_s, round(monotonic() - start, 2))))  # type: ignore[misc]
    await asyncio.sleep(10)
    assert rung == [(1.0, 1.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


async def test_what_is_off_does_not_ring_and_one_timer_is_all_there_is() -> None:
    alarms, rung = Alarms(), []
    for number in range(100):
        alarms.after(1.0 + number, lambda number=number: rung.append(number)).off()  # type: ignore[misc]
    kept = alarms.after(0.5, lambda: rung.append(-1))
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert len([timer for timer in timers if not timer.cancelled()]) == 1
    assert len(alarms._heap) <= 2  # those that are off go when the next is set
    await asyncio.sleep(300)
    kept.off()
    assert rung == [-1]
    assert alarms._heap == []


async def test_one_that_rings_may_set_the_next_and_close_silences_all() -> None:
    alarms, rung = Alarms(), []

    def again() -> None:
        rung.append(round(monotonic() - start, 2))
        alarms.after(1.0, again)

    start = monotonic()
    alarms.after(1.0, again)
    await asyncio.sleep(3.5)
    alarms.close()
    await asyncio.sleep(10)
    assert rung == [1.0, 2.0, 3.0]


async def test_one_that_fails_keeps_no_other_from_ringing_and_its_words_to_itself() -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context)))
    alarms, rung = Alarms(), []

    def fails() -> None:
        raise KeyError("440606199003070017")

    alarms.after(1.0, fails)
    alarms.after(1.0, lambda: rung.append(1))
    alarms.after(2.0, lambda: rung.append(2))
    await asyncio.sleep(3)
    assert rung == [1, 2]
    assert "KeyError at test_alarms.py:" in said[0]
    assert "4406" not in "".join(said)
