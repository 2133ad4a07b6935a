"""The port `Tracing`: what one operation asked of whom and how that went, in codes and counts; never what was said.

A span holds no query text, no variable, no message of an exception: only words from closed sets.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Span(Protocol):
    """A stretch of work; ends with its block. What escapes the block is told by its class alone."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def say(self, **facts: str | int) -> None:
        """Codes and counts; an empty one is left out, and what looks like no code becomes OTHER."""
        ...


class Tracing(Protocol):
    """None of these raises, blocks or awaits."""

    def operation(self, traceparent: str | None) -> Span:
        """One operation; lookups started within its block are its children. A traceparent that is none is ignored."""
        ...

    def lookup(self, source: str, noun: str, keys: int) -> Span:
        """One lookup at a source. Nothing of the trace is sent on to the department."""
        ...


class _Nothing:
    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def say(self, **facts: str | int) -> None:
        return None


_NOTHING = _Nothing()


class Untraced:
    """Traces are off: the same empty span for all."""

    def operation(self, traceparent: str | None) -> Span:
        return _NOTHING

    def lookup(self, source: str, noun: str, keys: int) -> Span:
        return _NOTHING


UNTRACED = Untraced()
