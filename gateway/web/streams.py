"""What sockets and event streams share: the answers of one operation, one at a time, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog

from gateway.caller import Authenticator, Caller
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.services.execute import Execute, GraphQLAnswer, GraphQLRequest
from gateway.web.gate import Gate
from gateway.web.problems import code_of, error

_UNKNOWN = 3
_LEAST_S = 0.2  # between two looks: news may come in floods
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


async def until_revoked(authenticate: Authenticator, caller: Caller, gate: Gate, every_s: float) -> None:
    """Returns once the caller's token is no longer good, or once that cannot be known several times running: an open
    stream is no way to outlive a revocation. Asks every `every_s`, and whenever `gate` hears that something was revoked."""
    unknown, heard = 0, gate.revocations
    while unknown < _UNKNOWN:
        await gate.until_revoked(every_s, heard)
        heard = gate.revocations  # what is said while we ask is asked about again: the answer may be from before it
        try:
            if not await authenticate.still(caller):
                return
            unknown = 0
        except GatewayError:
            unknown += 1
        await asyncio.sleep(min(_LEAST_S, every_s))


def seconds_left(caller: Caller, clock: Clock) -> float:
    """Until the caller's token ends; a stream never outlives it, nor a day: timers do not take centuries."""
    return min(86_400.0, max(0.0, (caller.expires_at - clock.now()).total_seconds()))
