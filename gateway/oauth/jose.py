"""Signed JSON (JWS, RFC 7515) and its keys, read strictly: one form for every value, few algorithms, and no key on the
word of the message it signs.

The only importer of joserfc. The parts are read here, because a library that is kind to odd input is a second opinion
about what was signed; joserfc does the cryptography. Sets of keys: `gateway.oauth.jwks`.
"""

from __future__ import annotations

import hashlib
import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, JWKRegistry
from joserfc.jws import JWSRegistry

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
"""All we verify, by FAPI 2.0; `EdDSA` here means Ed25519 (RFC 9864). Never `none`, never a shared secret."""

LONGEST = 8_192
"""Characters of a token that are read at all."""

_ECDSA = ECDSA(SHA256())
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_MODELS = {name: JWSRegistry.algorithms[name] for name in ALGORITHMS}
_BY_TYPE = {
    "EC": frozenset({"ES256"}),
    "RSA": frozenset({"PS256"}),
    "OKP": frozenset({"EdDSA", "Ed25519"}),
}
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}  # RFC 7638 3.2
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_RSA_BITS = range(2048, 4097)  # below is weak, above costs us more than the sender


class JoseInvalid(Exception):
    """Not a JWS or key we take. `why` is a short code for tests and counters, never for the wire."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, eq=False)
class PublicKey:
    """A key that passed `read_key`. `algorithms` are those it may verify; `jwk` has the members of RFC 7638 only."""

    kid: str | None
    thumbprint: str
    algorithms: frozenset[str]
    jwk: Mapping[str, str] = field(repr=False)
    joserfc_key: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS, taken apart and not yet believed."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def kid(self) -> str | None:
        """Raises JoseInvalid for one that is no text."""
        return _kid(self.header)


def parse(compact: str, *, limit: int = LONGEST) -> Jws:
    """The parts of a compact JWS whose payload is a JSON object.

    Raises JoseInvalid unless there are three canonical base64url parts, header and payload are JSON objects without
    doubled names, and the header passes `read_header`. Source: RFC 7515 5.2, RFC 8725 3.
    """
    head, payload, signature = split(compact, limit=limit)
    header = read_header(head)
    return Jws(header, json_object(payload), compact[: -len(signature) - 1].encode(), canonical(signature))


def split(compact: str, *, limit: int = LONGEST) -> tuple[str, str, str]:
    """Header, payload and signature as they were sent. Raises JoseInvalid."""
    if len(compact) > limit or not compact.isascii():
        raise JoseInvalid("size")
    parts = compact.split(".")
    if len(parts) != 3:
        raise JoseInvalid("parts")
    return parts[0], parts[1], parts[2]


def read_header(part: str) -> dict[str, Any]:
    """The protected header alone. Raises JoseInvalid unless it names an `alg` of ours and asks for no extension
    (`crit`, `b64`): what we do not understand must not be ignored, so it is refused. Source: RFC 7515 4.1.11, RFC 7797."""
    header = json_object(part)
    if header.get("alg") not in ALGORITHMS or "crit" in header or "b64" in header:
        raise JoseInvalid("header")
    return header


def verify(jws: Jws, key: PublicKey, algorithms: Collection[str] = ALGORITHMS) -> None:
    """Raises JoseInvalid unless `key` made the signature by one of `algorithms`. Returns nothing: a forgotten `if`
    passes nothing."""
    alg = jws.header["alg"]
    if alg not in algorithms or alg not in key.algorithms:
        raise JoseInvalid("alg")
    try:
        good = _MODELS[alg].verify(jws.signed, jws.signature, key.joserfc_key) if alg != "ES256" else _es256(jws, key)
    except Exception:  # a signature no backend can even take apart
        good = False
    if good is not True:
        raise JoseInvalid("signature")


def _es256(jws: Jws, key: PublicKey) -> bool:
    """Every proof's, so without asking anew what the key may: `read_key` has. Raises InvalidSignature. Source: RFC 7518 3.4."""
    r, s = jws.signature[:32], jws.signature[32:]
    if len(s) != 32:
        return False
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    key.joserfc_key.public_key.verify(der, jws.signed, _ECDSA)
    return True


def read_key(jwk: Any) -> PublicKey:
    """The public key `jwk` describes, on its own merits: P-256, Ed25519, or RSA of 2048 to 4096 bits.

    Raises JoseInvalid for any other, for one with a private member, and for one meant for something else than
    signatures. `x5c`, `x5u` and the like are not looked at. Source: RFC 7517 4, RFC 7518 6, FAPI 2.0 5.4.
    """
    kty = jwk.get("kty") if isinstance(jwk, Mapping) else None
    if not isinstance(kty, str) or kty not in _MEMBERS or any(name in jwk for name in _PRIVATE):
        raise JoseInvalid("key")
    members = {name: jwk.get(name) for name in _MEMBERS[kty]}
    if not all(isinstance(value, str) and len(value) <= 1024 for value in members.values()):
        raise JoseInvalid("key")
    algorithms = _BY_TYPE[kty]
    alg = jwk.get("alg", next(iter(algorithms)))
    if jwk.get("use", "sig") != "sig" or not isinstance(alg, str) or alg not in algorithms:
        raise JoseInvalid("key_use")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise JoseInvalid("key_use")
    _check_members(kty, members)
    try:
        key = JWKRegistry.import_key(dict(members))  # which also finds points that are not on the curve
    except Exception:
        raise JoseInvalid("key") from None
    return PublicKey(_kid(jwk), thumbprint(members), algorithms, members, key)


