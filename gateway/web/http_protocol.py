"""uvicorn's HTTP protocol with the bounds it lacks: header size and time, connections, what may follow a refusal."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.web.gate import Gate
from gateway.web.problems import body, status_of
from gateway.web.settings import WebSettings

_LINGER_S = 1.0
_PER_HEADER = 32  # many small headers cost more than their bytes


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. `settings` and `gate` are set on a subclass by `bounded`; httptools itself would collect headers for
    ever."""

    settings = WebSettings()
    gate: Gate | None = None

    _in_headers = True
    _size = 0
    _unread = 0
    _followed = 0
    _lingering = False
    _refusal = "BAD_HTTP"
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.settings.connections:
            self._close_with("OVERLOADED")
        else:
            self._wait(self.settings.header_s, "HEADERS_TIMEOUT")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._lingering:
            self._followed += len(data)
            if self._followed > self.settings.body_bytes:
                self.transport.close()
            return
        if self._in_headers:
            self._unread += len(data)
        super().data_received(data)
        # A header that never ends stays inside the parser, unseen: what came in for it is counted here.
        if self._in_headers and not self._lingering and self._unread > self.settings.header_bytes:
            self._close_with("HEADERS_TOO_LARGE")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._size = self._followed = 0
        self._wait(self.settings.header_s, "HEADERS_TIMEOUT")

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value) + _PER_HEADER)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers, self._unread = False, 0
        self._stop_waiting()
        super().on_headers_complete()
        if self.gate is not None and self.gate.closing and self.cycle is not None:
            self.cycle.keep_alive = False  # told with its answer, so that the next request goes elsewhere

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle is not None and self.cycle.response_complete:
            # Refused already. Reading on for a while lets the client see why; a reset would hide it.
            self._followed += len(body)
            if self._followed > self.settings.body_bytes:
                self.transport.close()

    def on_message_complete(self) -> None:
        self._in_headers = True
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.cycle is not None and self.cycle.more_body:
            self._wait(self.settings.body_s, "")
        super().on_response_complete()

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


def bounded(settings: WebSettings, gate: Gate | None = None) -> type[Any]:
    """The protocol class for uvicorn's `http` setting, with these bounds."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"settings": settings, "gate": gate})
