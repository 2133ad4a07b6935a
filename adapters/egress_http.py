"""The one HTTP client: a pool of kept connections per rule, no cookies, no proxy, no surprise redirects (ADR 0022)."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from yarl import URL

from adapters.egress import Channel, Reply, Rule
from adapters.egress_rules import Gate
from adapters.errors import Reason, SourceUnavailable
from adapters.http_connecting import connected
from adapters.http_connection import LATE, LOST, SILENT, TLS, Connection, Failure, Fault, Unheard
from adapters.http_exchange import Exchange
from adapters.http_head import NotAllowed, Origin, plain_target, request_head
from adapters.prompt import Begun, Heard

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_IDLE_S: Final = 15.0  # a pooled connection unused for so long is closed
_HARMLESS: Final = frozenset(("accept", "accept-language", "user-agent"))  # all another host:port sees of a request
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))  # may be sent anew where a kept connection was closed under it
_CLOSED: Final[Fault] = (Reason.DOWN, "the channel is closed")
_MOST_ORIGINS: Final = 64
_URL_CAP: Final = 16_384


class HttpEgress:
    """Opens channels that share nothing but the event loop; closes what is left open."""

    def __init__(self) -> None:
        self._channels: list[HttpChannel] = []

    def open(self, rule: Rule) -> Channel:
        """A channel under `rule`. Raises RuleInvalid for a host that is no host:port or TLS files that do not load."""
        self._channels = [channel for channel in self._channels if not channel.closed]
        channel = HttpChannel(rule)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            await channel.close()


class HttpChannel:
    """One source's way out; safe for concurrent use in one event loop."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._gate = Gate(rule)
        self._origins: dict[str, Origin] = {}  # by the text before the path: addresses the gate has admitted
        self._pool = _Pool(rule, self._gate.tls)
        self.closed = False

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        """The reply, whatever its status; see `adapters.egress.Channel`.

        A GET follows as many redirects as the rule says, all within the allow-list; another host:port sees none of our headers but
        the harmless ones. For other methods a redirect on the list is the reply; one off the list is BLOCKED for all.
        """
        origin, target = self._admit(url)
        if self.closed:
            raise self._failed(_CLOSED)
        deadline = asyncio.get_running_loop().time() + timeout_s
        fault: Fault
        try:
            reply = await self._pool.exchange(method, target, origin, headers, body, deadline)
            if reply.status in _REDIRECTS and "location" in reply.headers:
                reply = await self._redirected(reply, method, url, headers, body, deadline)
            return reply
        except Failure as failure:
            fault = failure.fault
        except NotAllowed:
            fault = Reason.BLOCKED, "a method or header that HTTP does not allow"
        raise self._failed(fault)  # outside the handler: no error of a socket hangs on ours as context

    def begin(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, heard: Heard
    ) -> Begun | None:
        """As `send`, over a connection that stands idle; see `adapters.prompt`."""
        try:
            origin, target = self._admit(url)
            deadline = asyncio.get_running_loop().time() + timeout_s
            return self._pool.begin(method, target, origin, headers, body, deadline, partial(self._heard, url, heard))
        except (SourceUnavailable, NotAllowed):
            return None  # `send` says it again, and whoever asks is waiting there

    def _heard(self, url: str, heard: Heard, exchange: Exchange) -> None:
        reply, error = exchange.reply, exchange.error
        if reply is None:
            # A kept connection was closed under us, and the request may be sent anew: the long way has done so at once.
            again = isinstance(error, Unheard) and exchange.method in _SAFE
            fault = error.fault if isinstance(error, Failure) else LOST
            heard(None if again else self._failed(fault))
        elif reply.status in _REDIRECTS and (location := reply.headers.get("location")) is not None:
            if exchange.method == "GET":
                heard(None)  # it is asked for anew there, and followed
                return
            try:
                self._gate.admit_redirect(self._gate.admit(url), location)
            except SourceUnavailable as blocked:
                heard(blocked)
            else:
                heard(reply)
        else:
            heard(reply)

    async def close(self) -> None:
        self.closed = True
        self._pool.close()

    def _admit(self, url: str) -> tuple[Origin, str]:
        """Raises SourceUnavailable(BLOCKED) before any socket opens."""
        end = url.find("/", 8)
        origin = self._origins.get(url[:end]) if end > 0 and len(url) <= _URL_CAP else None
        if origin is not None and (target := plain_target(url, end)) is not None:
            return origin, target
        parsed = self._gate.admit(url)
        origin = Origin.of(parsed)
        target = parsed.raw_path_qs
        plain = (
            end > 0 and url.isascii() and plain_target(url, end) == target
        )  # behind "https://host?" a path is no path
        if plain and len(self._origins) < _MOST_ORIGINS:
            self._origins[url[:end]] = origin
        return origin, target

    async def _redirected(
        self,
        reply: Reply,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        deadline: float,
    ) -> Reply:
        here, followed = self._gate.admit(url), 0
        while reply.status in _REDIRECTS and (location := reply.headers.get("location")) is not None:
            following: URL = self._gate.admit_redirect(here, location)
            if method.upper() != "GET":
                return reply
            followed += 1
            if followed > self._rule.redirects:
                raise self._failed((Reason.BLOCKED, f"more than {self._rule.redirects} redirects"))
            if following.origin() != here.origin():
                headers = {k: v for k, v in (headers or {}).items() if k.lower() in _HARMLESS}
                body = None
            here = following
            reply = await self._pool.exchange(method, here.raw_path_qs, Origin.of(here), headers, body, deadline)
        return reply

    def _failed(self, fault: Fault) -> SourceUnavailable:
        return SourceUnavailable(self._rule.name, *fault)


class _Pool:
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
            if not kept_before or method not in _SAFE:
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
        if origin is not None and exchange.method in _SAFE and isinstance(exchange.error, Unheard):
            self._drop_idle(origin)  # they were closed as this one was: the second try goes over a fresh one

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._origin_of):
            if connection in self._busy:
                connection.fail(_CLOSED)
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
                raise Failure(_CLOSED)
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
                raise Failure(_CLOSED)
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
