"""The kept connections of one rule: who gets which, who waits, and who is late."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from adapters.egress import Reply, Rule
from adapters.errors import Reason
from adapters.http_connecting import connected
from adapters.http_connection import LATE, LOST, SILENT, TLS, Connection, Failure, Fault, Unheard
from adapters.http_exchange import Exchange
from adapters.http_head import Origin, request_head

CLOSED: Final[Fault] = (Reason.DOWN, "the channel is closed")
SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))  # may be sent anew where a kept connection was closed under it
_IDLE_S: Final = 15.0  # a connection unused for so long is closed


class Pool:
    """At most `rule.connections` at once, busy or idle; who comes when all are busy waits in line, until the deadline.

    One timer watches over all of them: it is set for the earliest that can be due, and looks around when it rings.
    """

    def __init__(self, rule: Rule, tls: ssl.SSLContext) -> None:
        self._rule, self._tls = rule, tls
        self._left = max(1, rule.connections)  # that may still be opened
        self._idle: dict[Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._origin_of: dict[Connection, Origin] = {}  # every connection that holds a place
        self._line: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._closed = False

    async def exchange(
        self,
        method: str,
        target: str,
        origin: Origin,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        deadline: float,
    ) -> Reply:
        """Raises Failure, NotAllowed."""
        method = method.upper()
        head = request_head(method, target, origin, headers, body)
        loop = asyncio.get_running_loop()
        connection = self._kept(origin, loop.time()) if not self._line else None
        while True:
            if connection is None:
                connection = await self._take(origin, deadline)
            now, waiting = loop.time(), loop.create_future()
            self._busy.add(connection)
            connection.ask(head, body, waiting, deadline, now, head_only=method == "HEAD")
            self._watch(min(deadline, now + self._rule.read_timeout_s), now)
            try:
                reply: Reply = await waiting
                return reply
            except Unheard:
                kept_before = connection.uses > 1
            except BaseException:
                if not waiting.cancelled() or connection.asked_by(waiting):  # else it may be another's by now
                    connection.hang_up()
                    self._forget(connection)
                raise
            connection.hang_up()
            self._forget(connection)
            if not kept_before or method not in SAFE:
                raise Failure(LOST) from None
            self._drop_idle(origin)  # they were closed as this one was: the second try goes over a fresh one
            connection = None

    def begin(
        self,
        method: str,
        target: str,
        origin: Origin,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        over: Callable[[Exchange], None],
    ) -> Exchange | None:
        """As `exchange`, where a kept connection is free for it; `over` is called with what came of it. Raises NotAllowed."""
        if self._line or self._closed:
            return None
        method = method.upper()
        head = request_head(method, target, origin, headers, body)
        now = asyncio.get_running_loop().time()
        connection = self._kept(origin, now)
        if connection is None:
            return None
        exchange = Exchange(method, connection, over, self._ended)
        self._busy.add(connection)
        try:
            connection.ask(head, body, exchange, deadline, now, head_only=method == "HEAD")
        except BaseException:
            exchange.cancel()  # whoever asks hears of it here, and of nothing later
            raise
        self._watch(min(deadline, now + self._rule.read_timeout_s), now)
        return exchange

    def _ended(self, exchange: Exchange) -> None:
        """Without a reply."""
        connection = exchange.connection
        origin = self._origin_of.get(connection)
        connection.hang_up()
        self._forget(connection)
        if origin is not None and exchange.method in SAFE and isinstance(exchange.error, Unheard):
            self._drop_idle(origin)  # they were closed as this one was: the second try goes over a fresh one

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._origin_of):
            if connection in self._busy:
                connection.fail(CLOSED)
            else:
                connection.close()
        self._origin_of.clear()
        self._idle.clear()
        self._busy.clear()
        while self._line:
            self._wake()

    async def _take(self, origin: Origin, deadline: float) -> Connection:
        """A connection of one's own, kept or fresh. Raises Failure."""
        loop = asyncio.get_running_loop()
        first = True
        while True:
            if self._closed:
                raise Failure(CLOSED)
            if not first or not self._line:
                if (kept := self._kept(origin, loop.time())) is not None:
                    return kept
                if self._left > 0 or self._gave_way():
                    self._left -= 1
                    return await self._connect(origin, deadline)
            place: asyncio.Future[None] = loop.create_future()
            (self._line.append if first else self._line.appendleft)(place)
            first = False
            timer = loop.call_at(deadline, _ring, place)
            try:
                await place
            except asyncio.CancelledError:
                self._leave(place)
                raise
            finally:
                timer.cancel()
            if loop.time() >= deadline:
                self._leave(place)
                raise Failure(LATE)

    def _leave(self, place: asyncio.Future[None]) -> None:
        """Out of the line; who was called already calls the next."""
        if place in self._line:
            self._line.remove(place)
        else:
            self._wake()

    async def _connect(self, origin: Origin, deadline: float) -> Connection:
        """The place is taken already; given back where no connection comes of it."""
        rule, loop = self._rule, asyncio.get_running_loop()
        fault: Fault
        patience_ends = loop.time() + rule.connect_timeout_s
        try:
            async with asyncio.timeout_at(min(deadline, patience_ends)):
                connection = await connected(
                    lambda: Connection(rule.max_response_bytes, self._free, self._forget),
                    origin.host,
                    origin.port,
                    self._tls if origin.secure else None,
                )
        except TimeoutError:
            fault = LATE if deadline <= patience_ends else SILENT
        except ssl.SSLCertVerificationError:
            fault = Reason.DOWN, "its TLS certificate is not trusted"
        except ssl.SSLError:
            fault = TLS
        except (OSError, UnicodeError):  # UnicodeError: a label no resolver takes
            fault = Reason.DOWN, "no connection"
        except BaseException:
            self._give_back()
            raise
        else:
            if self._closed:
                connection.hang_up()
                raise Failure(CLOSED)
            self._origin_of[connection] = origin
            return connection
        self._give_back()
        raise Failure(fault)

    def _kept(self, origin: Origin, now: float) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.idle_since < _IDLE_S and connection.quiet():
                return connection
            connection.close()
            self._forget(connection)
        return None

    def _gave_way(self) -> bool:
        """Whether an idle connection to elsewhere made room."""
        for idle in self._idle.values():
            if idle:
                connection = idle.pop()
                connection.close()
                self._forget(connection, wake=False)
                return True
        return False

    def _drop_idle(self, origin: Origin) -> None:
        for connection in self._idle.pop(origin, ()):
            connection.close()
            self._forget(connection)

    def _free(self, connection: Connection, again: bool) -> None:
        """A reply is complete."""
        self._busy.discard(connection)
        origin = self._origin_of.get(connection)
        if again and origin is not None:
            connection.idle_since = connection.last_heard
            self._idle.setdefault(origin, []).append(connection)
            if self._line:
                self._wake()
        else:
            connection.hang_up()
            self._forget(connection)

    def _forget(self, connection: Connection, *, wake: bool = True) -> None:
        """Its place is free; the second time changes nothing."""
        self._busy.discard(connection)
        origin = self._origin_of.pop(connection, None)
        if origin is None:
            return
        idle = self._idle.get(origin)
        if idle and connection in idle:
            idle.remove(connection)
        self._give_back(wake=wake)

    def _give_back(self, *, wake: bool = True) -> None:
        self._left += 1
        if wake:
            self._wake()

    def _wake(self) -> None:
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return

    def _watch(self, due: float, now: float) -> None:
        if self._timer is None or due < self._rings_at:
            if self._timer is not None:
                self._timer.cancel()
            self._rings_at = due
            self._timer = asyncio.get_running_loop().call_at(due, self._look_around)

    def _look_around(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time() + 0.001  # timers ring to the millisecond
        next_due = [now + _IDLE_S] if any(self._idle.values()) else []
        for connection in list(self._busy):
            silent_until = connection.last_heard + self._rule.read_timeout_s
            if connection.deadline <= now:
                connection.fail(LATE)
            elif silent_until <= now:
                connection.fail(SILENT)
            else:
                next_due.append(min(connection.deadline, silent_until))
        for idle in list(self._idle.values()):
            for connection in [one for one in idle if now - one.idle_since >= _IDLE_S]:
                connection.close()
                self._forget(connection)
        if next_due:
            self._watch(min(next_due), now)


def _ring(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)
