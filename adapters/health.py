"""How a source is doing, as seen by those who ask it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Literal

from adapters.clock import Now
from adapters.errors import Reason

_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Health:
    """A snapshot; counts are since start, instants aware UTC.

    `state`: CLOSED outside service hours; DOWN while the breaker is not closed, or when it never answered;
    DEGRADED when the last call failed or it told us to wait; UNKNOWN before the first call. `p50_ms` is of the last
    64 good calls.
    """

    code: str
    state: Literal["UP", "DEGRADED", "DOWN", "CLOSED", "UNKNOWN"]
    breaker: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    last_ok_at: datetime | None
    last_failure_at: datetime | None
    last_reason: Reason | None
    in_flight: int
    p50_ms: float | None
    calls: int
    failures: int


class Vitals:
    """Counts calls as they end; cheap, since it is fed by every one of them."""

    __slots__ = (
        "_now",
        "_took_s",
        "calls",
        "failures",
        "in_flight",
        "last_failure_at",
        "last_good",
        "last_ok_at",
        "last_reason",
    )

    def __init__(self, now: Now) -> None:
        self._now = now
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        self.calls = self.failures = self.in_flight = 0
        self.last_ok_at: datetime | None = None
        self.last_failure_at: datetime | None = None
        self.last_reason: Reason | None = None
        self.last_good: bool | None = None

    def started(self) -> None:
        self.calls += 1
        self.in_flight += 1

    def answered(self, took_s: float) -> None:
        self.in_flight -= 1
        self._took_s.append(took_s)
        self.last_ok_at = self._now()
        self.last_good = True

    def failed(self, reason: Reason) -> None:
        self.in_flight -= 1
        self.failures += 1
        self.last_failure_at = self._now()
        self.last_reason = reason
        self.last_good = False

    def abandoned(self) -> None:
        """It ended before it could prove anything."""
        self.in_flight -= 1

    def p50_ms(self) -> float | None:
        return median(self._took_s) * 1000 if self._took_s else None
