"""How a request of kind rest or graphql leaves: signed on the spot, or with a token that is fetched first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from adapters.clock import Now
from adapters.egress import Channel, Reply
from adapters.kind import Opening
from adapters.oauth_client import OAuthClient
from adapters.oauth_manifest import STYLE, registration_of
from adapters.oauth_source import OAuthSending
from adapters.prompt import Begun, Heard, PromptChannel
from adapters.signing import Outgoing, Signer, Unsigned, open_signer


class Sending(Protocol):
    """Proves who sends, and sends."""

    async def send(self, request: Outgoing, url: str, headers: Mapping[str, str], left_s: Callable[[], float]) -> Reply:
        """The reply, whatever its status; `left_s` says how long there still is. Raises SourceUnavailable."""
        ...

    async def close(self) -> None: ...


class Signed:
    """For every way of signing that needs nobody else."""

    def __init__(self, signer: Signer, channel: Channel, now: Now) -> None:
        self._signer, self._channel, self._now = signer, channel, now
        self._signs = not isinstance(signer, Unsigned)
        self._prompt = channel if isinstance(channel, PromptChannel) else None

    async def send(self, request: Outgoing, url: str, headers: Mapping[str, str], left_s: Callable[[], float]) -> Reply:
        if self._signs:
            headers = {**headers, **self._signer.headers(request, self._now())}
        return await self._channel.send(
            request.method, url, headers=headers, body=request.body or None, timeout_s=left_s()
        )

    def begin(
        self, request: Outgoing, url: str, headers: Mapping[str, str], timeout_s: float, heard: Heard
    ) -> Begun | None:
        """As `send`; see `adapters.prompt`."""
        if self._prompt is None:
            return None
        if self._signs:
            headers = {**headers, **self._signer.headers(request, self._now())}
        return self._prompt.begin(
            request.method, url, headers=headers, body=request.body or None, timeout_s=timeout_s, heard=heard
        )

    async def close(self) -> None:
        """Nothing of its own."""


def open_sending(opening: Opening) -> Sending:
    """What `[source.auth]` asks for. Raises AdapterError for a secret that is missing or no key."""
    manifest, channel = opening.manifest, opening.channel
    if channel is None:
        raise ValueError("a signed request needs a channel")
    if manifest.auth.get("style") != STYLE:
        return Signed(open_signer(manifest.auth, opening.secrets), channel, opening.now)
    registration = registration_of(manifest.auth, opening.secrets, opening.endpoint, manifest.code)
    client = OAuthClient(registration, channel, opening.now, name=manifest.code)
    fetch = partial(client.client_credentials, timeout_s=manifest.limits.timeout_s)
    return OAuthSending(fetch, client.dpop_key, channel, opening.now)
