"""Rates, retries, the breaker and the hedge, seen from outside through `Guarded`."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from adapters.errors import Reason
from adapters.source import Answer, Failed, Lookup

from .conftest import Act, Department, at, failing, found, guard, hangs, lookup, monotonic, reasons

pytestmark = pytest.mark.anyio


async def test_keys_beyond_the_rate_fail_at_once_and_the_others_go_on() -> None:
    department = Department()
    guarded = guard(department, rate_per_s=10, burst=2)
    answers = await guarded.fetch(lookup(*"abcdef"), timeout_s=0.35)
    # c and d may leave at 0.1 and 0.2; e at 0.3 too, but too late for its answer; f not before 0.4
    assert department.times == [0, 0, 0.1, 0.2, 0.3]
    assert answers[:4] == [found(key) for key in "abcd"]
    assert answers[4:] == [Failed(Reason.TIMEOUT), Failed(Reason.RATE_LIMITED, at(0.4))]


async def test_a_hopeless_key_does_not_wait() -> None:
    guarded = guard(Department(), rate_per_s=1, burst=1)
    await guarded.fetch(lookup("a"), timeout_s=0.5)
    start = monotonic()
    assert reasons(await guarded.fetch(lookup("b"), timeout_s=0.5)) == [Reason.RATE_LIMITED]
    assert monotonic() == start


async def test_a_small_lookup_is_not_starved_by_a_large_one() -> None:
    guarded = guard(Department(takes_s=0.01), rate_per_s=10, burst=1)
    large = asyncio.create_task(guarded.fetch(lookup(*(str(i) for i in range(100))), timeout_s=2))
    await asyncio.sleep(0.02)
    start = monotonic()
    assert await guarded.fetch(lookup("small"), timeout_s=2) == [found("small")]
    assert monotonic() - start <= 0.21
    assert reasons(await large).count("Found") == 19


@pytest.mark.parametrize("reason", [Reason.DOWN, Reason.TIMEOUT])
async def test_a_read_that_failed_is_tried_again_after_a_pause(reason: Reason) -> None:
    department = Department(act=failing(reason, times=1))
    assert await guard(department, retries=1).fetch(lookup("a"), timeout_s=1) == [found("a")]
    assert department.times == [0, 0.05]
    assert department.given_s == [1.5, pytest.approx(1.45)]  # all tries together


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.DOWN, Reason.TIMEOUT}))
async def test_nothing_else_is(reason: Reason) -> None:
    department = Department(act=failing(reason))
    assert reasons(await guard(department, retries=3).fetch(lookup("a"), timeout_s=1)) == [reason]
    assert len(department.asked) == 1


async def test_only_the_keys_that_failed_are_asked_again() -> None:
    first = True

    async def half(asked: Lookup) -> list[Answer] | None:
        nonlocal first
        if not first:
            return None
        first = False
        return [Failed(Reason.DOWN) if key[0] == "b" else found(str(key[0])) for key in asked.keys]

    department = Department(act=half)
    answers = await guard(department, per_key=False, retries=1).fetch(lookup("a", "b", "c"), timeout_s=1)
    assert answers == [found("a"), found("b"), found("c")]
    assert [keys for _, keys in department.asked] == [("a", "b", "c"), ("b",)]


async def test_what_the_first_try_brought_survives_a_retry_that_hangs() -> None:
    async def then_hangs(asked: Lookup) -> list[Answer] | None:
        if len(asked.keys) == 1:
            await hangs(asked)
        return [found("a"), Failed(Reason.DOWN)]

    for timeout_s in (0.5, 60):  # the asker's time and the source's
        guarded = guard(Department(act=then_hangs), per_key=False, retries=1)
        assert await guarded.fetch(lookup("a", "b"), timeout_s=timeout_s) == [found("a"), Failed(Reason.DOWN)]


async def test_retries_have_a_budget() -> None:
    department = Department(act=failing(Reason.DOWN))
    guarded = guard(department, retries=5, retry_ratio=0.1)
    for key in range(100):
        await guarded.fetch(lookup(str(key)), timeout_s=1)
    assert len(department.asked) == 110


async def test_a_retry_that_would_come_too_late_is_not_waited_for() -> None:
    async def late(_: Lookup) -> list[Answer]:
        await asyncio.sleep(1.47)
        return [Failed(Reason.DOWN)]

    guarded, start = guard(Department(act=late), retries=1), monotonic()
    assert reasons(await guarded.fetch(lookup("a"), timeout_s=60)) == [Reason.DOWN]
    assert monotonic() - start == pytest.approx(1.47)


async def test_retries_count_against_the_rate_and_say_what_went_wrong_first() -> None:
    department = Department(act=failing(Reason.DOWN))
    guarded = guard(department, retries=1, rate_per_s=1, burst=1)
    assert reasons(await guarded.fetch(lookup("a"), timeout_s=0.5)) == [Reason.DOWN]
    assert len(department.asked) == 1


async def test_a_source_that_says_when_to_come_back_is_left_alone_till_then() -> None:
    department = Department(act=failing(Reason.RATE_LIMITED, retry_at=at(3), times=1))
    guarded = guard(department)
    for instant, expected in ((0, Reason.RATE_LIMITED), (2.9, Reason.RATE_LIMITED), (3, "Found")):
        await asyncio.sleep(instant - (monotonic() - 1000))
        assert reasons(await guarded.fetch(lookup("a"), timeout_s=1)) == [expected]
    assert len(department.asked) == 2
    assert guarded.health().state == "UP"


async def test_who_waits_while_it_says_so_is_not_sent_either_and_no_turn_is_lost() -> None:
    async def not_before_3(_: Lookup) -> list[Answer] | None:
        await asyncio.sleep(0.01)
        return [Failed(Reason.RATE_LIMITED, at(3))] if monotonic() < 1003 else None

    department = Department(act=not_before_3)
    guarded = guard(department, concurrency=1)
    assert await guarded.fetch(lookup(*"abc"), timeout_s=1) == [Failed(Reason.RATE_LIMITED, at(3))] * 3
    assert len(department.asked) == 1
    await asyncio.sleep(3)
    assert reasons(await guarded.fetch(lookup(*"abc"), timeout_s=1)) == ["Found"] * 3


@pytest.mark.parametrize("retry_at", [at(10**8), datetime(2026, 1, 1), None])  # noqa: DTZ001 - a naive one, from dirt
async def test_it_is_not_believed_for_ever_nor_when_it_talks_nonsense(retry_at: datetime | None) -> None:
    guarded = guard(Department(act=failing(Reason.RATE_LIMITED, retry_at=retry_at, times=1)), concurrency=1)
    assert reasons(await guarded.fetch(lookup("a"), timeout_s=1)) == [Reason.RATE_LIMITED]
    await asyncio.sleep(301)
    assert reasons(await guarded.fetch(lookup("a"), timeout_s=1)) == ["Found"]


async def switch(act: Act) -> tuple[Department, list[Act | None]]:
    """A department whose behaviour a test flips."""
    doing: list[Act | None] = [act]

    async def obey(asked: Lookup) -> object:
        return None if doing[0] is None else await doing[0](asked)

    return Department(act=obey), doing  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", [Reason.DOWN, Reason.TIMEOUT, Reason.GARBAGE, Reason.TOO_LARGE, Reason.REFUSED])
async def test_failures_open_the_breaker_and_one_probe_closes_it(reason: Reason) -> None:
    department, doing = await switch(failing(reason))
    guarded = guard(department, breaker_failures=3, breaker_open_s=1)
    for _ in range(5):
        await guarded.fetch(lookup("a"), timeout_s=1)
    assert len(department.asked) == 3
    assert await guarded.fetch(lookup("a"), timeout_s=1) == [Failed(Reason.BREAKER_OPEN, at(1))]
    assert (guarded.health().state, guarded.health().breaker) == ("DOWN", "OPEN")
    doing[0] = None
    await asyncio.sleep(1)
    assert guarded.health().breaker == "HALF_OPEN"
    answers = await asyncio.gather(*(guarded.fetch(lookup(key), timeout_s=1) for key in "abc"))
    assert sorted(reasons([answer for each in answers for answer in each])) == ["BREAKER_OPEN", "BREAKER_OPEN", "Found"]
    assert guarded.health().state == "UP"


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.CLOSED, Reason.KEY_MISSING])
async def test_manners_do_not_open_it(reason: Reason) -> None:
    department = Department(act=failing(reason))
    guarded = guard(department, breaker_failures=2)
    for _ in range(10):
        assert reasons(await guarded.fetch(lookup("a"), timeout_s=1)) == [reason]
    assert len(department.asked) == 10
    assert guarded.health().failures == (0 if reason is Reason.KEY_MISSING else 10)
    assert guarded.health().in_flight == 0


async def test_after_the_outage_the_whole_list_is_answered_at_the_first_question() -> None:
    department, doing = await switch(failing(Reason.DOWN))
    guarded = guard(department, breaker_failures=3, breaker_open_s=1)
    await guarded.fetch(lookup(*"abcdefgh"), timeout_s=1)
    doing[0] = None
    await asyncio.sleep(1)
    before = len(department.asked)
    assert reasons(await guarded.fetch(lookup(*"abcdefgh"), timeout_s=1)) == ["Found"] * 8
    first, *others = department.times[before:]
    assert all(other >= first + 0.1 for other in others)  # not before the probe was back


async def test_if_the_probe_fails_the_rest_of_the_list_is_not_asked() -> None:
    department = Department(act=failing(Reason.DOWN))
    guarded = guard(department, breaker_failures=3, breaker_open_s=1)
    await guarded.fetch(lookup(*"abcdefgh"), timeout_s=1)
    await asyncio.sleep(1)
    before = len(department.asked)
    got = reasons(await guarded.fetch(lookup(*"abcdefgh"), timeout_s=1))
    assert sorted(got) == ["BREAKER_OPEN"] * 7 + ["DOWN"]
    assert len(department.asked) == before + 1


async def test_who_waits_for_a_turn_hears_at_once_that_the_breaker_opened() -> None:
    department = Department(act=failing(Reason.DOWN))
    guarded = guard(department, breaker_failures=2, rate_per_s=10, burst=1)
    start = monotonic()
    got = reasons(await guarded.fetch(lookup(*"abcdef"), timeout_s=10))
    assert sorted(got) == ["BREAKER_OPEN"] * 4 + ["DOWN"] * 2
    assert monotonic() - start == pytest.approx(0.1)


@pytest.mark.parametrize("asker", ["patient", "impatient", "gone"])
async def test_a_probe_that_hangs_does_not_wedge_it(asker: str) -> None:
    department, doing = await switch(failing(Reason.DOWN))
    guarded = guard(department, breaker_failures=1, breaker_open_s=1, timeout_s=1)
    await guarded.fetch(lookup("a"), timeout_s=1)
    doing[0] = hangs
    await asyncio.sleep(1)
    if asker == "gone":
        probe = asyncio.create_task(guarded.fetch(lookup("a"), timeout_s=60))
        await asyncio.sleep(0.1)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
    else:
        await guarded.fetch(lookup("a"), timeout_s=60 if asker == "patient" else 0.1)
    doing[0] = None
    await asyncio.sleep(1)
    assert await guarded.fetch(lookup("b"), timeout_s=1) == [found("b")]
    assert guarded.health().breaker == "CLOSED"


async def test_silence_opens_the_breaker_but_impatience_does_not() -> None:
    department = Department(act=hangs)
    guarded = guard(department, breaker_failures=3, timeout_s=1)
    for _ in range(10):
        assert reasons(await guarded.fetch(lookup("a"), timeout_s=0.1)) == [Reason.TIMEOUT]
    assert guarded.health().breaker == "CLOSED"
    for _ in range(3):
        await guarded.fetch(lookup("a"), timeout_s=0.6)
    assert guarded.health().breaker == "OPEN"


def slow_first(answers: Answer | None = None) -> Act:
    """The first call hangs, later ones answer."""
    calls = [0]

    async def act(_: Lookup) -> list[Answer] | None:
        calls[0] += 1
        if calls[0] == 1:
            await asyncio.sleep(1)
        elif answers is not None:
            return [answers]
        return None

    return act


async def test_a_hedge_overtakes_a_silent_first_request() -> None:
    department = Department(act=slow_first())
    guarded = guard(department, hedge_after_s=0.2)
    start = monotonic()
    assert await guarded.fetch(lookup("a"), timeout_s=2) == [found("a")]
    assert monotonic() - start == pytest.approx(0.3)
    await asyncio.sleep(0)
    assert department.cancelled == 1
    assert guarded.health().in_flight == 0
    assert guarded.health().failures == 0


async def test_a_hedge_that_fails_leaves_the_first_its_time() -> None:
    for reason in (Reason.DOWN, Reason.RATE_LIMITED):
        guarded = guard(Department(act=slow_first(Failed(reason))), hedge_after_s=0.2)
        assert await guarded.fetch(lookup("a"), timeout_s=2) == [found("a")]


async def test_a_quick_answer_needs_no_hedge_and_hedges_have_a_budget_and_a_rate() -> None:
    quick = Department()
    await guard(quick, hedge_after_s=0.2).fetch(lookup("a"), timeout_s=2)
    assert len(quick.asked) == 1
    limited = Department(takes_s=0.5)
    await guard(limited, hedge_after_s=0.2, rate_per_s=1).fetch(lookup("a"), timeout_s=2)
    assert len(limited.asked) == 1
    slow = Department(takes_s=0.5)
    guarded = guard(slow, hedge_after_s=0.2, concurrency=2)
    for key in range(20):
        await guarded.fetch(lookup(str(key)), timeout_s=2)
    assert len(slow.asked) == 23  # the floor of three a minute
    await guarded.fetch(lookup("a", "b"), timeout_s=2)
    assert slow.times[-1] == slow.times[-2]  # what a refused hedge had taken was given back


async def test_an_asker_who_goes_takes_both_requests_along() -> None:
    department = Department(act=hangs)
    guarded = guard(department, hedge_after_s=0.2)
    assert reasons(await guarded.fetch(lookup("a"), timeout_s=0.5)) == [Reason.TIMEOUT]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (len(department.asked), department.cancelled, guarded.health().in_flight) == (2, 2, 0)


async def test_health_tells_the_story() -> None:
    department, doing = await switch(failing(Reason.GARBAGE))
    doing[0] = None
    guarded = guard(department)
    health = guarded.health()
    assert (health.state, health.calls, health.p50_ms, health.last_ok_at) == ("UNKNOWN", 0, None, None)
    await guarded.fetch(lookup("a"), timeout_s=1)
    health = guarded.health()
    assert (health.code, health.state, health.calls, health.failures) == ("LGB", "UP", 1, 0)
    assert health.p50_ms == pytest.approx(100)
    assert health.last_ok_at == at(0.1)
    doing[0] = failing(Reason.GARBAGE)
    await guarded.fetch(lookup("a"), timeout_s=1)
    health = guarded.health()
    assert (health.state, health.last_reason, health.failures) == ("DEGRADED", Reason.GARBAGE, 1)
    assert health.last_failure_at == at(0.1)
    asking = asyncio.create_task(guarded.fetch(lookup("b"), timeout_s=1))
    doing[0] = None
    await asyncio.sleep(0.01)
    assert guarded.health().in_flight == 1
    await asking
