"""The port for time: services ask it, tests set it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

CIVIL = ZoneInfo("Asia/Shanghai")
"""Law dates are civil dates here; instants are UTC everywhere else."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
