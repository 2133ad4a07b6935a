"""The issuer's metadata: JSON, in one language where one is asked for, or signed (OpenID4VCI 1.0, section 12.2)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from credentials.errors import CredentialsError
from credentials.openid4vci.metadata import LOCALES, in_one_language
from gateway.web.negotiation import negotiate
from gateway.web.oauth import wrong_method
from gateway.web.openid4vci.problems import vci_problem
from gateway.web.problems import Refusal, Reply
from gateway.web.token_door import single

_JSON, _JWT = "application/json", "application/jwt"
_CACHED = (
    (b"cache-control", b"public, max-age=300"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"accept, accept-language, accept-encoding"),
)


@dataclass(frozen=True, slots=True)
class _Kept:
    etag: bytes
    plain: bytes = field(repr=False)
    packed: bytes = field(repr=False)


class MetadataEndpoint:
    def __init__(
        self,
        read: Callable[[], Mapping[str, Any]],
        signed: Callable[[Mapping[str, Any]], Awaitable[str]],
        path: str,
    ) -> None:
        """`path`: what must stand behind the well-known part, where something does."""
        self._read, self._signed, self._path = read, signed, path
        self._kept: dict[str, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(scope))(scope, receive, send)

    async def _reply(self, scope: Scope) -> Reply:
        if scope["method"] not in ("GET", "HEAD"):
            return wrong_method("GET, HEAD")
        if scope.get("path_params", {}).get("issuer_path", self._path) != self._path:
            raise Refusal("NOT_FOUND")
        headers = single(scope)
        language = preferred(headers.get(b"accept-language", b"").decode("latin-1"))
        spoken = () if language is None else ((b"content-language", language.encode()),)
        accept = headers.get(b"accept")
        wanted = negotiate(None if accept is None else accept.decode("latin-1"), (_JSON, _JWT))
        document = self._read() if language is None else in_one_language(self._read(), language)
        if wanted == _JWT:
            try:
                body = (await self._signed(document)).encode()
            except CredentialsError as caught:
                return vci_problem(caught)
            return Reply(200, b"" if scope["method"] == "HEAD" else body, _JWT.encode(), [*_CACHED, *spoken])
        kept = self._of(language or "", document)
        if headers.get(b"if-none-match") == kept.etag:
            return Reply(304, b"", _JSON.encode(), [*_CACHED, *spoken, (b"etag", kept.etag)])
        packed = b"gzip" in headers.get(b"accept-encoding", b"")
        body = kept.packed if packed else kept.plain
        encoding = ((b"content-encoding", b"gzip"),) if packed else ()
        told = [*_CACHED, *spoken, *encoding, (b"etag", kept.etag)]
        return Reply(200, b"" if scope["method"] == "HEAD" else body, _JSON.encode(), told)

    def _of(self, language: str, document: Mapping[str, Any]) -> _Kept:
        plain = orjson.dumps(dict(document))
        etag = b'W/"%s"' % hashlib.sha256(plain).hexdigest()[:32].encode()
        kept = self._kept.get(language)
        if kept is None or kept.etag != etag:
            kept = self._kept[language] = _Kept(etag, plain, gzip.compress(plain, 6, mtime=0))
        return kept


def preferred(accept_language: str) -> str | None:
    """The locale of ours the header likes best, by its order and weights; None where it says nothing that decides."""
    best: tuple[float, str] | None = None
    for part in accept_language[:500].split(","):
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        locale = next((one for one in LOCALES if one.lower().partition("-")[0] == primary), None)
        if locale is not None and 0 < quality <= 1 and (best is None or quality > best[0]):
            best = quality, locale
    return None if best is None else best[1]
