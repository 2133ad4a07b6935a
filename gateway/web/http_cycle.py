"""One request on a connection and its answer: uvicorn's, with a shorter way for what is whole at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class Cycle(RequestResponseCycle):
    """`receive` and `send` of ASGI, and beside them `whole_body` and `send_whole` for whoever knows of them.

    A body that came in with its headers is handed over as the bytes that were read; an answer whose length is known is
    written once, head and body.
    """

    def __init__(
        self,
        scope: Any,
        transport: asyncio.Transport,
        flow: FlowControl,
        logger: Any,
        default_headers: list[tuple[bytes, bytes]],
        expect_100_continue: bool,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        # uvicorn's own is told each by its name, and of an access log that we never write.
        self.scope = scope
        self.transport = transport
        self.flow = flow
        self.logger = logger
        self.access_log = False
        self.default_headers = default_headers
        self.message_event = asyncio.Event()
        self.on_response = on_response
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expect_100_continue
        self.body = b""  # type: ignore[assignment]  # never more than a connection is read ahead
        self.more_body = True
        self.response_started = self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0
        self.arrived = time.perf_counter()

    async def send(self, message: Any) -> None:
        if self.waiting_for_100_continue and self.more_body and not self.response_started:
            # The client asked whether to send its body, and hears the answer instead: it may send it now or not. What came
            # next on this connection could be either, so nothing may (RFC 9110, section 10.1.1).
            self.keep_alive = False
        await super().send(message)

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""  # type: ignore[assignment]
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def whole_body(self) -> bytes | None:
        """The body, where all of it has come and nobody has had any; `receive` then waits for the client to leave."""
        if self.more_body or self.disconnected or not self.message_event.is_set():
            return None
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = self.body, b""  # type: ignore[assignment]
        return body  # type: ignore[return-value]

    def send_whole(self, head: bytes, rest: bytes, body: bytes) -> bool:
        """Write status line and headers (`head`), more of them (`rest`, with the empty line) and the body at once.

        False, and nothing is sent, where it has to take the long way: a slow reader, HEAD, a body still to
        come that was asked about, an end of the connection.
        """
        if (
            self.response_started
            or (self.waiting_for_100_continue and self.more_body)
            or self.disconnected
            or self.flow.write_paused
            or not self.keep_alive
            or self.scope["method"] == "HEAD"
        ):
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.writelines((head + lines(tuple(self.default_headers)) + rest, body))
        self.message_event.set()
        self.on_response()
        return True


@lru_cache(maxsize=4)
def lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Headers as they are written; the server's own change once a second."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)
