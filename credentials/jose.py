"""JWS, JWE and JWK for credentials (RFC 7515, 7516, 7517), read strictly. The only importer of jwcrypto.

jwcrypto makes keys and JWE. Its `JWS` copies its registry of header fields for every object, and `JWSCore`, which it stands
on, decodes and encodes the signed bytes anew and asks the key what it may (measured: 19 us on top of a signature, 27 us on
top of a verification that costs 62 us). So a JWS is taken apart here, one spelling for each, and the key of cryptography,
which jwcrypto uses too, signs and verifies the bytes as they were sent. The same way as `gateway.oauth.jose`.
"""

# jwcrypto says no types.
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import binascii
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from credentials.errors import JoseInvalid

ES256 = "ES256"
ALGORITHMS = (ES256,)
"""All that is verified unless a key says otherwise: never `none`, never a shared secret."""
ENCRYPTION = ("A128GCM", "A256GCM")
LONGEST = 65_536
"""Characters of a compact object that are read at all, unless a caller says less."""
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_EC = ("crv", "kty", "x", "y")
_P256, _ECDSA = ec.SECP256R1(), ec.ECDSA(SHA256())


class Signer(Protocol):
    """A private key that signs, wherever it lives: a file, or a module that never lets it out."""

    @property
    def kid(self) -> str: ...

    @property
    def alg(self) -> str: ...

    @property
    def x5c(self) -> tuple[str, ...]:
        """Certificates, base64 of DER, leaf first, without the root (RFC 7515 4.1.6); empty where there are none."""
        ...

    def sign(self, signed: bytes) -> bytes:
        """The JWS signature of these bytes. Raises KeysUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that passed `read_key`; `jwk` has the members of RFC 7638 only."""

    alg: str
    jwk: Mapping[str, str] = field(repr=False)
    key: Any = field(repr=False, compare=False)

    @property
    def thumbprint(self) -> str:
        """RFC 7638, SHA-256."""
        return thumbprint(self.jwk)


class LocalSigner:
    """Implements `Signer` over a P-256 key in memory. Its repr says only which one it is."""

    __slots__ = ("_jwk", "_key", "alg", "kid", "public", "x5c")

    def __init__(self, private: Mapping[str, Any], *, x5c: tuple[str, ...] = (), kid: str | None = None) -> None:
        """Raises JoseInvalid unless `private` is a private P-256 JWK."""
        self.public = read_key({name: value for name, value in private.items() if name not in _PRIVATE})
        try:
            self._jwk = {name: str(private[name]) for name in (*_EC, "d")}
            self._key = ec.derive_private_key(int.from_bytes(unbase64url(self._jwk["d"]), "big"), _P256)
        except (KeyError, ValueError):
            raise JoseInvalid("key") from None
        if self._key.public_key() != self.public.key:
            raise JoseInvalid("key")
        self.kid, self.alg, self.x5c = kid or self.public.thumbprint, ES256, x5c

    @classmethod
    def generate(cls) -> LocalSigner:
        return cls(generate_private_jwk())

    def private_jwk(self) -> dict[str, Any]:
        """With the private member: to be sealed, never shown."""
        return dict(self._jwk)

    def sign(self, signed: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(signed, _ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")  # RFC 7518 3.4

    def __repr__(self) -> str:
        return f"LocalSigner({self.kid!r})"


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS, taken apart and not yet believed."""

    header: Mapping[str, Any]
    payload: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def claims(self) -> dict[str, Any]:
        """The payload as a JSON object. Raises JoseInvalid."""
        return json_object(self.payload)


def sign(signer: Signer, header: Mapping[str, Any], payload: bytes) -> str:
    """A compact JWS; `header` says `typ` and what else, `alg` is the signer's."""
    head = base64url(dumps({"alg": signer.alg, **header})).encode()
    signed = head + b"." + base64url(payload).encode()
    return (signed + b"." + base64url(signer.sign(signed)).encode()).decode()


def parse(compact: str, *, typ: str | None = None, limit: int = LONGEST) -> Jws:
    """Raises JoseInvalid unless there are three canonical parts, a header without `crit` or `b64` whose `alg` is ours,
    and, where given, exactly this `typ`. Source: RFC 7515 5.2, RFC 8725 3."""
    if len(compact) > limit or not compact.isascii():
        raise JoseInvalid("size")
    parts = compact.split(".")
    if len(parts) != 3:
        raise JoseInvalid("parts")
    read = _seen_header if len(parts[0]) <= _SEEN_UP_TO else _header
    header = dict(read(parts[0]))
    if typ is not None and header.get("typ") != typ:
        raise JoseInvalid("typ")
    signed = compact[: -len(parts[2]) - 1].encode()
    return Jws(header, unbase64url(parts[1]), signed, unbase64url(parts[2]))


def _header(part: str) -> dict[str, Any]:
    header = json_object(unbase64url(part))
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS or "crit" in header or "b64" in header:
        raise JoseInvalid("header")
    return header


_SEEN_UP_TO = 4096
_seen_header = lru_cache(maxsize=128)(_header)
"""An issuer's header, its certificates in it, is the same in all it signs: read once. Nothing is believed for being known."""


def verify(jws_: Jws, key: PublicKey, algorithms: Collection[str] = ALGORITHMS) -> None:
    """Raises JoseInvalid unless `key` made the signature; returns nothing, so a forgotten `if` passes nothing."""
    alg = jws_.header["alg"]
    if alg not in algorithms or alg != key.alg:
        raise JoseInvalid("alg")
    r, s = jws_.signature[:32], jws_.signature[32:]
    if len(s) != 32:
        raise JoseInvalid("signature")
    try:
        key.key.verify(encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")), jws_.signed, _ECDSA)
    except InvalidSignature:
        raise JoseInvalid("signature") from None


def read_key(value: Any) -> PublicKey:
    """The public P-256 key a JWK describes. Raises JoseInvalid for any other kind, a private member, another use."""
    if not isinstance(value, Mapping) or any(name in value for name in _PRIVATE):
        raise JoseInvalid("key")
    if value.get("kty") != "EC" or value.get("crv") != "P-256" or value.get("use", "sig") not in ("sig", "enc"):
        raise JoseInvalid("key")
    if value.get("alg", ES256) not in (ES256, "ECDH-ES"):
        raise JoseInvalid("key")
    x, y = value.get("x"), value.get("y")
    if not isinstance(x, str) or not isinstance(y, str) or len(x) != 43 or len(y) != 43:
        raise JoseInvalid("key")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(_P256, b"\x04" + unbase64url(x) + unbase64url(y))
    except ValueError:  # a point that is not on the curve
        raise JoseInvalid("key") from None
    known = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    return PublicKey(ES256, known, key)


def thumbprint(members: Mapping[str, Any]) -> str:
    """SHA-256 of a P-256 key's required members, base64url. Source: RFC 7638 3."""
    text = orjson.dumps({name: members[name] for name in _EC})
    return base64url(hashlib.sha256(text).digest())


def encrypt(payload: bytes, recipient: Mapping[str, Any], *, enc: str, extra: Mapping[str, Any] | None = None) -> str:
    """A compact JWE by ECDH-ES to a P-256 JWK; the header repeats its `kid` and says `extra`. Raises JoseInvalid."""
    if enc not in ENCRYPTION:
        raise JoseInvalid("enc")
    key = read_key({name: recipient.get(name) for name in _EC})
    header = {"alg": "ECDH-ES", "enc": enc, **(extra or {})}
    if isinstance(recipient.get("kid"), str):
        header["kid"] = recipient["kid"]
    from jwcrypto import jwe, jwk  # who only verifies need not wait for it (`yimen verify` is measured cold)

    made = jwe.JWE(payload, json.dumps(header), algs=["ECDH-ES", enc])
    made.add_recipient(jwk.JWK(**key.jwk))
    return str(made.serialize(compact=True))


def decrypt(compact: str, private: Mapping[str, Any], *, limit: int = LONGEST) -> tuple[dict[str, Any], bytes]:
    """Header and plaintext of a compact JWE by ECDH-ES. Raises JoseInvalid; compressed objects are refused."""
    if len(compact) > limit or not compact.isascii() or compact.count(".") != 4:
        raise JoseInvalid("jwe")
    header = json_object(unbase64url(compact.partition(".")[0]))
    if header.get("alg") != "ECDH-ES" or header.get("enc") not in ENCRYPTION or "zip" in header or "crit" in header:
        raise JoseInvalid("jwe_header")
    from jwcrypto import jwe, jwk

    try:
        opened = jwe.JWE(algs=["ECDH-ES", *ENCRYPTION])
        opened.deserialize(compact, jwk.JWK(**{name: private[name] for name in (*_EC, "d")}))
        return header, bytes(opened.payload)
    except Exception:
        raise JoseInvalid("jwe") from None


def generate_private_jwk() -> dict[str, Any]:
    """A fresh P-256 key as a JWK with its private member."""
    made = ec.generate_private_key(_P256)
    numbers, d = made.public_key().public_numbers(), made.private_numbers().private_value
    x, y, secret = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y, d))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": secret}


def dumps(value: Any) -> bytes:
    """Compact JSON, UTF-8. Raises TypeError for what JSON has no form for."""
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)


