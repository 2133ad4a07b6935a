"""What every request passes first and last: the gate, the time limit, its id, its headers, its line in the log."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.body import ClientGone
from gateway.web.gate import Gate
from gateway.web.metrics import PrometheusMetrics, method_label
from gateway.web.problems import Reply, code_of, problem, problem_of, status_of
from gateway.web.settings import WebSettings

_log = structlog.get_logger("yimen.access")
_POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNGATED = frozenset({"/livez", "/readyz", "/metrics"})  # those who watch must see most when it is full


class Front:
    """The outermost layer, one for all: a chain of small ones would cost a send wrapper each on every message."""

    def __init__(self, app: ASGIApp, *, settings: WebSettings, gate: Gate, metrics: PrometheusMetrics) -> None:
        self._app, self._settings, self._gate, self._metrics = app, settings, gate, metrics
        self._hosts = frozenset(host.lower().encode() for host in settings.allowed_hosts)
        self._origins = frozenset(origin.lower().encode() for origin in settings.cors_origins)
        self._bound: tuple[Any, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        sent = _Sent(send, os.urandom(8).hex())
        scope["yimen.request_id"] = sent.request_id
        gated = scope["path"] not in _UNGATED
        code = self._refusal(scope, "request") if gated else self._host_refusal(scope)
        if code is None and "\0" in scope["path"]:
            code = "NOT_FOUND"  # PostgreSQL has no such text, and would seem to be out of order
        if code is not None:
            await problem(code, headers=self._retry(code))(scope, receive, sent)
            self._note(scope, sent, began)
            return
        if gated:
            self._gate.enter("request")
            receive = _Body(receive, self._gate)
        try:
            await self._within_time(scope, receive, sent)
        except ClientGone:
            sent.status = sent.status or 499  # nobody reads it; the log does
        finally:
            if gated:
                self._gate.leave("request")
            self._note(scope, sent, began)

    async def _within_time(self, scope: Scope, receive: Receive, sent: _Sent) -> None:
        failure: Reply | None = None
        try:
            async with asyncio.timeout(self._settings.request_s) as limit:
                scope["yimen.limit"] = limit  # a stream lifts it
                await self._app(scope, receive, sent)
        except ClientGone:
            raise
        except Exception as error:
            late = isinstance(error, TimeoutError) and limit.expired()
            code = "TIME_LIMIT" if late else code_of(error)
            if code == "INTERNAL":
                _log.error("failed", request_id=sent.request_id, exc_info=error)
            failure = problem(code) if late else problem_of(error, sent.request_id)
            failure.headers += self._retry(code)
        if failure is not None:
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

    def _line(self) -> Any:
        """structlog would put its logger together anew for every line, as long as the configuration may change."""
        processors = structlog.get_config()["processors"]
        if self._bound is None or self._bound[0] is not processors:
            self._bound = processors, _log.bind().info
        return self._bound[1]

    def _refusal(self, scope: Scope, kind: str) -> str | None:
        return self._gate.refusal(kind) or self._host_refusal(scope)

    def _host_refusal(self, scope: Scope) -> str | None:
        if b"*" in self._hosts:
            return None
        hosts = [value for name, value in scope["headers"] if name == b"host"]
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

    def _note(self, scope: Scope, sent: _Sent, began: float) -> None:
        seconds = time.perf_counter() - began
        route = _route(scope)
        self._metrics.request(route, scope["method"], sent.status, seconds)
        # Never the path, never the query string: only what we wrote ourselves.
        self._line()(
            "request",
            method=method_label(scope["method"]),
            route=route,
            status=sent.status,
            ms=round(seconds * 1000, 2),
            bytes=sent.bytes,
            request_id=sent.request_id,
        )


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


class _Sent:
    """The `send` of one request: adds the headers every answer has, and remembers what left."""

    __slots__ = ("_send", "bytes", "request_id", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self.request_id = send, request_id
        self.status = self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            headers += _ALWAYS
            headers.append((b"x-request-id", self.request_id.encode()))
            if b"cache-control" not in names:
                headers.append((b"cache-control", b"no-store"))
            if b"content-security-policy" not in names:
                headers.append((b"content-security-policy", _POLICY))
            message = {**message, "headers": headers}
        else:
            self.bytes += len(message.get("body", b""))
        await self._send(message)


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
