"""What a wallet or verifier of any origin may call from a browser: without cookies, so an open door gives nothing away."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_HEADERS = ("authorization", "content-type", "dpop", "accept", "accept-language")
_SHOWN = ("dpop-nonce", "www-authenticate", "etag", "retry-after", "content-language")


def from_anywhere(endpoint: ASGIApp, methods: Sequence[str] = ("GET",)) -> ASGIApp:
    """`endpoint` with the answers CORS wants; for a `Route` without `methods`, so that preflights reach it."""
    return CORSMiddleware(
        endpoint,
        allow_origins=["*"],
        allow_methods=list(methods),
        allow_headers=list(_HEADERS),
        expose_headers=list(_SHOWN),
        max_age=86_400,
    )
