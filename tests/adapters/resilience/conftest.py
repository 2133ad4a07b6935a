"""A loop whose time passes only when nothing else can happen, and a source that does as it is told."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.errors import Reason, SourceUnavailable
from adapters.manifest import Hours, Limits
from adapters.resilience import Guarded
from adapters.source import Absent, Answer, Found, Lookup, Row

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # noon in Shanghai


class _Skipping(selectors.DefaultSelector):
    """Where the loop would sleep, its clock jumps: timers fire in order, at their instants, at once."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.skipped_s += timeout
        return ready if ready or timeout is not None else super().select(None)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return 1000.0 + self._skipping.skipped_s


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def monotonic() -> float:
    return asyncio.get_running_loop().time()


def now() -> datetime:
    return START + timedelta(seconds=monotonic() - 1000.0)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def lookup(*keys: str, fields: str = "name", noun: str = "identity") -> Lookup:
    return Lookup(noun, ("idNo",), tuple((key,) for key in keys), frozenset(fields.split()))


def found(key: str) -> Found:
    return Found((Row({"name": key}),))


Act = Callable[[Lookup], Awaitable[Sequence[Answer] | None]]


@dataclass
class Department:
    """Answers every key after `takes_s`, or does what `act` says (None: answer as usual). Notes all it was asked."""

    takes_s: float = 0.1
    act: Act | None = None
    asked: list[tuple[float, tuple[str | None, ...]]] = field(default_factory=list)
    given_s: list[float] = field(default_factory=list)
    under_way: int = 0
    peak: int = 0
    cancelled: int = 0
    closed: bool = False

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        self.asked.append((round(monotonic() - 1000, 6), tuple(key[0] for key in lookup.keys)))
        self.given_s.append(timeout_s)
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            if self.act is not None and (answers := await self.act(lookup)) is not None:
                return answers
            await asyncio.sleep(self.takes_s)
            return [Absent() if key[0] == "nobody" else found(str(key[0])) for key in lookup.keys]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        self.closed = True

    @property
    def times(self) -> list[float]:
        return [instant for instant, _ in self.asked]


def failing(reason: Reason, *, retry_at: datetime | None = None, times: int = 1_000_000) -> Act:
    """Raise `reason` for the first `times` calls."""
    left = [times]

    async def act(_: Lookup) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise SourceUnavailable("LGB", reason, "told to", retry_at=retry_at)

    return act


async def hangs(_: Lookup) -> None:
    await asyncio.sleep(3600)


def guard(department: Department, *, per_key: bool = True, hours: Hours | None = None, **limits: Any) -> Guarded:
    """Retries and the breaker are off unless a test turns them on."""
    chosen = Limits(**{"retries": 0, "breaker_failures": 1000, "concurrency": 100, **limits})
    return Guarded(
        department,
        code="LGB",
        limits=chosen,
        hours=hours or Hours(),
        per_key=per_key,
        now=now,
        monotonic=monotonic,
        random=lambda: 0.5,
    )


def reasons(answers: Sequence[Answer]) -> list[Reason | str]:
    return [getattr(answer, "reason", None) or type(answer).__name__ for answer in answers]
