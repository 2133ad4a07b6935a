"""`/credentials/types/{id}/{version}` and its card: for any wallet and verifier, the same bytes as long as the version is."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from credentials.credential_type import CredentialType
from credentials.type_metadata import card_svg, type_metadata
from gateway.web.cors import from_anywhere
from gateway.web.problems import JSON, Refusal, Reply

_A_DAY = b"public, max-age=86400"
_COMMON = ((b"cache-control", _A_DAY), (b"x-content-type-options", b"nosniff"), (b"vary", b"accept-encoding"))
_SANDBOX = (b"content-security-policy", b"default-src 'none'; style-src 'none'; sandbox")
_SVG = b"image/svg+xml; charset=utf-8"
_WORTH_PACKING = 1024


class TypeFile:
    """Files kept in memory by (type, version). `kind`: their media type; `more`: further headers."""

    def __init__(self, files: Mapping[tuple[str, str], bytes], kind: bytes, *more: tuple[bytes, bytes]) -> None:
        self._files = {
            key: (body, gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode())
            for key, body in files.items()
        }
        self._kind, self._headers = kind, (*_COMMON, *more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            raise Refusal("METHOD_NOT_ALLOWED", ((b"allow", b"GET, HEAD, OPTIONS"),))
        found = self._files.get((scope["path_params"]["id"], scope["path_params"]["version"]))
        if found is None:
            raise Refusal("NOT_FOUND")
        body, packed, etag = found
        asked = dict(scope["headers"])
        headers = [(b"etag", etag), *self._headers]
        if etag in asked.get(b"if-none-match", b""):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if len(body) >= _WORTH_PACKING and b"gzip" in asked.get(b"accept-encoding", b""):
            body, headers = packed, [*headers, (b"content-encoding", b"gzip")]
        reply = Reply(200, body, self._kind, headers)
        if scope["method"] == "HEAD":
            reply.body = b""
        await reply(scope, receive, send)


def type_routes(types: Iterable[CredentialType], base_url: str) -> list[BaseRoute]:
    """Of every version of every type its metadata and its card."""
    known = tuple(types)
    documents = {(one.id, one.version): type_metadata(one, base_url) for one in known}
    cards = {(one.id, one.version): card_svg(one) for one in known}
    where = "/credentials/types/{id}/{version}"
    return [
        Route(where, from_anywhere(TypeFile(documents, JSON)), name="credential type"),
        Route(f"{where}/card.svg", from_anywhere(TypeFile(cards, _SVG, _SANDBOX)), name="credential card"),
    ]
