"""From when until when a credential speaks: `iat`, `nbf`, `exp` of a JWT, `validFrom` and `validUntil` of VCDM 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LEEWAY = timedelta(seconds=60)
"""Clocks differ: for what begins, never for what ends."""


@dataclass(frozen=True, slots=True)
class Validity:
    """`broken`: a date that is none. Nothing is believed for want of a date that says until when."""

    issued_at: datetime | None
    starts: datetime | None
    ends: datetime | None
    broken: bool = False

    def fault(self, now: datetime) -> str:
        """ "" | form | expired | not_yet | issued_later."""
        if self.broken:
            return "form"
        if self.ends is not None and self.ends <= now:
            return "expired"
        if self.starts is not None and self.starts > now + LEEWAY:
            return "not_yet"
        if self.issued_at is not None and self.issued_at > now + LEEWAY:
            return "issued_later"
        return ""


def validity_of(claims: Mapping[str, Any]) -> Validity:
    """The narrowest of what is said; both ways of saying it may be there."""
    try:
        issued = _seconds(claims.get("iat"))
        starts = _all(_seconds(claims.get("nbf")), _written(claims.get("validFrom")))
        ends = _all(_seconds(claims.get("exp")), _written(claims.get("validUntil")))
    except (ValueError, OverflowError, OSError):
        return Validity(None, None, None, broken=True)
    return Validity(issued, max(starts, default=None), min(ends, default=None))


def _all(*dates: datetime | None) -> list[datetime]:
    return [date for date in dates if date is not None]


def _seconds(value: Any) -> datetime | None:
    """A NumericDate (RFC 7519 2)."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return datetime.fromtimestamp(value, UTC)


def _written(value: Any) -> datetime | None:
    """A dateTimeStamp: with its zone."""
    if value is None:
        return None
    if not isinstance(value, str) or "T" not in value:
        raise ValueError
    read = datetime.fromisoformat(value)
    if read.tzinfo is None:
        raise ValueError
    return read.astimezone(UTC)
