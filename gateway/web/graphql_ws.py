"""Operations over a WebSocket: the graphql-transport-ws protocol.

Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md; close codes 4400, 4401, 4403, 4406, 4408, 4409, 4429.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from gateway.caller import Authenticator, Caller
from gateway.clock import Clock
from gateway.errors import Unauthenticated
from gateway.services.execute import Execute, GraphQLRequest
from gateway.web.encoding import encode
from gateway.web.gate import Gate
from gateway.web.graphql import PATH, traced
from gateway.web.graphql_request import from_object
from gateway.web.problems import Refusal, error, worded
from gateway.web.settings import WebSettings
from gateway.web.streams import answers, seconds_left, until_revoked
from gateway.web.strict_json import loads
from gateway.web.token_door import presented, single

PROTOCOL = "graphql-transport-ws"
_log = structlog.get_logger("yimen.stream")
_LONGEST_ID = 128


class GraphQLSocket:
    """The endpoint: one `_Session` to a connection."""

    def __init__(
        self, execute: Execute, authenticate: Authenticator, settings: WebSettings, gate: Gate, clock: Clock
    ) -> None:
        self.execute, self.authenticate, self.settings, self.gate = execute, authenticate, settings, gate
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        await _Session(self, receive, send, scope["yimen.request_id"], single(scope)).run()


class _Session:
    """One connection. Whatever ends it calls `_end` once; `run` then clears up and says why."""

    def __init__(
        self, of: GraphQLSocket, receive: Receive, send: Send, request_id: str, headers: Mapping[bytes, bytes]
    ) -> None:
        self._of, self._settings, self._headers = of, of.settings, headers
        self._receive, self._send, self._request_id = receive, send, request_id
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[tuple[int, str] | None] = self._loop.create_future()
        self._timers = [self._loop.call_later(of.settings.socket_init_s, self._init_late)]
        self._writing = asyncio.Lock()
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._initialised = False
        self._caller: Caller | None = None
        self._watching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._drained())]
        why: tuple[int, str] | None = None
        try:
            why = await self._ended
        finally:
            for timer in self._timers:
                timer.cancel()
            tasks += self._operations.values()
            if self._watching is not None:
                tasks.append(self._watching)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if why is not None:
            with suppress(OSError, TimeoutError):  # it left meanwhile, or still does not read
                async with asyncio.timeout(1):
                    await self._send({"type": "websocket.close", "code": why[0], "reason": why[1]})

    def _end(self, code: int = 0, reason: str = "") -> None:
        if not self._ended.done():
            self._ended.set_result((code, reason) if code else None)

    def _fail(self, caught: Exception) -> None:
        if not isinstance(caught, OSError):  # which says that the other side left
            _log.error("failed", request_id=self._request_id, exc_info=caught)
        self._end(1011, "Internal error")

    def _init_late(self) -> None:
        if self._caller is None:
            self._end(4408, "Connection initialisation timeout")

    async def _drained(self) -> None:
        await self._of.gate.until_draining()
        self._end(1012, "Service restart")

    async def _read(self) -> None:
        """One message at a time: while one is handled, the next one waits in the kernel."""
        try:
            while not self._ended.done():
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    self._end()
                    return
                text = message.get("text")
                if text is None:
                    self._end(4400, "Invalid message")
                    return
                await self._handle(loads(text.encode(), depth=self._settings.json_depth))
        except (Refusal, UnicodeEncodeError):
            self._end(4400, "Invalid message")
        except Exception as caught:
            self._fail(caught)

    async def _handle(self, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        payload = message.get("payload") if isinstance(message, dict) else None
        if kind == "connection_init" and isinstance(payload, dict | None):
            await self._initialise(payload or {})
        elif kind == "ping" and isinstance(payload, dict | None):
            await self._say({"type": "pong"})
        elif kind == "pong" and isinstance(payload, dict | None):
            return
        elif kind == "subscribe":
            await self._subscribe(message.get("id"), payload)
        elif kind == "complete" and isinstance(message.get("id"), str):
            task = self._operations.pop(message["id"], None)
            if task is not None:
                task.cancel()
        else:
            self._end(4400, "Invalid message")

    async def _initialise(self, payload: Mapping[str, Any]) -> None:
        if self._initialised:
            self._end(4429, "Too many initialisation requests")
            return
        self._initialised = True
        shown = self._shown(payload)
        try:
            if shown is None:
                raise Unauthenticated(error="invalid_token")
            certificate_header = self._settings.client_certificate_header
            caller = await self._of.authenticate(presented("GET", PATH, shown, certificate_header))
        except Unauthenticated as error:
            # The one thing a client can mend by itself, and a socket has no header to say it in.
            nonce = error.nonce if error.error == "use_dpop_nonce" else None
            self._end(4403, "Forbidden" if nonce is None else f"use_dpop_nonce {nonce}")
            return
        await self._say({"type": "connection_ack"})
        self._caller = caller
        left = seconds_left(caller, self._of.clock)
        self._timers.append(self._loop.call_later(left, self._end, 4403, "Token expired"))
        self._watching = asyncio.create_task(self._watch(caller))

    def _shown(self, payload: Mapping[str, Any]) -> Mapping[bytes, bytes] | None:
        """The headers of the upgrade, and what the first message adds to them: browsers can set no header on a socket.

        None where one thing is said twice, or is no text.
        """
        shown = dict(self._headers)
        for name, value in payload.items():
            key = name.lower().encode()
            if key in (b"authorization", b"dpop"):
                if key in shown or not isinstance(value, str):
                    return None
                shown[key] = value.encode("latin-1", "replace")
        return shown

    async def _watch(self, caller: Caller) -> None:
        await until_revoked(self._of.authenticate, caller, self._of.gate, self._settings.stream_check_s)
        self._end(4403, "Token revoked")

    async def _subscribe(self, operation_id: Any, payload: Any) -> None:
        caller = self._caller
        if caller is None:
            self._end(4401, "Unauthorized")
            return
        if not isinstance(operation_id, str) or not 0 < len(operation_id) <= _LONGEST_ID:
            self._end(4400, "Invalid message")
            return
        if operation_id in self._operations:
            self._end(4409, "Subscriber already exists")
            return
        request = traced(from_object(payload), self._headers)  # a Refusal is an invalid message
        if not await self._of.authenticate.still(caller):
            self._end(4403, "Token revoked")
            return
        if len(self._operations) >= self._settings.socket_operations:
            await self._say({"id": operation_id, "type": "error", "payload": [error("TOO_MANY_OPERATIONS")]})
            return
        self._operations[operation_id] = asyncio.create_task(self._operate(operation_id, caller, request))

    async def _operate(self, operation_id: str, caller: Caller, request: GraphQLRequest) -> None:
        quoted = orjson.dumps(operation_id)
        try:
            async for answer in answers(self._of.execute, caller, request, self._request_id):
                if not answer.executed:
                    errors = orjson.dumps(worded(answer.errors, self._request_id))
                    await self._write(b'{"id":%b,"type":"error","payload":%b}' % (quoted, errors))
                    return
                await self._write(b'{"id":%b,"type":"next","payload":%b}' % (quoted, encode(answer, self._request_id)))
            await self._say({"id": operation_id, "type": "complete"})
        except Exception as caught:
            self._fail(caught)
        finally:
            if self._operations.get(operation_id) is asyncio.current_task():
                del self._operations[operation_id]

    async def _say(self, message: Mapping[str, Any]) -> None:
        await self._write(orjson.dumps(message))

    async def _write(self, message: bytes) -> None:
        """Answers wait for a slow reader here, one to an operation; one too slow is let go."""
        try:
            async with asyncio.timeout(self._settings.stream_send_s), self._writing:
                await self._send({"type": "websocket.send", "text": message.decode()})
        except TimeoutError:
            self._end(1013, "Reader too slow")
            await asyncio.Event().wait()  # until `run` cancels us
