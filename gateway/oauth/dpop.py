"""DPoP: a proof that whoever sends a token or asks for one holds a key, for this request only.

Source: RFC 9449, section 4.3, in its order. One step is last here that is not last there: the proof is spent (step 11, in
the store) after all else has passed, so that nothing but a good proof costs a write.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from gateway.clock import Clock
from gateway.oauth.errors import OAuthError
from gateway.oauth.jose import (
    ALGORITHMS,
    JoseInvalid,
    Jws,
    PublicKey,
    access_token_hash,
    base64url,
    canonical,
    json_object,
    read_header,
    read_key,
    split,
    verify,
)
from gateway.oauth.nonce import Nonces
from gateway.oauth.ports import ReplaySet

WINDOW_S = 60
"""Seconds `iat` may differ from our clock, either way."""

_LONGEST = 4_096
_LONGEST_JTI = 256
_KEPT = 4_096
_NUMBERS = (int, float)  # a union would be made anew for every proof


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds and is not spent yet: `replay_key` goes to a `ReplaySet` or the `Door`, once, until `until`."""

    thumbprint: str  # of its key, RFC 7638: what `cnf.jkt` must equal
    replay_key: str
    until: datetime
    next_nonce: str | None = None  # to hand out with the answer: this proof's nonce is missing or about to end
    algorithm: str = field(default="ES256", compare=False)


class DpopProofs:
    """Checks proofs for one server: the authorization server or a resource, each with its own nonces."""

    def __init__(self, base_url: str, nonces: Nonces | None, clock: Clock, *, nonce_required: bool = True) -> None:
        """`nonces` None: none are handed out, and a proof with one is refused."""
        self._base, self._nonces, self._clock = normalised(base_url).rstrip("/"), nonces, clock
        self._required = nonce_required and nonces is not None
        self._headers: OrderedDict[str, tuple[dict[str, Any], PublicKey]] = OrderedDict()

    @property
    def nonce(self) -> str | None:
        """The nonce to hand out with a refusal, so that the next try can succeed."""
        return self._nonces.current() if self._nonces is not None and self._required else None

    def check(
        self, header: str | None, *, method: str, path: str, access_token: str | None = None, ath: str | None = None
    ) -> Proof:
        """The proof in the one `DPoP` header of a request to `path` of our own base URL.

        With `access_token`, or its hash `ath` where that is known, the proof must name it; comparing the thumbprint with the
        token's `cnf.jkt` is the caller's. Raises OAuthError invalid_dpop_proof, or use_dpop_nonce with a nonce.
        """
        if not header:
            raise self._invalid("dpop_missing")
        try:
            jws, key = self._signed(header)
        except JoseInvalid:
            raise self._invalid() from None
        claims = jws.claims
        htu = claims.get("htu")
        if claims.get("htm") != method:
            raise self._invalid("dpop_htm")
        if not isinstance(htu, str) or normalised(htu) != self._base + path:
            raise self._invalid("dpop_htu")
        next_nonce = self._check_nonce(claims.get("nonce"), given="nonce" in claims)
        iat, now = claims.get("iat"), self._clock.now()
        if not isinstance(iat, _NUMBERS) or isinstance(iat, bool) or abs(now.timestamp() - iat) > WINDOW_S:
            raise self._invalid("dpop_iat")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
            raise self._invalid()
        wanted = ath if access_token is None else access_token_hash(access_token)
        if wanted is not None:
            named = claims.get("ath")
            if not isinstance(named, str) or not hmac.compare_digest(named.encode(), wanted.encode()):
                raise self._invalid("dpop_ath")
        # Kept twice as long as the proof can live, for clocks of replicas that are not quite the same.
        until = datetime.fromtimestamp(iat + 2 * WINDOW_S, UTC)
        return Proof(key.thumbprint, replay_key(key.thumbprint, jti), until, next_nonce, jws.header["alg"])

    async def accept(self, header: str | None, replay: ReplaySet, *, method: str, path: str) -> Proof:
        """`check` without a token, and then spent: what the endpoints of the authorization server want."""
        proof = self.check(header, method=method, path=path)
        if not await replay.spend("dpop", proof.replay_key, proof.until):
            raise self._invalid("dpop_replayed")
        return proof

    def _signed(self, compact: str) -> tuple[Jws, PublicKey]:
        """Steps 1 to 3. A client's header is the same in all its proofs, so its key is read once."""
        head, payload, signature = split(compact, limit=_LONGEST)
        known = self._headers.get(head)
        header, key = known if known is not None else _read(head)
        jws = Jws(header, json_object(payload), compact[: -len(signature) - 1].encode(), canonical(signature))
        verify(jws, key, ALGORITHMS)
        self._headers[head] = header, key  # only of a proof that held: strangers cannot fill it without signing
        self._headers.move_to_end(head)
        if len(self._headers) > _KEPT:
            self._headers.popitem(last=False)
        return jws, key

    def _check_nonce(self, nonce: object, *, given: bool) -> str | None:
        """The nonce to hand out next, if the client should change. Raises OAuthError use_dpop_nonce."""
        if not given:
            if self._required:
                raise self._wants_nonce()
            return None
        if self._nonces is None or not isinstance(nonce, str) or not self._nonces.good(nonce):
            raise self._wants_nonce()
        current = self._nonces.current()
        return None if nonce == current else current

    def _wants_nonce(self) -> OAuthError:
        if self._nonces is None:
            return self._invalid("dpop_nonce")
        return OAuthError("use_dpop_nonce", "use_dpop_nonce", nonce=self._nonces.current())

    def _invalid(self, reason: str = "invalid_dpop_proof") -> OAuthError:
        return OAuthError("invalid_dpop_proof", reason, nonce=self.nonce)


def _read(head: str) -> tuple[dict[str, Any], PublicKey]:
    header = read_header(head)
    if header.get("typ") != "dpop+jwt":
        raise JoseInvalid("typ")
    return header, read_key(header.get("jwk"))


def replay_key(thumbprint: str, jti: str) -> str:
    """What is remembered of a proof: a hash, so the store holds no text a client chose."""
    return base64url(hashlib.sha256(f"{thumbprint}\0{jti}".encode()).digest())


@lru_cache(maxsize=64)  # of ours, and what clients of ours write: the same few
def normalised(url: str) -> str:
    """`url` without query and fragment, scheme and host in lower case, no default port, no empty path's slash missing.

    "" where it is no http(s) URL of one host, so it equals nothing. Source: RFC 9449 4.3 step 9, RFC 3986 6.2.2, 6.2.3.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or not url.isascii():
        return ""
    if any(character <= " " or character == "\\" for character in url):
        return ""
    shown = f"[{host}]" if ":" in host else host
    default = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}{'' if default else f':{port}'}{parts.path or '/'}"
