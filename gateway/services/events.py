"""The events of one subscription, each run by itself, for as long as the set of sources they speak of is in force."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, TypeVar

from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute
from graphql.execution import Executor, create_source_event_stream

from gateway.federation.context import OperationContext
from gateway.services.execute import GraphQLRequest

T = TypeVar("T")


async def source_events(
    schema: GraphQLSchema, document: DocumentNode, context: OperationContext, request: GraphQLRequest
) -> AsyncIterator[Any] | ExecutionResult:
    """What happens, before any of it is made into an answer; a result where the stream cannot begin."""
    executor = Executor.build(
        schema,
        document,
        context_value=context,
        raw_variable_values=dict(request.variables),
        operation_name=request.operation_name,
        hide_suggestions=True,
    )
    if not isinstance(executor, Executor):
        return ExecutionResult(None, list(executor))
    stream = create_source_event_stream(executor)
    if isinstance(stream, Awaitable):
        stream = await stream
    return stream if isinstance(stream, ExecutionResult) else aiter(stream)


async def run_event(
    schema: GraphQLSchema, document: DocumentNode, context: OperationContext, request: GraphQLRequest, event: Any
) -> ExecutionResult:
    """One event made into an answer, under its own context. Source: GraphQL, section 6.2.3.2 (ExecuteSubscriptionEvent)."""
    result = execute(
        schema,
        document,
        event,
        context,
        dict(request.variables),
        request.operation_name,
        hide_suggestions=True,
    )
    return await result if isinstance(result, Awaitable) else result


async def while_in_force(stream: AsyncIterator[T], retired: asyncio.Event) -> AsyncIterator[T]:
    """What `stream` gives, until it ends or `retired` is set; it is closed then."""
    ending = asyncio.ensure_future(retired.wait())
    following: asyncio.Future[T] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(stream))
            await asyncio.wait((following, ending), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        ending.cancel()
        if following is not None and not following.done():
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await following
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
