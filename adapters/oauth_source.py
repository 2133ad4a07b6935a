"""Requests to a source that wants an OAuth token: kept until shortly before it ends, fetched once for all who wait."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from adapters.clock import Now
from adapters.egress import Channel, Reply
from adapters.oauth_client import Token, nonce_of
from adapters.oauth_jose import SigningKey, dpop_proof
from adapters.signing import Outgoing

_ERROR: Final = re.compile(r"\berror\s*=\s*\"?([a-z_]{1,40})")


class OAuthSending:
    """Sends with `Authorization: DPoP` and a proof (RFC 9449, section 7).

    A nonce the source asks for is obeyed once, a token it calls invalid is replaced once; a 401 means that nothing was
    done, so the same request may go again. `fetch` gets a token bound to `key`, in bounded time; it outlives who waits.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], key: SigningKey, channel: Channel, now: Now) -> None:
        self._fetch, self._key, self._channel, self._now = fetch, key, channel, now
        self._token: Token | None = None
        self._fetching: asyncio.Future[Token] | None = None
        self._nonce: str | None = None

    async def send(self, request: Outgoing, url: str, headers: Mapping[str, str], left_s: Callable[[], float]) -> Reply:
        """The reply, whatever its status. Raises SourceUnavailable also for what the authorization server does."""
        for_nonce, for_token = 1, 1
        while True:
            token = await self._fresh()
            proof = dpop_proof(self._key, request.method, url, self._now(), nonce=self._nonce, token=token.value)
            signed = {**headers, "authorization": f"DPoP {token.value}", "dpop": proof}
            reply = await self._channel.send(
                request.method, url, headers=signed, body=request.body or None, timeout_s=left_s()
            )
            given = nonce_of(reply)
            self._nonce = given or self._nonce
            said = challenge_error(reply)
            if said == "use_dpop_nonce" and given and for_nonce:
                for_nonce -= 1
            elif said == "invalid_token":
                self._drop(token)
                if not for_token:
                    return reply
                for_token -= 1
            else:
                return reply

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _fresh(self) -> Token:
        token = self._token
        if token is not None and self._now() < token.fresh_until:
            return token
        if self._fetching is None:
            self._fetching = asyncio.ensure_future(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)  # who gives up waiting does not take the token from the others

    def _fetched(self, task: asyncio.Future[Token]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    def _drop(self, token: Token) -> None:
        if self._token is token:  # another request may have replaced it meanwhile
            self._token = None


def challenge_error(reply: Reply) -> str:
    """The `error` of a 401's challenge (RFC 6750, section 3; RFC 9449, section 7.1); "" for every other answer."""
    if reply.status != 401:
        return ""
    found = _ERROR.search(reply.headers.get("www-authenticate", ""))
    return found[1] if found else ""
