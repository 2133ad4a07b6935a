"""The port `Tracing` on OpenTelemetry; imports its SDK only where the `tracing` extra is installed and wanted.

The parent of a lookup is kept in a variable of our own and not in OpenTelemetry's context: no instrumentation anybody
installs can find it there and send it on to a department.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# A trace id is the caller's own: an ID number, new or old, would fit into it. Chance makes one in thousands look so.
_ID_NUMBER = re.compile(r"[0-9]{6}(?:(?:18|19|20)[0-9]{2}|[0-9]{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}|[0-9a-f]{16}")
_CURRENT: ContextVar[Span | None] = ContextVar("yimen_operation", default=None)


class OtelTracing:
    """Spans by `tracer`: `operation`, and below it `lookup`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def operation(self, traceparent: str | None) -> OtelSpan:
        return OtelSpan(self._tracer.start_span("operation", _remote(traceparent), SpanKind.SERVER), current=True)

    def lookup(self, source: str, noun: str, keys: int) -> OtelSpan:
        parent = _CURRENT.get()
        context = Context() if parent is None else set_span_in_context(parent, Context())
        span = OtelSpan(self._tracer.start_span("lookup", context, SpanKind.CLIENT))
        span.say(source=source, noun=noun, keys=keys)
        return span


class OtelSpan:
    """Keeps the port's promise whatever it is told: attributes are codes and counts, errors are their class."""

    __slots__ = ("_current", "_span", "_token")

    def __init__(self, span: Span, *, current: bool = False) -> None:
        self._span, self._current = span, current
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Self:
        if self._current:
            self._token = _CURRENT.set(self._span)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._token is not None:
            with contextlib.suppress(ValueError):  # a stream may be closed by another task than the one that opened it
                _CURRENT.reset(self._token)
        if kind is not None:
            self.say(exception=kind.__name__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()

    def say(self, **facts: str | int) -> None:
        for name, value in facts.items():
            if isinstance(value, int):
                self._span.set_attribute(f"yimen.{name}", value)
            elif value:
                self._span.set_attribute(f"yimen.{name}", value if _CODE.fullmatch(value) else "OTHER")


def tracer_provider(processor: SpanProcessor) -> TracerProvider:
    """Follows the caller's decision to sample where there is one, and else keeps every trace."""
    resource = Resource({"service.name": "yimen", "service.instance.id": secrets.token_hex(8)})
    provider = TracerProvider(ParentBased(ALWAYS_ON), resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _remote(traceparent: str | None) -> Context:
    """The caller's span as parent; an empty context where there is none, never one left over from another request."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None and len(traceparent) < 256 else None
    if found is None or (found[0].startswith("00") and found[4]) or _ID_NUMBER.search(found[1] + "-" + found[2]):
        return Context()
    flags = TraceFlags(int(found[3], 16) & TraceFlags.SAMPLED)
    return set_span_in_context(
        NonRecordingSpan(SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags)),
        Context(),
    )
