"""What the readers of a log ask it by: from and to an instant, after an event, so many at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

EVENT_ID = re.compile(r"[0-9a-f-]{36}")


def instant(given: Mapping[str, str], name: str) -> datetime | None:
    """With its offset: whose midnight is meant is not ours to guess. Raises ValueError, OverflowError."""
    if name not in given:
        return None
    found = datetime.fromisoformat(given[name])
    if found.tzinfo is None:
        raise ValueError(name)
    return found.astimezone(UTC)


def place(given: Mapping[str, str], *, usual: int, most: int) -> tuple[str | None, int]:
    """(`after`, `limit`). Raises ValueError."""
    after, limit = given.get("after"), int(given.get("limit", str(usual)))
    if not 1 <= limit <= most or (after is not None and not EVENT_ID.fullmatch(after)):
        raise ValueError("place")
    return after, limit
