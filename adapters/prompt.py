"""Asking without a task: the question leaves at once or not at all, and the answer is told by a function that is called.

A coroutine a layer, a task a request and a future for whoever waits cost more than all that is done with a short answer. So
each layer that can has a second way beside its coroutine, for the one case nearly every question is: a connection stands
idle, nobody waits in line, the answer is complete. Whatever is otherwise goes the long way, which knows everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from adapters.egress import Reply
from adapters.errors import Reason, SourceUnavailable
from adapters.signing import Outgoing
from adapters.source import Answer, Failed, Lookup, Source
from adapters.whole_source import Whole

ADAPTER_FAULT: Final = Failed(Reason.GARBAGE, detail="adapter fault")

Heard: TypeAlias = Callable[[Reply | SourceUnavailable | None], None]
"""Called once, unless it was cancelled, and never before `begin` has returned. None: nothing was answered and asking again,
the long way, does no harm."""

TakenUp: TypeAlias = Callable[[Sequence[Answer] | None, Coroutine[Any, Any, Sequence[Answer]] | None], None]
"""Likewise, with the answers; or with the coroutine that still has to make them, to be awaited or closed; or with neither,
as above."""

Told: TypeAlias = Callable[[Sequence[Answer]], None]
"""Likewise, with an answer a key; it may be called before `ask` has returned. It must not raise."""


class Begun(Protocol):
    """What was asked. One object for both ends of it."""

    def cancel(self) -> object:
        """Nobody waits any more; nothing is told from now on. After the answer it changes nothing."""
        ...


@runtime_checkable
class PromptChannel(Protocol):
    """A `Channel` that may have a connection at hand."""

    def begin(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, heard: Heard
    ) -> Begun | None:
        """As `Channel.send`. None: nothing was sent, and nothing will be told."""
        ...


@runtime_checkable
class PromptSending(Protocol):
    """A `Sending` that needs to ask nobody else first."""

    def begin(
        self, request: Outgoing, url: str, headers: Mapping[str, str], timeout_s: float, heard: Heard
    ) -> Begun | None: ...


@runtime_checkable
class PromptWhole(Protocol):
    """A `ReadsWhole` that can ask so."""

    def begin_whole(
        self,
        lookup: Lookup,
        whole: Whole,
        *,
        timeout_s: float,
        told: Callable[[Sequence[Answer] | Exception | None, bool], None],
    ) -> Begun | None:
        """As `ReadsWhole.fetch_whole`: the answers, and whether they are canonical ones; or what it would have raised; or
        None: ask the long way."""
        ...


@runtime_checkable
class Prompt(Protocol):
    """A `Source` that can ask so: for keys that are distinct."""

    def begin(self, lookup: Lookup, *, timeout_s: float, told: TakenUp) -> Begun | None: ...


@runtime_checkable
class Asks(Protocol):
    """A `Source` that can be waited for by several without a task for each: it always takes the question."""

    def ask(self, lookup: Lookup, *, timeout_s: float, told: Told) -> Begun: ...


def asked(source: Source, lookup: Lookup, timeout_s: float, told: Told) -> Begun:
    """Ask, whatever source it is; one that raises has failed for every key."""
    ask: Callable[..., Begun] | None = getattr(source, "ask", None)  # `isinstance` of a protocol is slow
    if ask is not None:
        try:
            return ask(lookup, timeout_s=timeout_s, told=told)
        except Exception:  # a fault in an adapter is that source's fault, not the answer's
            told([ADAPTER_FAULT] * len(lookup.keys))
            return OVER
    return in_a_task(source, lookup, timeout_s, told)


def in_a_task(source: Source, lookup: Lookup, timeout_s: float, told: Told) -> Begun:
    """For a source that can only be awaited."""
    return asyncio.get_running_loop().create_task(_fetched(source, lookup, timeout_s, told))


async def answers_of(source: Source, lookup: Lookup, timeout_s: float) -> Sequence[Answer]:
    """As `fetch`, and it never raises."""
    try:
        return await source.fetch(lookup, timeout_s=timeout_s)
    except SourceUnavailable as error:
        return [Failed(error.reason, error.retry_at, error.detail)] * len(lookup.keys)
    except Exception:  # as above
        return [ADAPTER_FAULT] * len(lookup.keys)


async def _fetched(source: Source, lookup: Lookup, timeout_s: float, told: Told) -> None:
    told(await answers_of(source, lookup, timeout_s))


class _Over:
    """What is over when it begins."""

    __slots__ = ()

    def cancel(self) -> None:
        return None


OVER: Begun = _Over()
