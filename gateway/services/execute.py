"""The seam between transports and the work: a request, its answer, and the port that makes one of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.caller import Caller


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A request as any transport hands it over; the shapes are already checked, the contents are not."""

    query: str | None  # None with a trusted document's id
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    document_id: str | None = None  # "sha256:<hex>"
    method: str = "POST"  # GET must not carry mutations or personal variables
    traceparent: str | None = None  # as the caller sent it (W3C Trace Context); it may be anything
    via: tuple[str, ...] = ()  # where the caller is a gateway: those the question came through, the first one first
    within_s: float | None = None  # how long the caller waits, where it says so


@dataclass(frozen=True, slots=True)
class GraphQLAnswer:
    """An answer that is already recorded and may leave. `executed` False = refused before execution (no `data`)."""

    executed: bool
    data: Mapping[str, Any] | None = None
    errors: tuple[Mapping[str, Any], ...] = ()  # formatted: message, locations, path, extensions.code
    extensions: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None  # the encoded response, where the executor already made it


class Execute(Protocol):
    """The seam between transports and the work: the web floor knows nothing else of execution."""

    async def __call__(self, caller: Caller, request: GraphQLRequest) -> GraphQLAnswer: ...

    def subscribe(self, caller: Caller, request: GraphQLRequest) -> AsyncIterator[GraphQLAnswer]: ...
