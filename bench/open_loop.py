"""Load on raw connections, cheap enough to offer several times what a gateway can bear from the same small machine.

A closed loop asks again as soon as it has its answer, so it slows down with whom it asks. An open loop asks on a schedule
that was made before and does not listen: what is late is late from the moment it was due, not from the moment it was sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import urlsplit

import httptools

_TICK_S = 0.001
MOST_CONNECTIONS = 2_000
MOST_REQUESTS = 200_000  # in one phase


@dataclass(slots=True)
class Ask:
    """One request's life, in seconds of the monotonic clock. `status` 0: no answer (late, reset, or never sent)."""

    due: float
    seen: float = 0.0  # when the generator came to it; well after `due` where the generator itself has no time
    sent: float = 0.0  # later than that where every connection was taken
    done: float = 0.0
    status: int = 0
    right: bool = False
    retry_after: bool = False
    over: bool = False

    @property
    def waited_ms(self) -> float:
        """From when it was due."""
        return (self.done - self.due) * 1000

    @property
    def took_ms(self) -> float:
        """From when it was sent."""
        return (self.done - self.sent) * 1000


@dataclass(frozen=True, slots=True)
class Target:
    """Where one question goes; `least` is how long a right answer's body is at least."""

    host: str
    port: int
    path: str
    body: bytes
    least: int
    headers: Callable[[], Mapping[str, str]]

    @classmethod
    def of(cls, url: str, body: bytes, least: int, headers: Callable[[], Mapping[str, str]]) -> Target:
        at = urlsplit(url)
        return cls(at.hostname or "", at.port or 80, at.path, body, least, headers)

    def signed(self, count: int) -> Target:
        """The same target with the headers of `count` requests made now."""
        made = [self.headers() for _ in range(count)]
        return replace(self, headers=lambda: made.pop() if made else self.headers())

    def head(self) -> bytes:
        """Of one request; signs a proof where the contender wants one."""
        own = "".join(f"{name}: {value}\r\n" for name, value in self.headers().items())
        return (
            f"POST {self.path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\ncontent-type: application/json\r\n"
            f"accept: application/json\r\n{own}content-length: {len(self.body)}\r\n\r\n"
        ).encode("latin-1")

    def heads(self, count: int) -> Iterator[bytes]:
        """`count` made now, before the clock runs, and more while it runs where they do not suffice."""
        made = [self.head() for _ in range(count)]
        while True:
            yield made.pop() if made else self.head()


class Line(asyncio.Protocol):
    """One keep-alive connection with at most one request on it."""

    def __init__(self, target: Target, free: Callable[[Line], None], gone: Callable[[Line], None]) -> None:
        self._target, self._free, self._gone = target, free, gone
        self._ask: Ask | None = None
        self._first: bytes | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._ask is not None and self._first is not None:
            if self._ask.over:  # its patience ended before there was a connection
                self.abort()
            else:
                self.send(self._ask, self._first)

    def reserve(self, ask: Ask, head: bytes) -> None:
        """What to send once it is connected."""
        self._ask, self._first = ask, head

    def send(self, ask: Ask, head: bytes) -> None:
        assert self._transport is not None
        self._ask, self._first = ask, None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._retry = self._close = False
        ask.sent = time.perf_counter()
        self._transport.writelines([head, self._target.body])

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"retry-after":
            self._retry = True
        elif lower == b"connection" and value.lower() == b"close":
            self._close = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        ask = self._ask
        if ask is None:
            return
        self._ask = None
        status = self._parser.get_status_code()
        if not ask.over:
            body = b"".join(self._body)
            ask.over, ask.done, ask.status, ask.retry_after = True, time.perf_counter(), status, self._retry
            ask.right = status == 200 and len(body) >= self._target.least and b'"errors"' not in body
        if self._close:
            self.abort()
        else:
            self._free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        ask, self._ask = self._ask, None
        if ask is not None and not ask.over:
            ask.over, ask.done = True, time.perf_counter()
        self._gone(self)


