"""Time as this floor needs it; injected, so that service hours and clock windows can be tested."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""The present instant, aware, UTC."""


def utc_now() -> datetime:
    return datetime.now(UTC)
