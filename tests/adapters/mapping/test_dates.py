from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.dates import read_date, read_instant, read_month
from adapters.source import Quality


@pytest.mark.parametrize(
    "text",
    ["2026-03-07", "2026/3/7", "20260307", "2026.3.7", "2026年3月7日", "２０２６／３／７", " 2026-03-07 ", "2026-03-07 08:30", "2026-03-07T23:59:59.5",
     "20260307083104", "2026-03-07T00:00:00+08:00", "2026-03-06T16:00:00Z"],
)  # fmt: skip
def test_one_day_written_in_many_ways(text: str) -> None:
    assert read_date(text) == (date(2026, 3, 7), None)


@pytest.mark.parametrize(
    "text", ["", " ", "0000-00-00", "00000000", "0", "-", "/", "0000/0/0", "0000-00-00 00:00:00", "年月日"]
)
def test_no_date_is_no_doubt(text: str) -> None:
    assert read_date(text) == (None, None)
    assert read_instant(text) == (None, None)
    assert read_month(text) == (None, None)


@pytest.mark.parametrize(
    "text",
    ["1990-02-30", "19900230", "2026-13-01", "2026-00-07", "0001-01-01", "260307", "7/3/2026", "yesterday", "2026-W10-6", "2026-03-07X", "9" * 1000, "2026-03-07T25:00", "2026-03-07T10:00+99:00", "9999-12-31T23:00-08:00"],
)  # fmt: skip
def test_what_cannot_be(text: str) -> None:
    assert read_date(text) == (None, Quality.DATE_BAD)
    assert read_instant(text) == (None, Quality.DATE_BAD)


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-03", date(2026, 3, 1)), ("202603", date(2026, 3, 1)), ("2026年3月", date(2026, 3, 1)), ("2026", date(2026, 1, 1)), ("20260300", date(2026, 3, 1)), ("2026-00-00", date(2026, 1, 1))],
)  # fmt: skip
def test_missing_parts_are_guessed_and_said(text: str, day: date) -> None:
    assert read_date(text) == (day, Quality.DATE_GUESSED)


def test_for_ever() -> None:
    assert read_date("9999-12-31") == (date(9999, 12, 31), None)


def test_instants() -> None:
    at = datetime(2026, 3, 7, 0, 31, 4, tzinfo=UTC)
    assert read_instant("2026-03-07T08:31:04+08:00") == (at, None)
    assert read_instant("2026-03-07 08:31:04") == (at, None)
    assert read_instant("20260307083104") == (at, None)
    assert read_instant(str(int(at.timestamp()))) == (at, None)
    assert read_instant(f"{int(at.timestamp())}000") == (at, None)
    assert read_instant("2026-03-07") == (datetime(2026, 3, 6, 16, tzinfo=UTC), Quality.DATE_GUESSED)


def test_months() -> None:
    for text in ("202603", "2026-03", "2026/3", "2026年3月", "2026-03-31", "20260331"):
        assert read_month(text) == ("2026-03", None)
    assert read_month("2026-13") == (None, Quality.DATE_BAD)
    assert read_month("2026") == (None, Quality.DATE_BAD)


@given(st.one_of(st.text(max_size=50), st.text("0123456789-/:年月日T+Z. ", max_size=30)))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_date, read_month):
        value, doubt = read(text)
        assert value is None or doubt in (None, Quality.DATE_GUESSED)
    instant, _ = read_instant(text)
    assert instant is None or instant.utcoffset() is not None


@given(st.dates(date(1800, 1, 1), date(2200, 12, 31)))
def test_every_day_survives(day: date) -> None:
    for text in (
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
    ):
        assert read_date(text) == (day, None)
