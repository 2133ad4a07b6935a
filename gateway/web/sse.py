"""Server-sent events for one operation: graphql-sse's "distinct connections" mode.

Source: https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from gateway.caller import Authenticator, Caller
from gateway.clock import Clock
from gateway.services.execute import Execute, GraphQLAnswer, GraphQLRequest
from gateway.web.encoding import encode
from gateway.web.gate import Gate
from gateway.web.problems import Refusal
from gateway.web.settings import WebSettings
from gateway.web.streams import answers, seconds_left, until_revoked
from gateway.web.token_door import next_nonce

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no"), (b"vary", b"accept")]
_COMPLETE = b"event: complete\ndata: \n\n"
_PING = b":\n\n"

_Answers = asyncio.Queue[GraphQLAnswer | None]


class EventStream:
    """One answer is held back at most: a reader that does not read stops the source, and in the end is let go."""

    def __init__(
        self, execute: Execute, authenticate: Authenticator, settings: WebSettings, gate: Gate, clock: Clock
    ) -> None:
        self._execute, self._authenticate = execute, authenticate
        self._settings, self._gate, self._clock = settings, gate, clock

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller, request: GraphQLRequest
    ) -> None:
        code = self._gate.becomes_stream()
        if code is not None:
            raise Refusal(code)
        try:
            scope["yimen.limit"].end()
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *next_nonce(caller)]})
            if await self._run(scope, receive, send, caller, request):
                await self._write(send, _COMPLETE, more=False)
        finally:
            self._gate.was_stream()

    async def _run(self, scope: Scope, receive: Receive, send: Send, caller: Caller, request: GraphQLRequest) -> bool:
        """Whether there is still somebody to say goodbye to."""
        queue: _Answers = asyncio.Queue(1)
        produce = asyncio.create_task(self._produce(queue, caller, request, scope["yimen.request_id"]))
        write = asyncio.create_task(self._write_all(queue, send, scope["yimen.request_id"]))
        gone = asyncio.create_task(_gone(receive))
        drain = asyncio.create_task(self._gate.until_draining())
        check = until_revoked(self._authenticate, caller, self._gate, self._settings.stream_check_s)
        revoked = asyncio.create_task(check)
        tasks = (write, gone, drain, revoked, produce)
        try:
            await asyncio.wait(
                tasks[:4], timeout=seconds_left(caller, self._clock), return_when=asyncio.FIRST_COMPLETED
            )
            if write.done():
                write.result()  # a reader too slow: TimeoutError cuts the connection
            return not gone.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _produce(self, queue: _Answers, caller: Caller, request: GraphQLRequest, request_id: str) -> None:
        async for answer in answers(self._execute, caller, request, request_id):
            await queue.put(answer)
        await queue.put(None)

    async def _write_all(self, queue: _Answers, send: Send, request_id: str) -> None:
        while True:
            try:
                async with asyncio.timeout(self._settings.stream_ping_s):
                    answer = await queue.get()
            except TimeoutError:
                await self._write(send, _PING)
                continue
            if answer is None:
                return
            # JSON has no raw line break, so one data line holds it.
            await self._write(send, b"event: next\ndata: " + encode(answer, request_id) + b"\n\n")

    async def _write(self, send: Send, part: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._settings.stream_send_s):
            await send({"type": "http.response.body", "body": part, "more_body": more})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
