"""The one HTTP client: what leaves by it is within its rule; no cookies, no proxy, no surprise redirects (ADR 0022)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from yarl import URL

from adapters.egress import Channel, Reply, Rule
from adapters.egress_rules import Gate
from adapters.errors import Reason, SourceUnavailable
from adapters.http_connection import LOST, Failure, Fault, Unheard
from adapters.http_exchange import Exchange
from adapters.http_head import NotAllowed, Origin, plain_target
from adapters.http_pool import CLOSED, SAFE, Pool
from adapters.prompt import Begun, Heard

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_HARMLESS: Final = frozenset(("accept", "accept-language", "user-agent"))  # all another host:port sees of a request
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
        self._pool = Pool(rule, self._gate.tls)
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
            raise self._failed(CLOSED)
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
            again = isinstance(error, Unheard) and exchange.method in SAFE
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
