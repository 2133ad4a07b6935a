"""Hours, sharing, cache, batching and time: what a caller may rely on whatever the department does."""

from __future__ import annotations

import asyncio

import pytest

from adapters.errors import Reason
from adapters.manifest import Hours
from adapters.source import Answer, Failed, Found, Lookup, Page

from .conftest import Department, at, failing, found, guard, hangs, lookup, monotonic, reasons

pytestmark = pytest.mark.anyio


async def test_outside_its_hours_a_source_is_not_asked() -> None:
    department = Department()
    guarded = guard(department, hours=Hours((("13:00", "23:00"),)))  # it is noon
    assert await guarded.fetch(lookup("a", "b"), timeout_s=1) == [Failed(Reason.CLOSED, at(3600))] * 2
    assert department.asked == []
    assert guarded.health().state == "CLOSED"
    await asyncio.sleep(3600)
    assert await guarded.fetch(lookup("a"), timeout_s=1) == [found("a")]


async def test_answers_stand_in_the_order_of_the_keys_also_of_repeated_ones() -> None:
    guarded = guard(Department())
    answers = await guarded.fetch(lookup("b", "nobody", "a", "b"), timeout_s=1)
    assert reasons(answers) == ["Found", "Absent", "Found", "Found"]
    assert (answers[0], answers[2], answers[3]) == (found("b"), found("a"), found("b"))
    assert await guarded.fetch(lookup(), timeout_s=1) == []


async def test_a_batch_source_gets_chunks_and_a_per_key_source_single_keys() -> None:
    batch, single = Department(), Department()
    await guard(batch, per_key=False, batch_size=2).fetch(lookup("a", "b", "a", "c"), timeout_s=1)
    await guard(single).fetch(lookup("a", "b", "a"), timeout_s=1)
    assert [keys for _, keys in batch.asked] == [("a", "b"), ("c",)]
    assert [keys for _, keys in single.asked] == [("a",), ("b",)]
    assert set(batch.times + single.times) == {0.0, 0.1}  # each side by side


async def test_concurrency_is_kept() -> None:
    department = Department()
    await guard(department, concurrency=3).fetch(lookup(*"abcdefg"), timeout_s=1)
    assert department.peak == 3
    assert department.times == [0, 0, 0, 0.1, 0.1, 0.1, 0.2]


async def test_identical_questions_asked_at_once_are_one_request() -> None:
    department = Department()
    guarded = guard(department)
    answers = await asyncio.gather(
        guarded.fetch(lookup("a", "b"), timeout_s=1), guarded.fetch(lookup("b", "c"), timeout_s=1)
    )
    assert list(answers) == [[found("a"), found("b")], [found("b"), found("c")]]
    assert [keys for _, keys in department.asked] == [("a",), ("b",), ("c",)]


@pytest.mark.parametrize("cache_s", [0.0, 60.0])
async def test_other_fields_nouns_and_pages_share_nothing(cache_s: float) -> None:
    department = Department()
    guarded = guard(department, cache_s=cache_s)
    base = lookup("a")
    others = [
        base,
        lookup("a", fields="name phone"),
        lookup("a", fields=""),
        lookup("a", noun="residence"),
        Lookup("identity", ("caseNo",), base.keys, base.fields),
        Lookup("identity", ("idNo",), base.keys, base.fields, Page(1)),
        Lookup("identity", ("idNo",), base.keys, base.fields, Page(1, "x")),
    ]
    await asyncio.gather(*(guarded.fetch(other, timeout_s=1) for other in others))
    assert len(department.asked) == len(others)


async def test_the_first_asker_may_go_without_taking_the_answer_along() -> None:
    department = Department()
    guarded = guard(department)
    first = asyncio.create_task(guarded.fetch(lookup("a"), timeout_s=1))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(guarded.fetch(lookup("a"), timeout_s=1))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == [found("a")]
    assert (len(department.asked), department.cancelled) == (1, 0)


async def test_when_the_last_asker_goes_the_request_is_cancelled() -> None:
    department = Department()
    guarded = guard(department)
    askers = [asyncio.create_task(guarded.fetch(lookup("a"), timeout_s=1)) for _ in range(2)]
    await asyncio.sleep(0.01)
    for asker in askers:
        asker.cancel()
    await asyncio.gather(*askers, return_exceptions=True)
    await asyncio.sleep(0)
    assert department.cancelled == 1
    assert guarded.health().in_flight == 0


async def test_a_batch_is_cancelled_when_its_only_asker_gives_up() -> None:
    department = Department()
    assert (
        reasons(await guard(department, per_key=False).fetch(lookup("a", "b"), timeout_s=0.05)) == [Reason.TIMEOUT] * 2
    )
    await asyncio.sleep(0)
    assert department.cancelled == 1


async def test_answers_are_shown_again_for_the_time_allowed() -> None:
    department = Department()
    guarded = guard(department, cache_s=5)
    for wait_s, asked in ((0, 2), (4.8, 2), (0.3, 4)):
        await asyncio.sleep(wait_s)
        assert reasons(await guarded.fetch(lookup("a", "nobody"), timeout_s=1)) == ["Found", "Absent"]
        assert len(department.asked) == asked
    await guarded.fetch(lookup("a", "new"), timeout_s=1)
    assert department.asked[-1][1] == ("new",)  # only what is missing goes upstream


