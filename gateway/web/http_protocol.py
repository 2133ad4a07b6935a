"""uvicorn's HTTP protocol with the bounds it lacks: header size and time, connections, what may follow a refusal."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.web.gate import LOG, UNGATED, Gate
from gateway.web.http_cycle import Cycle, lines
from gateway.web.problems import ALWAYS_SENT, JSON, body, status_of
from gateway.web.settings import WebSettings

_LINGER_S = 1.0
_PER_HEADER = 32  # many small headers cost more than their bytes
_MOST_BEHIND = 64  # requests that may wait behind one that is being answered; one read holds thousands


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. `settings` and `gate` are set on a subclass by `bounded`; httptools itself would collect headers for
    ever.

    What uvicorn does once a header or once a request is done here, and not called: three timers and a task's worth of
    calls were half of a small answer's cost.
    """

    settings = WebSettings()
    gate: Gate | None = None

    cycle: Any
    _in_headers = True
    _in_message = False
    _upgrading = False
    _size = 0
    _unread = 0
    _followed = 0
    _lingering = False
    _refusal = "BAD_HTTP"
    _timer: asyncio.TimerHandle | None = None
    _idle_since = 0.0
    _requests = 0
    _running: Any = None
    """The cycle whose answer is due; `cycle` is the one that is being read, which may wait behind it."""
    _behind = 0  # bytes of bodies that wait so
    _ended = False  # what comes now is not looked at: the one before is its connection's last, and its answer says so

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.settings.connections:
            self._close_with("OVERLOADED")
        else:
            self._wait(self.settings.header_s, "HEADERS_TIMEOUT")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        running = self._running
        if running is not None and not running.response_complete:
            # uvicorn tells only the one that is being read: a stream with another request behind it went on for ever.
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        ended = self._ended  # which the parser changes
        if ended or self.transport.is_closing():
            return
        if self._lingering:
            self._followed += len(data)
            if self._followed > self.settings.body_bytes:
                self.transport.close()
            return
        if self._in_headers:
            self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._ended:
                return
            if self._should_upgrade():
                if self._running is not None and not self._running.response_complete:
                    self.transport.close()  # an answer that is still due would be written into the socket's frames
                    return
                self._stop_waiting()
                self._unset_keepalive_if_required()
                self.handle_websocket_upgrade()
            else:
                self._unsupported_upgrade_warning()
            return
        except httptools.HttpParserError:
            if not self._ended:
                self._close_with(self._refusal)
            return
        if self._ended:
            return
        if self._in_headers:
            # A header that never ends stays inside the parser, unseen: what came in for it is counted here.
            if self._unread > self.settings.header_bytes:
                self._close_with("HEADERS_TOO_LARGE")
            elif self._in_message and self._timer is None:
                self._wait(self.settings.header_s, "HEADERS_TIMEOUT")
        elif self.cycle is not None and self.cycle.response_complete and self._timer is None:
            self._wait(self.settings.body_s, "")  # answered before it was sent in full

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []  # a new list: the one before has its own
        before = self.cycle
        if before is not None and not before.keep_alive:
            self._ended = True
            return
        self._in_message = True
        self._idle_since = 0.0
        self._size = self._followed = 0

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value) + _PER_HEADER
        if self._size > self.settings.header_bytes:
            self._grow(0)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._ended:
            return
        self._in_headers, self._unread = False, 0
        self._stop_waiting()
        parser = self.parser
        version = parser.get_http_version()
        self._upgrading = parser.should_upgrade() and self._should_upgrade()
        if self._upgrading:
            self.scope = self._scope(version)
            return
        # What was asked to become another protocol and does not: the parser drops what it read behind such a request.
        keep_alive = version != "1.0" and parser.should_keep_alive() and not parser.should_upgrade()
        before = self.cycle
        free = before is None or before.response_complete
        gate = self.gate
        if gate is not None:
            if gate.closing or gate.retiring:
                keep_alive = False  # told with its answer, so that the next request goes elsewhere
            elif free and keep_alive and gate.full and self._shed(gate):
                return  # before anything is made for it
            elif self.settings.connection_requests is not None:
                self._requests += 1
                keep_alive = keep_alive and self._requests < self.settings.connection_requests
        self.scope = self._scope(version)
        cycle = self.cycle = Cycle(
            self.scope,
            self.transport,
            self.flow,
            self.logger,
            self.server_state.default_headers,
            self.expect_100_continue,
            keep_alive,
            self.on_response_complete,
        )
        if free:
            self._running = cycle
            self._start_asgi_task(cycle, self.app)
        else:  # it was sent in one breath with the one before, and waits for that one's answer
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
            if len(self.pipeline) >= _MOST_BEHIND:
                cycle.keep_alive = False

    def _scope(self, version: str) -> Any:
        """What ASGI calls a request. Raises httptools' error for what is no address."""
        url = self.url
        path, raw_path, query = _KNOWN.get(url) or _parsed(url)
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": self.parser.get_method().decode("ascii"),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
        }

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if self._upgrading or self._ended:
            return
        if cycle is not self._running and self.pipeline:
            self._behind += len(body)
            if self._behind > self.settings.body_bytes:
                self.transport.close()
        if cycle.response_complete:
            # Refused already. Reading on for a while lets the client see why; a reset would hide it.
            self._followed += len(body)
            if self._followed > self.settings.body_bytes:
                self.transport.close()
            return
        cycle.body = cycle.body + body if cycle.body else body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._ended:
            return
        self._in_headers, self._in_message = True, False
        self._stop_waiting()
        cycle = self.cycle
        if self._upgrading or cycle.response_complete:
            return
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        if self._in_message and not self._in_headers and self.cycle.response_complete:
            self._wait(self.settings.body_s, "")  # what is left of the request has that long to come
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
            return
        self._behind = 0
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._look_idle)

    def _look_idle(self) -> None:
        """Close a connection nobody uses. One timer looks again and again: a new one each request costs more than it."""
        self.timeout_keep_alive_task = None
        if self.transport.is_closing():
            return
        now = self.loop.time()
        since = self._idle_since or now
        left = since + self.timeout_keep_alive - now
        if left <= 0.005 and self._idle_since and not self._in_message:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(max(0.01, left), self._look_idle)

    def _shed(self, gate: Gate) -> bool:
        """Refuse at once, before there is a task, a caller or a body; False for those who are let in all the same."""
        if self.url in UNGATED or self.expect_100_continue or self.flow.write_paused:
            return False  # who does not read is not written to without end
        if gate.reader_fits and self.url.startswith(_LOG):
            return False
        method = self.parser.get_method().decode("ascii")
        gate.turn_back(method)
        self.cycle = _REFUSED
        head, content = _overloaded(self.settings.retry_after_s, lines(tuple(self.server_state.default_headers)))
        self.transport.write(head if method == "HEAD" else head + content)
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._look_idle)
        return True

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what is no HTTP, and ours to what `_grow` refused."""
        self._close_with(self._refusal)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self.settings.header_bytes:
            self._refusal = "HEADERS_TOO_LARGE"
            raise _TooLarge  # the parser hands it on as a protocol error

    def _wait(self, seconds: float, code: str) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._close_with, code)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_with(self, code: str) -> None:
        """Answer `code`, where nothing else is being answered, and close."""
        self._stop_waiting()
        answering = self.cycle is not None and not self.cycle.response_complete
        if code and not answering and not self.transport.is_closing():
            content, status = body(code), status_of(code)
            self.transport.write(
                b"HTTP/1.1 %d %b\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n"
                b"cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n%b"
                % (status, HTTPStatus(status).phrase.encode(), len(content), content)
            )
            if self.transport.can_write_eof():
                # Closed with input unread, the kernel would reset the connection and the answer might never be seen.
                self._lingering = True
                self.transport.write_eof()
                self._timer = self.loop.call_later(_LINGER_S, self.transport.close)
                return
        self.transport.close()


class _TooLarge(Exception):
    """The headers passed their bound."""


class _Refused:
    """Stands where a request's cycle would: it is answered, and whatever still comes of it is passed over."""

    response_complete = True
    more_body = False
    keep_alive = True

    def __init__(self) -> None:
        self.message_event = asyncio.Event()


_REFUSED = _Refused()
_LOG = LOG.encode()
_KNOWN = {url: (url.decode(), url, b"") for url in (b"/graphql", b"/livez", b"/readyz", b"/metrics")}


def _parsed(url: bytes) -> tuple[str, bytes, bytes]:
    """Path as text, as it was sent, and query string. Raises httptools' error for what is no address."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


@lru_cache(maxsize=4)
def _overloaded(retry_after_s: int, server: bytes) -> tuple[bytes, bytes]:
    """A 503, and its body. It has no request id: no line of the log is its own."""
    content = body("OVERLOADED")
    head = b"HTTP/1.1 503 Service Unavailable\r\n%bcontent-type: %b\r\ncontent-length: %d\r\nretry-after: %d\r\n%b\r\n" % (
        server, JSON, len(content), retry_after_s, lines(ALWAYS_SENT),
    )  # fmt: skip
    return head, content


def bounded(settings: WebSettings, gate: Gate | None = None) -> type[Any]:
    """The protocol class for uvicorn's `http` setting, with these bounds."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"settings": settings, "gate": gate})
