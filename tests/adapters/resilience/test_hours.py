"""Service hours, against a minute-by-minute reading of the same windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.hours import ServiceHours
from adapters.manifest import Hours

SHANGHAI = ZoneInfo("Asia/Shanghai")


def civil(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("now", "opens_at"),
    [
        ("2026-11-23T05:00", None),
        ("2026-11-23T22:59:59", None),
        ("2026-11-23T23:00", "2026-11-24T05:00"),
        ("2026-11-24T04:59:59", "2026-11-24T05:00"),
        ("2026-12-31T23:30", "2027-01-01T05:00"),
    ],
)
def test_the_social_insurance_office_sleeps_from_23_to_5(now: str, opens_at: str | None) -> None:
    answer = ServiceHours(Hours((("05:00", "23:00"),))).opens_at(civil(now).astimezone(UTC))
    assert answer == (civil(opens_at) if opens_at else None)
    assert answer is None or answer.tzinfo is UTC


@pytest.mark.parametrize(
    ("now", "opens_at"),
    [
        ("T21:59", "T22:00"),
        ("T22:00", None),
        ("T00:00", None),
        ("T05:59", None),
        ("T06:00", "T12:00"),
        ("T12:30", None),
    ],
)
def test_a_window_may_cross_midnight_beside_another(now: str, opens_at: str | None) -> None:
    hours = ServiceHours(Hours((("22:00", "06:00"), ("12:00", "13:00"))))
    assert hours.opens_at(civil("2026-11-23" + now)) == (civil("2026-11-23" + opens_at) if opens_at else None)


@pytest.mark.parametrize(
    "windows", [(), (("00:00", "24:00"),), (("00:00", "12:00"), ("12:00", "00:00")), (("05:00", "05:00"),)]
)
def test_some_are_always_open(windows: tuple[tuple[str, str], ...]) -> None:
    hours = ServiceHours(Hours(windows))
    assert all(hours.opens_at(civil("2026-11-23T00:00") + timedelta(minutes=17 * i)) is None for i in range(200))


def test_a_clock_set_back_is_believed() -> None:
    hours = ServiceHours(Hours((("05:00", "23:00"),)))
    assert hours.opens_at(civil("2026-11-23T12:00")) is None
    assert hours.opens_at(civil("2026-11-23T04:00")) == civil("2026-11-23T05:00")


@pytest.mark.parametrize("bad", ["5", "5:0", "24:01", "12:60", "-1:00", "ab:cd", "", "１２:00"])
def test_what_is_no_time_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        ServiceHours(Hours(((bad, "23:00"),)))


def test_an_unknown_timezone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone"):
        ServiceHours(Hours(timezone="Asia/Nowhere"))


minutes = st.integers(0, 1439)


@settings(max_examples=150)
@given(
    windows=st.lists(st.tuples(minutes, minutes), min_size=1, max_size=4),
    starts=st.lists(st.integers(0, 3 * 1440), min_size=1, max_size=6),
)
def test_every_minute_is_as_a_patient_reader_would_say(windows: list[tuple[int, int]], starts: list[int]) -> None:
    def is_open(minute: int) -> bool:
        of_day = minute % 1440
        return any(a <= of_day < b if a < b else of_day >= a or of_day < b for a, b in windows)

    texts = tuple((f"{a // 60:02}:{a % 60:02}", f"{b // 60:02}:{b % 60:02}") for a, b in windows)
    hours, day = ServiceHours(Hours(texts)), civil("2026-11-23T00:00")
    for start in starts:  # in any order, over one object: what it remembers must never show
        answer = hours.opens_at(day + timedelta(minutes=start))
        opening = next(minute for minute in range(start, start + 2881) if is_open(minute))
        assert answer == (None if opening == start else day + timedelta(minutes=opening))


@example(datetime(2026, 3, 29, 0, 45))  # noqa: DTZ001 - the night without that half hour
@given(st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30)))  # noqa: DTZ001 - a civil instant of UTC
def test_a_zone_with_summer_time_still_tells_a_coming_opening(moment: datetime) -> None:
    hours = ServiceHours(Hours((("02:30", "03:00"), ("09:00", "17:00")), "Europe/Berlin"))
    now = moment.replace(tzinfo=UTC)
    opens_at = hours.opens_at(now)
    if opens_at is not None:
        assert now < opens_at < now + timedelta(days=1)
        assert hours.opens_at(opens_at) is None
