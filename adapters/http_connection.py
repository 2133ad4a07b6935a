"""One kept-alive HTTP/1.1 connection: a request out, exactly one reply in (RFC 9112), parsed by llhttp.

A reply counts only when it is complete. Whatever is otherwise (cut, framed twice, framed unknown, too long, followed by
what nobody asked for) fails, or at least never shares its connection with a later request.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

import httptools

from adapters.egress import Reply
from adapters.errors import Reason
from adapters.http_decoding import Body, NotDecodable, Plain, TooLarge, body_of

_MOST_HEAD: Final = 32 * 1024  # bytes of all that is no body: heads, interim answers, trailers, chunk extensions
_FRAMING: Final = 8  # bytes of framing a byte of body may bring: a chunk of one has 5 or more
_MOST_FIELDS: Final = 128
_JOIN_UP_TO: Final = 1 << 16  # a body that small is copied behind its head: one write

Fault = tuple[Reason, str]
NOT_HTTP: Final[Fault] = (Reason.DOWN, "not an HTTP answer")
LOST: Final[Fault] = (Reason.DOWN, "the connection was lost")
SILENT: Final[Fault] = (Reason.TIMEOUT, "no connection or no data in time")
LATE: Final[Fault] = (Reason.TIMEOUT, "the deadline passed")
TLS: Final[Fault] = (Reason.DOWN, "TLS failed")


class Unheard(Exception):
    """The other side closed the connection before a byte of the reply came; it may never have seen the request."""


class Failure(Exception):
    """No reply. `fault` is the reason and a text without anything of the request."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault


