"""The `send` of one request: adds the headers every answer has, and remembers what left."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from http import HTTPStatus

from starlette.types import Message, Send

from gateway.web.http_cycle import Cycle, lines
from gateway.web.problems import ALWAYS_SENT

_ALWAYS, _UNLESS_SAID = ALWAYS_SENT[:3], ALWAYS_SENT[3:]
# What uvicorn holds every header to; here once for all answers that are alike.
_BAD_NAME = re.compile(b'[\x00-\x1f\x7f()<>@,;:\\[\\]={} \t\\\\"]')
_BAD_VALUE = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")
_NO_BODY = frozenset({204, 304})
_OTHERWISE = frozenset({b"connection", b"transfer-encoding", b"content-length"})

Header = tuple[bytes, bytes]


class Sent:
    """An ASGI `send`, and `whole` beside it for an answer that is there from its head to its end."""

    __slots__ = ("_cycle", "_send", "bytes", "request_id", "status")

    def __init__(self, send: Send, cycle: Cycle | None) -> None:
        self._send, self._cycle = send, cycle
        self.request_id = os.urandom(8).hex()
        self.status = self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            headers += _ALWAYS
            headers.append((b"x-request-id", self.request_id.encode()))
            headers += [header for header in _UNLESS_SAID if header[0] not in names]
            message = {**message, "headers": headers}
        else:
            self.bytes += len(message.get("body", b""))
        await self._send(message)

    def whole(self, status: int, headers: list[Header], body: bytes) -> bool:
        """Send everything now, if that can be; False where it has to be sent as messages, and nothing was.

        `headers` are a Reply's: the type and the length come first.
        """
        cycle = self._cycle
        if cycle is None or status in _NO_BODY or headers[1][0] != b"content-length":
            return False
        head = _head(status, headers[0], *headers[2:])
        if head is None or not cycle.send_whole(
            head,
            b"content-length: %d\r\nx-request-id: %b\r\n\r\n" % (len(body), self.request_id.encode()),
            body,
        ):
            return False
        self.status, self.bytes = status, len(body)
        return True


@lru_cache(maxsize=64)
def _head(status: int, *headers: Header) -> bytes | None:
    """Status line and headers, as far as they do not change; None for what only uvicorn itself should say."""
    names = {name.lower() for name, _ in headers}
    if names & _OTHERWISE or any(_BAD_NAME.search(name) or _BAD_VALUE.search(value) for name, value in headers):
        return None
    said = (*headers, *_ALWAYS, *(header for header in _UNLESS_SAID if header[0] not in names))
    return b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode()) + lines(said)
