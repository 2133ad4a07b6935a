"""The one HTTP client, on aiohttp: a session and pool per rule, no cookies, no proxy, no surprise redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    ServerTimeoutError,
    TCPConnector,
)
from yarl import URL

from adapters.egress import Channel, Reply, Rule
from adapters.egress_rules import Gate
from adapters.errors import Reason, SourceUnavailable

_REDIRECTS = (301, 302, 303, 307, 308)
_IDLE_S = 15.0  # a pooled connection unused for so long is closed
_HARMLESS = frozenset(("accept", "accept-language", "user-agent"))  # all that another host:port ever sees of a request
_DEFAULT_HEADERS = {"User-Agent": "yimen"}


class AiohttpEgress:
    """Opens channels that share nothing but the event loop; closes what is left open."""

    def __init__(self) -> None:
        self._channels: list[AiohttpChannel] = []

    def open(self, rule: Rule) -> Channel:
        """A channel under `rule`. Raises RuleInvalid for a host that is no host:port or TLS files that do not load."""
        self._channels = [channel for channel in self._channels if not channel.closed]
        channel = AiohttpChannel(rule)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            await channel.close()


class AiohttpChannel:
    """One source's way out; safe for concurrent use in one event loop."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._gate = Gate(rule)
        self._cap = rule.max_response_bytes
        self._session: ClientSession | None = None
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
        target = self._gate.admit(url)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method.upper(), target, headers, body)
        except (ClientError, OSError, ValueError, AssertionError, RuntimeError) as error:  # TimeoutError is an OSError
            if isinstance(error, RuntimeError) and not self.closed:
                raise
            reason, detail = _fault(error)
        # Raised outside the handler: aiohttp's errors carry the URL, and must not hang on ours as context.
        raise SourceUnavailable(self._rule.name, reason, detail)

    async def close(self) -> None:
        self.closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, method: str, url: URL, headers: Mapping[str, str] | None, body: bytes | None) -> Reply:
        session = self._session or self._start()
        followed = 0
        while True:
            response = await session.request(method, url, headers=headers, data=body, allow_redirects=False)
            try:
                if response.status in _REDIRECTS and (location := response.headers.get("Location")) is not None:
                    following = self._gate.admit_redirect(url, location)
                    if method == "GET":
                        followed += 1
                        if followed > self._rule.redirects:
                            raise self._failed(Reason.BLOCKED, f"more than {self._rule.redirects} redirects")
                        if following.origin() != url.origin():
                            headers = {k: v for k, v in (headers or {}).items() if k.lower() in _HARMLESS}
                            body = None
                        url = following
                        continue
                return Reply(response.status, _lowered(response), await self._body(response))
            finally:
                response.release()  # a connection with an unread rest is closed by this, not pooled

    def _start(self) -> ClientSession:
        if self.closed:
            raise self._failed(Reason.DOWN, "the channel is closed")
        rule = self._rule
        self._session = ClientSession(
            connector=TCPConnector(limit=rule.connections, ssl=self._gate.tls, keepalive_timeout=_IDLE_S),
            timeout=ClientTimeout(total=None, sock_connect=rule.connect_timeout_s, sock_read=rule.read_timeout_s),
            cookie_jar=DummyCookieJar(),
            headers=_DEFAULT_HEADERS,
            skip_auto_headers=("Content-Type",),
            trust_env=False,
        )
        return self._session

    async def _body(self, response: ClientResponse) -> bytes:
        """The decoded body; counted as it is decoded, so a small bomb does not get to grow."""
        declared = response.content_length
        if declared is not None and declared > self._cap:
            raise self._failed(Reason.TOO_LARGE, f"more than {self._cap} bytes")
        content, size, chunks = response.content, 0, []
        while chunk := await content.readany():
            size += len(chunk)
            if size > self._cap:
                raise self._failed(Reason.TOO_LARGE, f"more than {self._cap} bytes")
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _failed(self, reason: Reason, detail: str) -> SourceUnavailable:
        return SourceUnavailable(self._rule.name, reason, detail)


def _lowered(response: ClientResponse) -> dict[str, str]:
    """Lower-case names; a repeated header is one, joined by a comma (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        low = name.lower()
        headers[low] = f"{headers[low]}, {value}" if low in headers else value
    return headers


def _fault(error: BaseException) -> tuple[Reason, str]:
    """Our reason and a fixed text: what aiohttp says may contain the URL."""
    match error:
        case ServerTimeoutError():
            return Reason.TIMEOUT, "no connection or no data in time"
        case TimeoutError():
            return Reason.TIMEOUT, "the deadline passed"
        case ClientConnectorCertificateError():
            return Reason.DOWN, "its TLS certificate is not trusted"
        case ClientSSLError():
            return Reason.DOWN, "TLS failed"
        case ClientConnectorError():
            return Reason.DOWN, "no connection"
        case ClientResponseError():
            return Reason.DOWN, "not an HTTP answer"
        case ValueError():
            return Reason.BLOCKED, "a method or header that HTTP does not allow"
        case _:
            return Reason.DOWN, "the connection was lost"