def json_object(raw: bytes) -> dict[str, Any]:
    """Raises JoseInvalid for anything but one JSON object without doubled names, NaN or broken text."""
    value = json_value(raw)
    if not isinstance(value, dict):
        raise JoseInvalid("json")
    return value


def json_value(raw: bytes) -> Any:
    """Any JSON value, as strictly as `json_object`. Raises JoseInvalid."""
    try:
        value = orjson.loads(raw)  # the strict one: UTF-8, no NaN, no lone surrogates
        # What it writes again byte for byte had no name twice. Otherwise names are counted, where there are any.
        if b"{" in raw and not _as_orjson_writes(value, raw):
            _ONCE.decode(raw.decode())
    except (ValueError, RecursionError):
        raise JoseInvalid("json") from None
    return value


def base64url(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(TO_URL, b"=").decode()


def unbase64url(part: str) -> bytes:
    """Raises JoseInvalid for any spelling but the one `base64url` gives."""
    tail = len(part) & 3
    if tail and (tail == 1 or part[-1] not in _LAST[tail]):
        raise JoseInvalid("base64")
    try:
        return binascii.a2b_base64(part.encode("ascii").translate(_FROM_URL) + _PADDING[tail], strict_mode=True)
    except ValueError:  # binascii.Error, and what is not ASCII
        raise JoseInvalid("base64") from None


TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")  # `!` is in no alphabet
_PADDING = (b"", b"", b"==", b"=")
_LAST = ("", "", frozenset("AQgw"), frozenset("AEIMQUYcgkosw048"))
"""The last characters whose unused bits are zero: of the several spellings of the same bytes only one is taken."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("doubled")


def _unread(_: str) -> None:
    """Numbers were read by orjson; reading them again could only be slow."""


_ONCE = json.JSONDecoder(object_pairs_hook=_once, parse_int=_unread, parse_float=_unread)


def _as_orjson_writes(value: Any, raw: bytes) -> bool:
    try:
        return orjson.dumps(value) == raw
    except TypeError:  # nested too deeply for writing
        return False