async def test_neither_failures_nor_half_answers_are_kept_nor_anything_without_a_cache() -> None:
    async def half(_: Lookup) -> list[Answer]:
        return [Found((), incomplete=Reason.INCOMPLETE)]

    for department, cache_s in (
        (Department(act=half), 60),
        (Department(act=failing(Reason.DOWN)), 60),
        (Department(), 0),
    ):
        guarded = guard(department, cache_s=cache_s)
        for _ in range(2):
            await guarded.fetch(lookup("a"), timeout_s=1)
        assert len(department.asked) == 2


async def test_what_is_there_in_time_is_answered_and_the_rest_is_a_timeout() -> None:
    async def slow_for_b(asked: Lookup) -> None:
        await asyncio.sleep(10 if asked.keys[0][0] == "b" else 0)

    department = Department(act=slow_for_b)
    guarded = guard(department, timeout_s=30)
    start = monotonic()
    assert await guarded.fetch(lookup("a", "b", "c"), timeout_s=0.5) == [found("a"), Failed(Reason.TIMEOUT), found("c")]
    assert monotonic() - start == pytest.approx(0.5)
    await asyncio.sleep(0)
    assert department.cancelled == 1


async def test_one_request_has_the_sources_own_limit_however_patient_the_asker() -> None:
    department = Department(act=hangs)
    guarded = guard(department, timeout_s=1.5)
    start = monotonic()
    assert await guarded.fetch(lookup("a"), timeout_s=60) == [Failed(Reason.TIMEOUT)]
    assert monotonic() - start == pytest.approx(1.5)
    assert department.given_s == [1.5]


async def test_a_stream_of_newcomers_does_not_keep_a_hung_request_alive() -> None:
    department = Department(act=hangs)
    guarded = guard(department, timeout_s=1)

    async def ask_later(delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await guarded.fetch(lookup("a"), timeout_s=1)

    await asyncio.gather(*(ask_later(0.3 * i) for i in range(10)))
    assert len(department.asked) >= 3


async def test_a_source_that_ignores_its_cancellation_holds_nobody_up() -> None:
    async def stubborn(_: Lookup) -> None:
        for _second in range(20):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    guarded = guard(Department(act=stubborn), concurrency=1, timeout_s=0.5)
    for _ in range(3):
        start = monotonic()
        assert await guarded.fetch(lookup("a"), timeout_s=5) == [Failed(Reason.TIMEOUT)]
        assert monotonic() - start == pytest.approx(0.5)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
async def test_with_no_time_nothing_is_asked(timeout_s: float) -> None:
    department = Department()
    assert await guard(department).fetch(lookup("a"), timeout_s=timeout_s) == [Failed(Reason.TIMEOUT)]
    assert department.asked == []


async def test_a_fault_of_ours_is_garbage_of_theirs_and_its_message_stays_inside() -> None:
    async def bug(_: Lookup) -> None:
        raise KeyError("440606199003070017")

    async def too_few(_: Lookup) -> list[Answer]:
        return []

    for act in (bug, too_few):
        answer = (await guard(Department(act=act)).fetch(lookup("a"), timeout_s=1))[0]
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.GARBAGE
        assert answer.detail
        assert "4406" not in answer.detail


async def test_a_cancellation_from_inside_is_an_answer_too() -> None:
    async def cancels(_: Lookup) -> None:
        raise asyncio.CancelledError

    guarded = guard(Department(act=cancels))
    assert reasons(await guarded.fetch(lookup("a"), timeout_s=1)) == [Reason.DOWN]
    assert guarded.health().in_flight == 0


async def test_closing_cuts_what_is_under_way_and_asks_no_more() -> None:
    department = Department(act=hangs)
    guarded = guard(department)
    asking = asyncio.create_task(guarded.fetch(lookup("a"), timeout_s=60))
    await asyncio.sleep(0.01)
    await guarded.close()
    assert reasons(await asking) == [Reason.DOWN]
    assert department.closed
    assert guarded.health().failures == 0
    assert department.cancelled == 1
    assert reasons(await guarded.fetch(lookup("b"), timeout_s=1)) == [Reason.DOWN]
    assert len(department.asked) == 1


async def test_the_cache_is_bounded_in_records() -> None:
    from adapters.answer_cache import AnswerCache
    from adapters.source import Absent, Row

    cache = AnswerCache(60, records=10, monotonic=monotonic)
    for key in range(8):
        cache.put("x", key, Absent())
    assert cache.get("x", 0) is not None  # used: not the next to go
    cache.put("x", "big", Found((Row({}),) * 5))
    assert [key for key in (*range(8), "big") if cache.get("x", key)] == [0, 4, 5, 6, 7, "big"]
    cache.put("x", "huge", Found((Row({}),) * 11))
    assert cache.get("x", "huge") is None


async def test_a_long_run_leaves_nothing_behind() -> None:
    guarded = guard(Department(act=failing(Reason.DOWN, times=50)), concurrency=2, rate_per_s=1000, burst=5, retries=1)
    for round_ in range(50):
        page = Page(1, str(round_))
        asked = Lookup("identity", ("idNo",), tuple((str(i),) for i in range(10)), frozenset(), page)
        await asyncio.gather(guarded.fetch(asked, timeout_s=0.15), guarded.fetch(asked, timeout_s=1))
    assert guarded.health().in_flight == 0
    assert guarded._flights._by_about == {}
    turns = guarded._tries._turns
    assert (turns._queues, turns._free) == ({}, 2)
    assert len(asyncio.all_tasks()) <= 3
    await asyncio.sleep(5)  # the one timer that watches rings once more, finds nothing, and is not set again
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert [timer for timer in timers if not timer.cancelled()] == []
    assert guarded._alarms._heap == []
