"""Encrypted requests and answers (OpenID4VCI 1.0, section 10): ECDH-ES on P-256 with AES-GCM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from credentials.errors import JoseInvalid
from credentials.jose import ENCRYPTION, base64url, decrypt, encrypt, read_key, thumbprint
from credentials.openid4vci.refused import INVALID_ENCRYPTION, Refused

ALG = "ECDH-ES"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class ResponseEncryption:
    """To which key, and by which cipher, the answer goes."""

    jwk: Mapping[str, Any] = field(repr=False)
    enc: str

    def as_json(self) -> dict[str, Any]:
        return {"jwk": dict(self.jwk), "enc": self.enc}


def read_response_encryption(value: Any) -> ResponseEncryption:
    """`credential_response_encryption` of a request. Raises Refused invalid_encryption_parameters."""
    if not isinstance(value, Mapping) or not isinstance(value.get("jwk"), Mapping) or "zip" in value:
        raise Refused(INVALID_ENCRYPTION)
    jwk, enc = value["jwk"], value.get("enc")
    if jwk.get("alg") != ALG or enc not in ENCRYPTION or jwk.get("use", "enc") != "enc":
        raise Refused(INVALID_ENCRYPTION)
    try:
        key = read_key(jwk)
    except JoseInvalid:
        raise Refused(INVALID_ENCRYPTION) from None
    kid = jwk.get("kid")
    if kid is not None and (not isinstance(kid, str) or len(kid) > 256):
        raise Refused(INVALID_ENCRYPTION)
    return ResponseEncryption({**key.jwk, "alg": ALG, **({} if kid is None else {"kid": kid})}, str(enc))


def encrypt_response(body: bytes, encryption: ResponseEncryption) -> str:
    """The JWE; its header repeats the key's `kid`."""
    return encrypt(body, encryption.jwk, enc=encryption.enc)


class RequestKey:
    """The key requests are encrypted to: grown from a secret, so that every replica has it and no file holds it."""

    __slots__ = ("_private", "kid")

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 bytes that are used for nothing else."""
        number = int.from_bytes(secret, "big") % (_ORDER - 1) + 1
        public = ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers()
        known = {"kty": "EC", "crv": "P-256", "x": _b64(public.x), "y": _b64(public.y)}
        self.kid = thumbprint(known)
        self._private = {**known, "d": _b64(number)}

    def public_jwk(self) -> dict[str, str]:
        known = {name: value for name, value in self._private.items() if name != "d"}
        return {**known, "kid": self.kid, "use": "enc", "alg": ALG}

    def open(self, compact: str) -> bytes:
        """The request. Raises Refused invalid_encryption_parameters, whatever is wrong with it."""
        try:
            header, plain = decrypt(compact, self._private)
        except JoseInvalid:
            raise Refused(INVALID_ENCRYPTION, "vci_encryption_unreadable") from None
        if header.get("kid", self.kid) != self.kid:
            raise Refused(INVALID_ENCRYPTION, "vci_encryption_unreadable")
        return plain

    def __repr__(self) -> str:
        return f"RequestKey({self.kid!r})"


def _b64(number: int) -> str:
    return base64url(number.to_bytes(32, "big"))
