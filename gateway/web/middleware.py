"""What every request passes first and last: the gate, the time limit, its id, its headers, its line in the log."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.access_lines import AccessLines
from gateway.web.body import ClientGone
from gateway.web.gate import LOG, UNGATED, Gate
from gateway.web.http_cycle import Cycle
from gateway.web.metrics import PrometheusMetrics
from gateway.web.problems import Reply, code_of, problem, problem_of, status_of
from gateway.web.sent import Sent
from gateway.web.settings import WebSettings
from gateway.web.time_limit import TimeLimits

_log = structlog.get_logger("yimen.access")
_UNGATED = frozenset(url.decode() for url in UNGATED)


class Front:
    """The outermost layer, one for all: a chain of small ones would cost a send wrapper each on every message.

    `direct`: path -> application, for what is asked so often that the router is passed by; it says no more than the path.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: WebSettings,
        gate: Gate,
        metrics: PrometheusMetrics,
        direct: Mapping[str, ASGIApp] | None = None,
    ) -> None:
        self._app, self._settings, self._gate, self._metrics = app, settings, gate, metrics
        self._direct = direct or {}
        self._hosts = frozenset(host.lower().encode() for host in settings.allowed_hosts)
        self._origins = frozenset(origin.lower().encode() for origin in settings.cors_origins)
        self._limits = TimeLimits(settings.request_s)
        self._lines = AccessLines(metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(send, "__self__", None)
        if type(cycle) is not Cycle:
            cycle, began = None, time.perf_counter()
        else:
            began = cycle.arrived
            if cycle.disconnected:
                return  # it waited for the answer before it, and nobody waits for its own
        sent = Sent(send, cycle)
        scope["yimen.request_id"] = sent.request_id
        path: str = scope["path"]
        gate = self._gate
        gated = path not in _UNGATED
        app = self._direct.get(path)
        kind = "request" if app is not None or not path.startswith(LOG) else "reader"
        code = (gate.refusal(kind) if gated else None) or self._host_refusal(scope)
        if code is None and "\0" in path:
            code = "NOT_FOUND"  # PostgreSQL has no such text, and would seem to be out of order
        if code is not None:
            await problem(code, headers=self._retry(code))(scope, receive, sent)
            self._lines.note(_route(scope), scope["method"], sent, began)
            return
        if gated:
            gate.enter(kind)
            if cycle is None or cycle.more_body:
                receive = _Body(receive, gate)
        try:
            if gated and kind == "request" and cycle is not None and not cycle.more_body:
                await gate.their_turn()  # who is still sending waits for that, and takes no place
            await self._within_time(app or self._app, scope, receive, sent)
        except ClientGone:
            sent.status = sent.status or 499  # nobody reads it; the log does
        finally:
            if gated:
                gate.leave(kind)
            self._lines.note(_route(scope) if app is None else path, scope["method"], sent, began)

    async def _within_time(self, app: ASGIApp, scope: Scope, receive: Receive, sent: Sent) -> None:
        failure: Reply
        limit = scope["yimen.limit"] = self._limits.begin()  # a stream lifts it
        try:
            await app(scope, receive, sent)
        except ClientGone:
            raise
        except asyncio.CancelledError:
            if not limit.ran_out():
                raise
            failure = problem("TIME_LIMIT")
        except Exception as error:
            code = code_of(error)
            if code == "INTERNAL":
                _log.error("failed", request_id=sent.request_id, exc_info=error)
            failure = problem_of(error, sent.request_id)
            failure.headers += self._retry(code)
        else:
            return
        finally:
            limit.end()
            limit.ran_out()  # of no matter to an answer that is complete
        if sent.status:
            return  # the server cuts a connection whose answer has no end; half of one must not look whole
        await failure(scope, receive, sent)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = os.urandom(8).hex()
        scope["yimen.request_id"] = request_id
        code = self._refusal(scope, "stream") or self._origin_refusal(scope)
        if code is not None:
            await _refuse_socket(problem(code, headers=self._retry(code)), receive, send)
        else:
            self._gate.enter("stream")
            try:
                await self._app(scope, receive, send)
            except Exception as error:
                _log.error("failed", request_id=request_id, exc_info=error)
            finally:
                self._gate.leave("stream")
        ms = round((time.perf_counter() - began) * 1000, 2)
        _log.info("socket", route=_route(scope), refused=code, ms=ms, request_id=request_id)

    def _refusal(self, scope: Scope, kind: str) -> str | None:
        return self._gate.refusal(kind) or self._host_refusal(scope)

    def _host_refusal(self, scope: Scope) -> str | None:
        if b"*" in self._hosts:
            return None
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and hosts[0] in self._hosts:
            return None
        if len(hosts) != 1 or _without_port(hosts[0].lower()) not in self._hosts:
            return "HOST_NOT_ALLOWED"
        return None

    def _origin_refusal(self, scope: Scope) -> str | None:
        """A browser says which page opens a socket; pages of other sites may not. Programs send no Origin."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or origin.lower() in self._origins:
            return None
        host = origin.lower().partition(b"://")[2]
        return None if host and host == headers.get(b"host", b"").lower() else "ORIGIN_NOT_ALLOWED"

    def _retry(self, code: str) -> list[tuple[bytes, bytes]]:
        if status_of(code) != 503:
            return []
        return [(b"retry-after", b"%d" % self._settings.retry_after_s)]


class _Body:
    """The `receive` of one request: until its body is complete, whoever waits for more of it is not at work."""

    __slots__ = ("_complete", "_gate", "_receive")

    def __init__(self, receive: Receive, gate: Gate) -> None:
        self._receive, self._gate, self._complete = receive, gate, False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        self._gate.waiting += 1
        try:
            message = await self._receive()
        finally:
            self._gate.waiting -= 1
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message


def _route(scope: Scope) -> str:
    """The template of the matched route; Starlette leaves the route in the scope."""
    path: Any = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "-"


def _without_port(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    return name if colon and port.isdigit() else host


async def _refuse_socket(reply: Reply, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "websocket.http.response.body", "body": reply.body})
