"""Count and trace what is asked of us, what goes to the sources and what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from adapters.alarms import unheard
from adapters.prompt import OVER, Asks, Begun, Told, in_a_task
from adapters.source import Answer, Failed, Lookup, Source
from gateway.caller import Metrics
from gateway.errors import GatewayError
from gateway.services.tracing import UNTRACED, Span, Tracing


class Observed:
    """A source whose every lookup is counted and traced, by its most telling answer."""

    def __init__(self, source: Source, code: str, metrics: Metrics, tracing: Tracing = UNTRACED) -> None:
        self._source, self._code, self._metrics, self._tracing = source, code, metrics, tracing
        self._asks = source if isinstance(source, Asks) else None

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        started = time.perf_counter()
        outcome, reason = "FAILED", "FAULT"
        with self._tracing.lookup(self._code, lookup.noun, len(lookup.keys)) as span:
            try:
                answers = await self._source.fetch(lookup, timeout_s=timeout_s)
                outcome, reason = _told_by(answers)
                return answers
            except asyncio.CancelledError:
                reason = "CANCELLED"
                raise
            finally:
                self._metrics.upstream(self._code, outcome, reason, time.perf_counter() - started)
                span.say(outcome=outcome, reason=reason)

    def ask(self, lookup: Lookup, *, timeout_s: float, told: Told) -> Begun:
        """As `fetch`; see `adapters.prompt`."""
        if self._asks is None:
            return in_a_task(self, lookup, timeout_s, told)
        span = None
        if self._tracing is not UNTRACED:
            span = self._tracing.lookup(self._code, lookup.noun, len(lookup.keys)).__enter__()
        asking = _Asking(self, span, told)
        try:
            asking.begun = self._asks.ask(lookup, timeout_s=timeout_s, told=asking.answered)
        except BaseException as error:
            asking.failed("FAULT", error)
            raise
        return asking

    def note(
        self, span: Span | None, outcome: str, reason: str, started: float, error: BaseException | None = None
    ) -> None:
        """The end of it. Whoever counts costs nobody an answer: there is no task that would fail, and say so."""
        try:
            self._metrics.upstream(self._code, outcome, reason, time.perf_counter() - started)
            if span is not None:
                span.say(outcome=outcome, reason=reason)
                if error is None:
                    span.__exit__(None, None, None)
                else:
                    span.__exit__(type(error), error, error.__traceback__)
        except Exception as fault:
            unheard(fault)

    async def close(self) -> None:
        await self._source.close()


class _Asking:
    """One lookup until it is answered or given up."""

    __slots__ = ("_observed", "_span", "_started", "_told", "begun")

    def __init__(self, observed: Observed, span: Span | None, told: Told) -> None:
        self._observed, self._span = observed, span
        self._told: Told | None = told
        self.begun: Begun = OVER
        self._started = time.perf_counter()

    def answered(self, answers: Sequence[Answer]) -> None:
        told, self._told = self._told, None
        self.begun = OVER  # no circle of two that know each other
        if told is None:
            return
        outcome, reason = _told_by(answers)
        self._observed.note(self._span, outcome, reason, self._started)
        told(answers)

    def cancel(self) -> None:
        if self._told is not None:
            self.begun.cancel()
            self.begun = OVER
            self.failed("CANCELLED", asyncio.CancelledError())

    def failed(self, reason: str, error: BaseException) -> None:
        if self._told is not None:
            self._told = None
            self._observed.note(self._span, "FAILED", reason, self._started, error)


def _told_by(answers: Sequence[Answer]) -> tuple[str, str]:
    if Failed not in set(map(type, answers)):
        return "OK", ""
    return "FAILED", next(answer.reason.value for answer in answers if isinstance(answer, Failed))


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
