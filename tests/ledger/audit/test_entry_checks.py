"""The fast way to recognise entries accepts what `parse_entry` accepts, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.entries import EntryChecks
from ledger.entry import KINDS, Entry, parse_entry
from ledger.errors import Malformed
from tests.ledger.audit.logs import BEGAN, entry

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MADE = st.builds(
    Entry,
    st.sampled_from(sorted(KINDS)),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", fullmatch=True),
    st.integers(-(10**9), 18 * 10**8).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.binary(min_size=32, max_size=32),
)


def is_entry(data: bytes) -> bool:
    try:
        parse_entry(data)
    except Malformed:
        return False
    return True


def taken(*held: bytes) -> EntryChecks:
    checks = EntryChecks(NOW)
    checks.take(0, held)
    return checks


@given(MADE)
def test_what_is_an_entry_is_taken(made: Entry) -> None:
    checks = taken(bytes(made), bytes(made))
    assert checks.bad is None
    assert checks.kinds == {made.kind.encode(): 2}
    assert checks.latest == f"{made.time:%Y-%m-%dT%H:%M:%SZ}".encode()


@given(MADE, st.data())
def test_of_changed_entries_both_ways_say_the_same(made: Entry, data: st.DataObject) -> None:
    """The unchanged one goes first, so that its day is known and the fast way is taken."""
    held = bytearray(bytes(made))
    for _ in range(data.draw(st.integers(1, 3))):
        held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.sampled_from(b'0123456789abcZ="{}:,T-+/. \n\xc3'))
    assert (taken(bytes(made), bytes(held)).bad is None) == is_entry(bytes(held))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2026-01-02", b"2026-02-30"), (b"2026-01-02", b"2026-13-01"), (b"2026-01-02", b"0000-01-01"),
        (b"T03", b"T24"), (b":05Z", b":60Z"), (b":05Z", b":05z"), (b'"v":1', b'"v":2'), (b'"v":1', b'"v": 1'),
        (b'"v":1', b'"v":1.0'), (b'"kind":"query"', b'"kind":"secret"'), (b'"kind":"query"', b'"kind":"log"'),
        (b'"GA"', '"张三"'.encode()), (b'"GA"', b'""'), (b"}", b"}\n"), (b'="', b'"'),
    ],
)  # fmt: skip
def test_what_is_nearly_an_entry(old: bytes, new: bytes) -> None:
    held = entry(0).replace(old, new)
    assert taken(entry(0), held).bad == (None if is_entry(held) else 1)
    assert not is_entry(held) or old == b'"kind":"query"'


def test_what_the_log_says_of_itself_is_an_entry() -> None:
    held = bytes(Entry("log", "yimen", BEGAN, bytes(32), {"key": "x"}))
    assert taken(held).kinds == {b"log": 1}


def test_times_a_day_before_the_latest_are_told_and_those_ahead_of_the_clock() -> None:
    day = timedelta(days=1)
    held = [
        entry(0, at=BEGAN + 3 * day),
        entry(1, at=BEGAN + 2 * day),
        entry(2, at=BEGAN + 2 * day - timedelta(seconds=1)),
    ]
    checks = taken(*held, entry(3, at=NOW + 2 * day))
    assert (checks.backwards, checks.backwards_count, checks.ahead) == (2, 1, 3)


def test_listed_entries_come_with_index_time_kind_and_body() -> None:
    lines: list[object] = []
    checks = EntryChecks(NOW, listed=lines.append)
    checks.take(512, [entry(1), entry(2)])
    assert lines == [
        (512, b"2026-01-02T03:04:12Z", b"refusal", b"GA"),
        (513, b"2026-01-02T03:04:19Z", b"consent", b"GA"),
    ]


@pytest.mark.parametrize("years", [(999, 2025), (2025, 999), (1, 2), (9999, 1)])
def test_no_year_keeps_an_auditor_from_going_on(years: tuple[int, int]) -> None:
    held = [bytes(Entry("query", "GA", datetime(year, 1, 1, tzinfo=UTC), bytes(32))) for year in years]
    checks = taken(*held)
    assert checks.bad is None
    assert checks.backwards == (1 if years[1] < years[0] else None)
    assert checks.ahead == (0 if years[0] == 9999 else None)
    assert checks.latest == f"{max(years):04}-01-01T00:00:00Z".encode()
