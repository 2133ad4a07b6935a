"""Count and trace what is asked of us, what goes to the sources and what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from adapters.source import Answer, Failed, Lookup, Source
from gateway.caller import Metrics
from gateway.errors import GatewayError
from gateway.services.tracing import UNTRACED, Tracing


class Observed:
    """A source whose every lookup is counted and traced, by its most telling answer."""

    def __init__(self, source: Source, code: str, metrics: Metrics, tracing: Tracing = UNTRACED) -> None:
        self._source, self._code, self._metrics, self._tracing = source, code, metrics, tracing

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        started = time.perf_counter()
        outcome, reason = "FAILED", "FAULT"
        with self._tracing.lookup(self._code, lookup.noun, len(lookup.keys)) as span:
            try:
                answers = await self._source.fetch(lookup, timeout_s=timeout_s)
                if Failed not in set(map(type, answers)):
                    outcome, reason = "OK", ""
                else:
                    reason = next(answer.reason.value for answer in answers if isinstance(answer, Failed))
                return answers
            except asyncio.CancelledError:
                reason = "CANCELLED"
                raise
            finally:
                self._metrics.upstream(self._code, outcome, reason, time.perf_counter() - started)
                span.say(outcome=outcome, reason=reason)

    async def close(self) -> None:
        await self._source.close()


class Watched:
    """One operation, counted and traced once, when it ends and however it ends."""

    __slots__ = ("_metrics", "_span", "_started", "kind", "outcome", "purpose", "snapshot")

    def __init__(self, metrics: Metrics, tracing: Tracing, traceparent: str | None, snapshot: str) -> None:
        self._metrics = metrics
        self._span = tracing.operation(traceparent)
        self.kind, self.outcome, self.purpose, self.snapshot = "query", "OK", "", snapshot

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._span.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, GeneratorExit):  # a stream its reader has closed is over, not broken
            kind = error = at = None
        if isinstance(error, GatewayError):
            self.outcome = error.code
        elif isinstance(error, asyncio.CancelledError):
            self.outcome = "CANCELLED"
        elif error is not None:
            self.outcome = "INTERNAL"
        self._metrics.operation(self.kind, self.outcome, time.perf_counter() - self._started)
        self._span.say(kind=self.kind, outcome=self.outcome, purpose=self.purpose, snapshot=self.snapshot)
        self._span.__exit__(kind, error, at)
