"""The date a department puts on a drop: in its name, in its head, or in its trailer."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from adapters.dates import SHANGHAI

_STAMP = re.compile(
    r"(?<!\d)(20\d\d)[-/.年]?(\d\d)[-/.月]?(\d\d)日?(?:[ T_-]?(\d\d):?(\d\d)(?::?(\d\d))?)?(?!\d)", re.ASCII
)


def stated_date(text: str) -> datetime | None:
    """The first date in `text` (20261123, 2026-11-23, 20261123020000, ...), civil time of Shanghai, as UTC.

    A day without an hour counts from its beginning: what it dates is at least so old.
    """
    for found in _STAMP.finditer(text[:200]):
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI).astimezone(UTC)
        except ValueError:
            continue
    return None
