"""What a wallet or verifier of any origin may call from a browser: without cookies, so an open door gives nothing away."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = ("authorization", "content-type", "dpop", "accept", "accept-language")
_SHOWN = ("dpop-nonce", "www-authenticate", "etag", "retry-after", "content-language")


_VARY = (b"vary", b"Origin")


class _FromAnywhere(CORSMiddleware):
    """To whoever is no browser its answers differ in nothing but `Vary`, which is put there without reading all headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
            return

        async def varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), _VARY]}
            await send(message)

        await self.app(scope, receive, varied)


def from_anywhere(endpoint: ASGIApp, methods: Sequence[str] = ("GET",)) -> ASGIApp:
    """`endpoint` with the answers CORS wants; for a `Route` without `methods`, so that preflights reach it."""
    return _FromAnywhere(
        endpoint,
        allow_origins=["*"],
        allow_methods=list(methods),
        allow_headers=list(_HEADERS),
        expose_headers=list(_SHOWN),
        max_age=86_400,
    )
