"""Where private keys are made and lie: a port with two backends, and the signer that stands on either."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from credentials.errors import KeysUnavailable
from credentials.jose import ES256, PublicKey, base64url, read_key


class KeyBox(Protocol):
    """Keys by a name of our own choosing (hex). Blocking: called from threads. Each raises KeysUnavailable."""

    def make(self, name: str) -> ec.EllipticCurvePrivateKey:
        """A fresh P-256 key, kept before this returns."""
        ...

    def open(self, name: str) -> ec.EllipticCurvePrivateKey: ...


class BoxSigner:
    """Implements `credentials.jose.Signer` over a key of a box."""

    __slots__ = ("_private", "alg", "kid", "x5c")

    def __init__(self, private: ec.EllipticCurvePrivateKey, kid: str, x5c: tuple[str, ...], alg: str = ES256) -> None:
        self._private, self.kid, self.x5c, self.alg = private, kid, x5c, alg

    def sign(self, signed: bytes) -> bytes:
        """r || s, 32 bytes each (RFC 7518 3.4). Raises KeysUnavailable."""
        try:
            made = self._private.sign(signed, ec.ECDSA(hashes.SHA256()))
        except KeysUnavailable:
            raise
        except Exception:  # whatever a module's driver throws
            raise KeysUnavailable("sign") from None
        r, s = decode_dss_signature(made)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def __repr__(self) -> str:
        return f"BoxSigner({self.kid!r})"


def public_of(key: ec.EllipticCurvePublicKey) -> PublicKey:
    numbers = key.public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return read_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})
