"""Service hours: whether a source may be asked now, and if not, when it opens."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.manifest import Hours

_DAY_MIN = 24 * 60


class ServiceHours:
    """Windows of civil time, every day; one that ends at or before its start ends on the next day.

    Raises ValueError for a time that is no HH:MM (24:00 is one, as an end) or a timezone nobody knows.
    """

    def __init__(self, hours: Hours) -> None:
        try:
            self._zone = ZoneInfo(hours.timezone)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"{hours.timezone!r} is not a timezone") from error
        self._windows = tuple((_minutes(start), _minutes(end)) for start, end in hours.open)
        # What was found out last holds from then until the next opening or closing; most calls end here.
        self._known_from = self._known_to = datetime.max.replace(tzinfo=UTC)
        self._opens_at: datetime | None = None

    @property
    def always(self) -> bool:
        """Whether it is never closed."""
        return not self._windows

    def opens_at(self, now: datetime) -> datetime | None:
        """None while open, otherwise the next opening, UTC. `now` is aware."""
        if not self._windows:
            return None
        if not self._known_from <= now < self._known_to:
            self._find_out(now.astimezone(UTC))
        return self._opens_at

    def _find_out(self, now: datetime) -> None:
        start, end = next((start, end) for start, end in self._intervals(now) if now < end)
        self._known_from = now
        if start <= now:
            self._opens_at, self._known_to = None, end
        else:
            self._opens_at, self._known_to = start, start

    def _intervals(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """Open intervals from yesterday's to those of the day after tomorrow, by their start."""
        today = now.astimezone(self._zone).date()
        days = [today + timedelta(days=shift) for shift in range(-1, 3)]
        intervals = (
            (self._instant(day, start), self._instant(day, end if end > start else end + _DAY_MIN))
            for day in days
            for start, end in self._windows
        )
        return sorted((start, end) for start, end in intervals if start < end)  # summer time may swallow a window

    def _instant(self, day: date, minutes: int) -> datetime:
        civil = datetime.combine(day + timedelta(days=minutes // _DAY_MIN), datetime.min.time(), self._zone)
        return civil.replace(hour=minutes % _DAY_MIN // 60, minute=minutes % 60).astimezone(UTC)


def _minutes(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and len(hour) <= 2 and len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit()):
        raise ValueError(f"{text!r} is not a time HH:MM")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > _DAY_MIN:
        raise ValueError(f"{text!r} is not a time HH:MM")
    return total