class Waiting(Protocol):
    """Whoever waits for a reply: a future, or what does as one. It must not raise."""

    def done(self) -> bool: ...

    def set_result(self, reply: Reply, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None:
        """A Failure or Unheard."""
        ...


class Connection(asyncio.Protocol):
    """`free` is called once when a reply is complete, with whether the connection can be used again; `lost` when it is
    gone. One request at a time."""

    def __init__(self, cap: int, free: Callable[[Connection, bool], None], lost: Callable[[Connection], None]) -> None:
        self._cap, self._free, self._lost = cap, free, lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._time = asyncio.get_running_loop().time
        self._waiting: Waiting | None = None
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body: Body | None = None
        self._fed = self._in_body = self._fields = 0
        self._head_only = self._in_head = self._complete = self._until_close = self._surplus = self._keep = False
        self._fault: Fault | None = None
        self._poll: select.poll | None = None
        self.uses = 0
        self.deadline = self.last_heard = self.idle_since = 0.0

    # what the channel does

    def ask(
        self,
        head: bytes,
        body: bytes | None,
        waiting: Waiting,
        deadline: float,
        now: float,
        *,
        head_only: bool,
    ) -> None:
        """Send a request; `waiting` gets the Reply, Failure or Unheard."""
        transport = self._transport
        self._waiting, self.deadline, self.last_heard, self._head_only = waiting, deadline, now, head_only
        self._fed = self._in_body = 0
        self._complete = self._until_close = self._surplus = False
        self._in_head = True
        self.uses += 1
        if transport is None or transport.is_closing():
            self._end(Unheard())
        elif not body:
            transport.write(head)
        elif len(body) <= _JOIN_UP_TO:
            transport.write(head + body)
        else:
            transport.writelines((head, body))

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def quiet(self) -> bool:
        """Whether nothing lies unread in the kernel: an answer nobody asked for would be taken for that of the next request.
        To be asked of a usable connection, right before `ask`. It shows an end nobody has seen yet, too."""
        if self._poll is None:
            if self._transport is None:
                return False
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def asked_by(self, waiting: Waiting) -> bool:
        """Whether what comes now is for `waiting`; no longer, once its reply was complete."""
        return self._waiting is waiting

    def fail(self, fault: Fault) -> None:
        """Give up on the reply and hang up."""
        self._end(Failure(fault))
        self.hang_up()

    def hang_up(self) -> None:
        """At once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """In good order: an idle connection."""
        if self._transport is not None:
            self._transport.close()

    # what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.hang_up()  # nobody asked: what comes now could be taken for the next reply
            return
        self.last_heard = self._time()
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._complete:
                self._fault = self._fault or NOT_HTTP
            self._surplus = True
        if self._fault is not None:
            fault, self._fault = self._fault, None
            self.fail(fault)
        elif self._complete:
            self._deliver()
        elif self._fed - self._in_body > _MOST_HEAD + _FRAMING * self._in_body:
            self.fail(NOT_HTTP)

    def eof_received(self) -> None:
        if self._waiting is None:
            return
        if self._until_close and not self._in_head:
            self._surplus = True
            self._deliver()
        else:
            self._end(Failure(LOST) if self._fed else Unheard())

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ssl.SSLError):
            self._end(Failure(TLS))
        else:
            self._end(Failure(LOST) if self._fed else Unheard())
        self._transport = None
        self._lost(self)

    # what the parser says

    def on_message_begin(self) -> None:
        if self._complete:
            self._surplus = True
            return
        self._headers, self._fields, self._in_head = {}, 0, True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._complete or not self._in_head:  # a trailer: nothing we use may come so late
            return
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            self._fault = NOT_HTTP
            return
        low, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape").strip()
        if low in self._headers:  # a repeated header is one, joined by a comma (RFC 9110, section 5.3)
            text = f"{self._headers[low]}, {text}"
        self._headers[low] = text

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        self._in_head = False
        status = self._status = self._parser.get_status_code()
        self._keep = self._parser.should_keep_alive()
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0") or not 100 <= status <= 599 or status == 101:
            self._fault = NOT_HTTP
            return
        if status < 200:
            return
        headers = self._headers
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if length is not None and not (length.isascii() and length.isdigit() and len(length) <= 19):
            self._fault = NOT_HTTP
        elif coding is not None and (length is not None or coding.lower() != "chunked" or version == "1.0"):
            self._fault = NOT_HTTP  # framed in two ways, or in one we do not speak: where it ends is anybody's guess
        elif self._head_only or status in (204, 304):
            self._body = Plain(self._cap)
            if self._head_only:
                self._complete = self._surplus = True  # the parser would wait for a body that never comes
            elif status == 204 and (coding is not None or length not in (None, "0")):
                self._surplus = True  # it may follow all the same, and be taken for the next reply
        elif length is not None and int(length) > self._cap:
            self._fault = _too_large(self._cap)
        else:
            self._until_close = length is None and coding is None
            self._body = body_of(headers.get("content-encoding", ""), self._cap)
            if self._body is None:
                self._fault = NOT_HTTP

    def on_body(self, piece: bytes) -> None:
        if self._fault is not None or self._complete or self._body is None:
            return
        self._in_body += len(piece)
        try:
            self._body.feed(piece)
        except TooLarge:
            self._fault = _too_large(self._cap)
        except NotDecodable:
            self._fault = NOT_HTTP

    def on_message_complete(self) -> None:
        if self._status >= 200 and not self._in_head:
            self._complete = True

    # how it ends

    def _deliver(self) -> None:
        body = self._body
        try:
            reply = Reply(self._status, self._headers, body.whole() if body is not None else b"")
        except NotDecodable:
            self.fail(NOT_HTTP)
            return
        transport = self._transport
        again = (
            not self._surplus
            and not self._until_close
            and transport is not None
            and not transport.is_closing()
            and self._keep
            and not transport.get_write_buffer_size()
        )
        waiting, self._waiting = self._waiting, None
        self._body, self._headers = None, {}
        self._free(self, again)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _end(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, None
        self._body = None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)


def _too_large(cap: int) -> Fault:
    return Reason.TOO_LARGE, f"more than {cap} bytes"
