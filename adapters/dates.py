"""Dates as departments write them. Civil dates and times are those of Asia/Shanghai."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.source import Quality

SHANGHAI = ZoneInfo("Asia/Shanghai")
_LONGEST = 40  # characters of anything we read as a date or an instant

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?", re.ASCII)
_PARTS = re.compile(
    r"(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})\s?日?"
    r"(?:[T\s]\s?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?\s?(Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)
_MONTH = re.compile(r"(\d{4})(?:\s?[-/.年]\s?(\d{1,2})\s?月?|(\d{2}))", re.ASCII)
_YEAR = re.compile(r"(\d{4})\s?年?", re.ASCII)
_NOTHING = re.compile(r"[0\-/.:T\s年月日]*")

DateReading = tuple[date | None, Quality | None]
InstantReading = tuple[datetime | None, Quality | None]


@lru_cache(maxsize=4096)
def read_date(text: str) -> DateReading:
    """The civil date, with DATE_GUESSED where month or day were missing and 1 stands in, DATE_BAD where it cannot be.

    `2026-03-07`, `2026/3/7`, `2026.3.7`, `20260307`, `2026年3月7日`, each with or without a time of day, which is
    dropped (a stated offset is first turned into Shanghai time). Empty, dashes and `0000-00-00` are no date: no flag.
    """
    text = _tidy(text)
    if _NOTHING.fullmatch(text):
        return None, None
    instant, doubt = _read(text)
    if instant is None:
        return None, doubt
    return (instant.astimezone(SHANGHAI).date() if instant.tzinfo else instant.date()), doubt


@lru_cache(maxsize=1024)
def read_instant(text: str) -> InstantReading:
    """The instant in UTC; without offset it is Shanghai time, without time of day midnight there (DATE_GUESSED).

    Ten and thirteen digits are Unix seconds and milliseconds.
    """
    text = _tidy(text)
    if _NOTHING.fullmatch(text):
        return None, None
    if text.isascii() and text.isdigit() and len(text) in (10, 13):
        seconds = int(text) / (1000 if len(text) == 13 else 1)
        return datetime.fromtimestamp(seconds, UTC), None
    instant, doubt = _read(text)
    if instant is None:
        return None, doubt
    if ":" not in text and len(text) < 12:
        doubt = Quality.DATE_GUESSED
    return as_utc(instant), doubt


@lru_cache(maxsize=1024)
def read_month(text: str) -> tuple[str | None, Quality | None]:
    """ "YYYY-MM"; a whole date gives its month."""
    if match := _MONTH.fullmatch(_tidy(text)):
        year, month = int(match[1]), int(match[2] or match[3])
        if 1 <= month <= 12 and is_plausible(year):
            return f"{year:04d}-{month:02d}", None
    day, doubt = read_date(text)
    if day is None or doubt:
        return None, Quality.DATE_BAD if day or doubt else None
    return f"{day:%Y-%m}", None


def as_utc(instant: datetime) -> datetime:
    """`instant` in UTC; one without offset is Shanghai time."""
    return (instant if instant.tzinfo else instant.replace(tzinfo=SHANGHAI)).astimezone(UTC)


def midnight(day: date) -> datetime:
    """The instant, UTC, at which the civil date begins."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def _tidy(text: str) -> str:
    if len(text) > _LONGEST:
        return "x"  # no date is that long; "x" is none either and costs nothing to refuse
    return unicodedata.normalize("NFKC", text).strip()


def is_plausible(year: int) -> bool:
    """Whether a register may mean this year; 0001-01-01 and the like are how programs write nothing."""
    return 1800 <= year <= 2200 or year == 9999  # 9999-12-31 is how registers write "for ever"


def _read(text: str) -> InstantReading:
    numbers: list[int]
    offset: str | None = None
    if match := _PARTS.fullmatch(text):
        offset = match[7]
        numbers = [int(part or 0) for part in match.groups()[:6]]
    elif match := _COMPACT.fullmatch(text):
        numbers = [int(part or 0) for part in match.groups()]
    elif match := _MONTH.fullmatch(text):
        numbers = [int(match[1]), int(match[2] or match[3]), 0]
    elif match := _YEAR.fullmatch(text):
        numbers = [int(match[1]), 0, 0]
    else:
        return None, Quality.DATE_BAD
    return _instant(numbers, offset)


def _instant(numbers: list[int], offset: str | None) -> InstantReading:
    year, month, day = numbers[:3]
    hour, minute, second = (*numbers[3:], 0, 0, 0)[:3]
    # A zero part is a part not known: 2026-03-00 is March, but 2026-00-07 is nonsense.
    if not is_plausible(year) or (month == 0 and day != 0):
        return None, Quality.DATE_BAD
    guessed = Quality.DATE_GUESSED if month == 0 or day == 0 else None
    try:
        instant = datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=_offset(offset))
        if offset and year == 9999:
            return None, Quality.DATE_BAD  # another offset could leave the calendar
    except ValueError:
        return None, Quality.DATE_BAD
    return instant, guessed


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-size if text[0] == "-" else size)
