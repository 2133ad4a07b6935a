"""The little JOSE an OAuth client needs: one ES256 key, and the two JWTs it signs with it.

ES256 only: every authorization server of the FAPI 2.0 profile takes it, so there is nothing to negotiate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from adapters.errors import AdapterError

_SIZE: Final = 32  # bytes of a coordinate of P-256
_ASSERTION_S: Final = 60


class KeyInvalid(AdapterError):
    """What should be a private key is none we can use. The text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An EC P-256 private key. `kid` is "" where the key came without one: the other side then tries what it knows."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: Mapping[str, str]  # the public JWK: kty, crv, x, y
    kid: str = ""

    @classmethod
    def new(cls) -> SigningKey:
        return cls.of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def of(cls, private: ec.EllipticCurvePrivateKey, kid: str = "") -> SigningKey:
        point = private.public_key().public_numbers()
        x, y = (b64u(number.to_bytes(_SIZE, "big")) for number in (point.x, point.y))
        return cls(private, {"kty": "EC", "crv": "P-256", "x": x, "y": y}, kid)

    @classmethod
    def read(cls, text: str) -> SigningKey:
        """From a PEM file (PKCS#8 or SEC 1, without passphrase) or a private JWK (RFC 7517). Raises KeyInvalid."""
        return _from_jwk(text) if text.lstrip().startswith("{") else cls.of(_from_pem(text))

    @property
    def thumbprint(self) -> str:
        """`jkt`: the SHA-256 JWK thumbprint (RFC 7638, section 3)."""
        ordered = json.dumps(dict(sorted(self.public.items())), separators=(",", ":"))
        return b64u(hashlib.sha256(ordered.encode()).digest())

    def jwk(self) -> dict[str, str]:
        """The private JWK, for a file nobody else reads."""
        d = self.private.private_numbers().private_value
        return {**self.public, "d": b64u(d.to_bytes(_SIZE, "big")), "kid": self.kid or self.thumbprint}

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A compact JWS with `alg` ES256 (RFC 7518, section 3.4)."""
        text = ".".join(_part(part) for part in ({"alg": "ES256", **header}, claims))
        r, s = decode_dss_signature(self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{b64u(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"


def client_assertion(key: SigningKey, client_id: str, issuer: str, now: datetime) -> str:
    """The JWT a client proves itself with; good once and for a minute.

    Source: RFC 7523, section 3; FAPI 2.0, section 5.3.3: `aud` is the issuer and nothing else.
    """
    at = int(now.timestamp())
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "iat": at, "exp": at + _ASSERTION_S}
    header = {"typ": "JWT", **({"kid": key.kid} if key.kid else {})}
    return key.sign(header, {**claims, "jti": random.token_urlsafe(16)})


def dpop_proof(
    key: SigningKey, method: str, url: str, now: datetime, *, nonce: str | None = None, token: str | None = None
) -> str:
    """The proof that goes into the `DPoP` header of one request; `token` at a resource, `nonce` where one was given.

    Source: RFC 9449, section 4.2.
    """
    claims: dict[str, Any] = {"jti": random.token_urlsafe(16), "htm": method, "htu": without_query(url)}
    claims["iat"] = int(now.timestamp())
    if nonce is not None:
        claims["nonce"] = nonce
    if token is not None:
        claims["ath"] = b64u(hashlib.sha256(token.encode()).digest())
    return key.sign({"typ": "dpop+jwt", "jwk": dict(key.public)}, claims)


def without_query(url: str) -> str:
    """The URL as `htu` names it: without query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", "", ""))


def b64u(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _part(part: Mapping[str, Any]) -> str:
    return b64u(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode())


def _from_pem(text: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyInvalid("the key is neither a PEM private key without passphrase nor a JWK") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyInvalid("the key must be an EC key on P-256 (ES256)")
    return key


def _from_jwk(text: str) -> SigningKey:
    try:
        jwk = json.loads(text)
        if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
            raise KeyInvalid("the key must be an EC key on P-256 (ES256)")
        d, x, y = (int.from_bytes(_decoded(jwk[name]), "big") for name in ("d", "x", "y"))
        point = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
        # private_key() accepts a point that is not d's own; ours is computed from d, so a mixed-up file shows here.
        private = ec.derive_private_key(d, ec.SECP256R1())
        if private.public_key().public_numbers() != point:
            raise KeyInvalid("the JWK's public part does not belong to its private one")
        kid = jwk.get("kid", "")
    except KeyError as missing:
        raise KeyInvalid(f"the JWK lacks {missing.args[0]!r}: a private EC key has kty, crv, x, y and d") from None
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise KeyInvalid("the key is not a JWK of an EC private key") from None
    return SigningKey.of(private, kid if isinstance(kid, str) else "")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
