"""JWS as nobody should make them: any header, any payload, any key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey, JWKRegistry
from joserfc.jws import JWSRegistry

from gateway.oauth.jose import PrivateKey, base64url

Sign = Callable[[bytes], bytes]


def es256(key: PrivateKey) -> Sign:
    private = JWKRegistry.import_key(key.private_jwk())

    def sign(signed: bytes) -> bytes:
        made: bytes = JWSRegistry.algorithms["ES256"].sign(signed, private)
        return made

    return sign


def hs256(secret: bytes) -> Sign:
    return lambda signed: hmac.digest(secret, signed, hashlib.sha256)


def nothing(_: bytes) -> bytes:
    return b""


def zeros(_: bytes) -> bytes:
    """r = s = 0: what some libraries took for anybody's signature (CVE-2022-21449)."""
    return bytes(64)


def der(key: PrivateKey) -> Sign:
    """The signature as X.509 writes it, not as JOSE does."""

    def sign(signed: bytes) -> bytes:
        raw = es256(key)(signed)
        return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    return sign


def rs256(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def ps256(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return _rsa_key(bits)


@cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)  # a thousand bits are weak on purpose


def rsa_jwk(bits: int = 2048, **more: Any) -> dict[str, Any]:
    numbers = rsa_key(bits).public_key().public_numbers()
    n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return {"kty": "RSA", "n": base64url(n), "e": "AQAB", **more}


def pem(key: PrivateKey) -> bytes:
    found: bytes = ECKey.import_key(key.public_jwk()).as_pem(private=False)
    return found


def compact(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, sign: Sign) -> str:
    """`header` and `payload` as bytes are taken as they are."""
    head, claims = (
        base64url(part if isinstance(part, bytes) else orjson.dumps(dict(part))) for part in (header, payload)
    )
    signed = f"{head}.{claims}".encode()
    return f"{signed.decode()}.{base64url(sign(signed))}"


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    found: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def respelt(token: str) -> str:
    """The same bytes, spelt otherwise: the unused bits of the last character of the signature are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]