class _Lines:
    """Connections of one phase, bounded in number."""

    def __init__(self, target: Target, most: int) -> None:
        self._target, self._most = target, most
        self._idle: list[Line] = []
        self._open: set[Line] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._of: dict[int, Line] = {}
        self.waiting: deque[tuple[Ask, bytes]] = deque()
        self.on_free: Callable[[], None] | None = None

    def take(self, ask: Ask, head: bytes) -> bool:
        """Whether there was a connection for it, or one is being opened."""
        while self._idle:
            line = self._idle.pop()
            if line in self._open:
                self._of[id(ask)] = line
                line.send(ask, head)
                return True
        if len(self._open) >= self._most:
            return False
        line = Line(self._target, self._freed, self._lost)
        line.reserve(ask, head)
        self._open.add(line)
        self._of[id(ask)] = line
        task = asyncio.get_running_loop().create_task(self._connect(line, ask))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    def give_up(self, ask: Ask) -> None:
        """The one who asked has gone; so has the connection."""
        line = self._of.pop(id(ask), None)
        if line is not None:
            line.abort()

    def forget(self, ask: Ask) -> None:
        self._of.pop(id(ask), None)

    async def close(self) -> None:
        for task in list(self._opening):
            task.cancel()
        for line in list(self._open):
            line.abort()
        await asyncio.sleep(0)

    async def _connect(self, line: Line, ask: Ask) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: line, self._target.host, self._target.port)
        except OSError:
            if not ask.over:
                ask.over, ask.done = True, time.perf_counter()
            self._lost(line)

    def _freed(self, line: Line) -> None:
        while self.waiting:
            ask, head = self.waiting.popleft()
            if not ask.over:
                self._of[id(ask)] = line
                line.send(ask, head)
                return
        self._idle.append(line)
        if self.on_free is not None:
            self.on_free()

    def _lost(self, line: Line) -> None:
        self._open.discard(line)
        if self.on_free is not None:
            self.on_free()


async def closed_loop(target: Target, connections: int, seconds: float, prepared: int = 0) -> list[Ask]:
    """Everything asked in `seconds` by so many who wait for each answer; what is then still out is not counted."""
    heads, lines = target.heads(min(prepared, MOST_REQUESTS)), _Lines(target, connections)
    asked: list[Ask] = []
    ends = time.perf_counter() + seconds
    in_flight: list[Ask] = []

    def fill() -> None:
        in_flight[:] = [one for one in in_flight if not one.over]
        while len(in_flight) < connections and time.perf_counter() < ends and len(asked) < MOST_REQUESTS:
            ask = Ask(time.perf_counter())
            if not lines.take(ask, next(heads)):
                return
            asked.append(ask)
            in_flight.append(ask)

    lines.on_free = fill
    fill()
    await asyncio.sleep(max(0.0, ends - time.perf_counter()))
    await lines.close()
    return [one for one in asked if one.over and one.status]


async def open_loop(
    target: Target, rate_per_s: float, seconds: float, patience_s: float, *, most: int = MOST_CONNECTIONS
) -> list[Ask]:
    """`rate_per_s * seconds` requests, evenly spaced; whoever has no answer `patience_s` after it was due hangs up.

    Nobody is waited for: it returns when the last arrival was due, and what is out then is left in the list as it is,
    answered or given up while the caller goes on for up to `patience_s`.
    """
    count = min(MOST_REQUESTS, max(1, int(rate_per_s * seconds)))
    heads, lines = target.heads(count), _Lines(target, most)
    first_head = next(heads)
    start = time.perf_counter() + 0.005
    asked = [Ask(start + number / rate_per_s) for number in range(count)]
    at = given_up = 0
    while at < count:
        now = time.perf_counter()
        while at < count and asked[at].due <= now:
            asked[at].seen = now
            head = first_head if at == 0 else next(heads)
            if not lines.take(asked[at], head):
                lines.waiting.append((asked[at], head))
            at += 1
        given_up = _hang_up(asked, given_up, at, now - patience_s, lines)
        await asyncio.sleep(_TICK_S)
    asyncio.get_running_loop().create_task(_see_out(asked, given_up, patience_s, lines))
    return asked


async def _see_out(asked: Sequence[Ask], given_up: int, patience_s: float, lines: _Lines) -> None:
    while given_up < len(asked):
        given_up = _hang_up(asked, given_up, len(asked), time.perf_counter() - patience_s, lines)
        await asyncio.sleep(0.02)
    await lines.close()


def _hang_up(asked: Sequence[Ask], at: int, until: int, before: float, lines: _Lines) -> int:
    """Those due before `before` without an answer; returns where the next look begins."""
    while at < until and asked[at].due <= before:
        ask = asked[at]
        if ask.over:
            lines.forget(ask)
        else:
            ask.over, ask.done = True, time.perf_counter()
            lines.give_up(ask)
        at += 1
    return at
