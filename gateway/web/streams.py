"""What sockets and event streams share: the answers of one operation, one at a time, whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog

from gateway.caller import Caller
from gateway.clock import Clock
from gateway.services.run_query import Execute, GraphQLAnswer, GraphQLRequest
from gateway.web.problems import code_of, error

_log = structlog.get_logger("yimen.stream")


async def answers(
    execute: Execute, caller: Caller, request: GraphQLRequest, request_id: str
) -> AsyncIterator[GraphQLAnswer]:
    """Every answer of the operation; a failure becomes a last, refused one. A query or mutation yields one answer."""
    source = execute.subscribe(caller, request)
    try:
        async for answer in source:
            yield answer
            if not answer.executed:
                return
    except Exception as caught:
        code = code_of(caught)
        if code == "INTERNAL":
            _log.error("failed", request_id=request_id, exc_info=caught)
        yield GraphQLAnswer(executed=False, errors=(error(code, request_id),))
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def seconds_left(caller: Caller, clock: Clock) -> float:
    """Until the caller's token ends; a stream never outlives it, nor a day: timers do not take centuries."""
    return min(86_400.0, max(0.0, (caller.expires_at - clock.now()).total_seconds()))