def _check_members(kty: str, members: Mapping[str, str]) -> None:
    """What joserfc is generous about: other curves, short or padded numbers, weak moduli."""
    if kty == "EC":
        fits = members["crv"] == "P-256" and all(len(canonical(members[name])) == 32 for name in "xy")
    elif kty == "OKP":
        fits = members["crv"] == "Ed25519" and len(canonical(members["x"])) == 32
    else:
        n, e = (canonical(members[name]) for name in "ne")
        exponent = int.from_bytes(e, "big")
        minimal = n[:1] != b"\0" and e[:1] != b"\0"  # one key, one thumbprint
        odd = n[-1:] != b"" and n[-1] & 1 == 1 and exponent & 1 == 1
        fits = minimal and odd and int.from_bytes(n, "big").bit_length() in _RSA_BITS and 65_537 <= exponent < 1 << 32
    if not fits:
        raise JoseInvalid("key")


class PrivateKey:
    """A P-256 key that signs ES256. Its repr says only which one it is."""

    __slots__ = ("_jwk", "_signer", "public")

    def __init__(self, jwk: Mapping[str, Any]) -> None:
        """Raises JoseInvalid unless `jwk` is a private P-256 key."""
        self.public = read_key({name: value for name, value in jwk.items() if name != "d"})
        try:
            key = JWKRegistry.import_key({name: jwk[name] for name in (*_MEMBERS["EC"], "d")})
        except Exception:
            raise JoseInvalid("key") from None
        if not isinstance(key, ECKey):
            raise JoseInvalid("key")
        self._jwk = dict(jwk)
        self._signer = key.get_op_key("sign")  # joserfc would ask anew whether the key may, each time

    @classmethod
    def generate(cls, kid: str | None = None) -> PrivateKey:
        """A new one; its `kid` is the thumbprint unless given."""
        made: dict[str, Any] = dict(ECKey.generate_key("P-256").as_dict(private=True))
        jwk = {name: made[name] for name in ("kty", "crv", "x", "y", "d")}
        return cls({**jwk, "kid": kid or thumbprint(jwk), "alg": "ES256", "use": "sig"})

    @property
    def kid(self) -> str:
        return self.public.kid or self.public.thumbprint

    def public_jwk(self) -> dict[str, Any]:
        """As a JWKS publishes it."""
        return {name: value for name, value in self._jwk.items() if name not in _PRIVATE}

    def private_jwk(self) -> dict[str, Any]:
        """With the private member: to be sealed, never shown."""
        return dict(self._jwk)

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A compact JWS by ES256; `header` says `typ` and what else, never `alg`."""
        signed = _part({**header, "alg": "ES256"}) + b"." + _part(claims)
        r, s = decode_dss_signature(self._signer.sign(signed, _ECDSA))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")  # RFC 7518 3.4
        return (signed + b"." + base64url(signature).encode()).decode()

    def __repr__(self) -> str:
        return f"PrivateKey({self.kid!r})"


@cache
def nobody(alg: str) -> PublicKey:
    """A key whose private half is forgotten. What an unknown sender signed is held against it, so that refusing costs
    what checking costs. Made when first asked for."""
    kty = next(kty for kty, algorithms in _BY_TYPE.items() if alg in algorithms)
    what: dict[str, str | int] = {"EC": "P-256", "OKP": "Ed25519", "RSA": 2048}
    made = JWKRegistry.generate_key(kty, what[kty], private=False)
    return read_key(made.as_dict())


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """SHA-256 of the key's required members, base64url. Raises JoseInvalid for no key of ours. Source: RFC 7638 3."""
    names = _MEMBERS.get(jwk.get("kty", ""))
    if names is None or not all(isinstance(jwk.get(name), str) for name in names):
        raise JoseInvalid("key")
    members = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return base64url(hashlib.sha256(members.encode()).digest())


def access_token_hash(token: str) -> str:
    """`ath`: base64url of SHA-256 of the token's ASCII. Source: RFC 9449 4.2."""
    return base64url(hashlib.sha256(token.encode()).digest())


def base64url(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def canonical(part: str) -> bytes:
    """The bytes of unpadded base64url. Raises JoseInvalid for any spelling but the one `base64url` gives."""
    try:
        raw = a2b_base64(part.encode().translate(_FROM_URL) + b"=" * (-len(part) % 4))
    except ValueError:  # binascii.Error is one
        raise JoseInvalid("base64") from None
    if base64url(raw) != part:
        raise JoseInvalid("base64")
    return raw


def json_object(part: str) -> dict[str, Any]:
    """The JSON object in a base64url part. Raises JoseInvalid for anything else, doubled names and NaN included."""
    raw = canonical(part)
    try:
        value = orjson.loads(raw)  # the strict one: UTF-8, no NaN, no lone surrogates
        if isinstance(value, dict) and not _as_orjson_writes(value, raw):
            _ONCE.decode(raw.decode())
    except (ValueError, RecursionError):
        raise JoseInvalid("json") from None
    if not isinstance(value, dict):
        raise JoseInvalid("json")
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise JoseInvalid("doubled")


def _unread(_: str) -> None:
    """Numbers were read by orjson; reading them again could only be slow."""


_ONCE = json.JSONDecoder(object_pairs_hook=_once, parse_int=_unread, parse_float=_unread)


def _as_orjson_writes(value: Any, raw: bytes) -> bool:
    """Whether `raw` is what `value` becomes again; then no name stood in it twice, and nobody need look for one."""
    try:
        return orjson.dumps(value) == raw
    except TypeError:  # nested too deeply for writing
        return False


def _part(value: Mapping[str, Any]) -> bytes:
    return base64url(orjson.dumps(dict(value))).encode()


def _kid(of: Mapping[str, Any]) -> str | None:
    kid = of.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= 256):
        raise JoseInvalid("kid")
    return kid
