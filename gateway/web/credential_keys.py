"""The keys credentials are signed with, in the three ways others look for them: by `iss`, by DID, by certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import Receive, Scope, Send

from credentials.errors import KeysUnavailable
from credentials.keys import KeyRing, KeyState, RingKey
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.status_lists import query_of

_PEM = b"application/pem-certificate-chain"
CACHE_S = 300
"""A key is published three times as long before it signs."""
Anchors = Callable[[], Sequence[bytes]]


async def issuer_metadata(ring: KeyRing, issuer: str) -> dict[str, Any]:
    """`/.well-known/jwt-vc-issuer` (SD-JWT VC, section 5). A compromised key is left out: a JWKS has no word for a cut-off."""
    keys = [key.public_jwk() for key in await ring.keys() if key.state is not KeyState.COMPROMISED]
    return {"issuer": issuer, "jwks": {"keys": keys}}


async def did_document(ring: KeyRing, issuer: str) -> dict[str, Any]:
    """did:web over the same keys; a compromised one says since when (`revoked`, Controlled Identifiers 1.0, 2.2)."""
    did, methods, trusted = did_of(issuer), [], []
    for key in await ring.keys():
        method: dict[str, Any] = {
            "id": f"{did}#{key.kid}", "type": "JsonWebKey", "controller": did,
            "publicKeyJwk": {**key.public.jwk, "kid": key.kid, "alg": key.alg},
        }  # fmt: skip
        if key.state is KeyState.COMPROMISED and key.cut_off is not None:
            method["revoked"] = f"{key.cut_off.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        else:
            trusted.append(method["id"])
        methods.append(method)
    context = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"]
    return {
        "@context": context, "id": did, "alsoKnownAs": [issuer], "verificationMethod": methods,
        "assertionMethod": trusted, "authentication": trusted,
    }  # fmt: skip


def did_of(issuer: str) -> str:
    """`https://host:8443/gov` -> `did:web:host%3A8443:gov`."""
    parts = urlsplit(issuer)
    path = [quote(part, safe="") for part in parts.path.split("/") if part]
    return ":".join(("did", "web", parts.netloc.replace(":", "%3A"), *path))


class PublicDocument:
    """JSON for programs of any site, with an ETag. `path` is what must stand behind a well-known part."""

    def __init__(self, read: Callable[[], Awaitable[dict[str, Any]]], path: str = "") -> None:
        self._read, self._path = read, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _only_reading(scope)
        if scope["path_params"].get("issuer_path", self._path).strip("/") != self._path:
            raise Refusal("NOT_FOUND")
        try:
            body = orjson.dumps(await self._read())
        except KeysUnavailable:
            raise Refusal("NOT_READY") from None
        await _reply(scope, body, JSON)(scope, receive, send)


class TrustAnchors:
    """`/credentials/trust-anchors`: JSON with every key's state and cut-off; PEM for whoever accepts it or says
    `?format=pem`, with those of the issuer alone."""

    def __init__(self, issuer: str, rings: Sequence[tuple[str, KeyRing, Anchors]]) -> None:
        """`rings`: the use, the ring, and where its roots are (DER)."""
        self._issuer, self._rings = issuer, rings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _only_reading(scope)
        try:
            found = [(use, await ring.keys(), anchors()) for use, ring, anchors in self._rings]
        except KeysUnavailable:
            raise Refusal("NOT_READY") from None
        accepted = dict(scope["headers"]).get(b"accept", b"")
        asked = query_of(scope).get("format")
        if asked == ["pem"] or any(kind in accepted for kind in (_PEM, b"application/x-pem-file")):
            body = b"".join(pem_of(der) for use, _, anchors in found for der in anchors if use == "issuer")
            await _reply(scope, body, _PEM)(scope, receive, send)
            return
        told = {
            "issuer": self._issuer,
            "anchors": [_anchor(use, der) for use, _, anchors in found for der in anchors],
            "keys": [_key(use, key) for use, keys, _ in found for key in keys],
        }
        await _reply(scope, orjson.dumps(told), JSON)(scope, receive, send)


def pem_of(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _anchor(use: str, der: bytes) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(der)
    return {
        "use": use, "sha256": hashlib.sha256(der).hexdigest(), "subject": certificate.subject.rfc4514_string(),
        "not_after": certificate.not_valid_after_utc.isoformat(), "pem": pem_of(der).decode(),
    }  # fmt: skip


def _key(use: str, key: RingKey) -> dict[str, Any]:
    """`cut_off`: what the key signed from then on is not to be believed."""
    cut_off = None if key.cut_off is None else key.cut_off.isoformat()
    return {"use": use, "kid": key.kid, "state": str(key.state), "cut_off": cut_off}


def _only_reading(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise Refusal("METHOD_NOT_ALLOWED", [(b"allow", b"GET, HEAD, OPTIONS")])


def _reply(scope: Scope, body: bytes, kind: bytes) -> Reply:
    tag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
    headers = [
        (b"etag", tag), (b"cache-control", b"public, max-age=%d" % CACHE_S), (b"vary", b"accept"),
        (b"x-content-type-options", b"nosniff"),
    ]  # fmt: skip
    if dict(scope["headers"]).get(b"if-none-match") == tag:
        return Reply(304, b"", kind, headers)
    return Reply(200, body, kind, headers)
