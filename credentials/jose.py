"""JWS, JWE and JWK for credentials (RFC 7515, 7516, 7517), read strictly. The only importer of jwcrypto.

jwcrypto's `JWS` copies its registry of header fields for every object; `JWSCore`, which it stands on, takes the algorithm
and the key alone. So compact objects are taken apart here, one spelling for each, and the core signs and verifies.
"""

# jwcrypto says no types.
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jwcrypto import jwe, jwk, jws

from credentials.errors import JoseInvalid

ES256 = "ES256"
ALGORITHMS = (ES256,)
"""All that is verified unless a key says otherwise: never `none`, never a shared secret."""
ENCRYPTION = ("A128GCM", "A256GCM")
LONGEST = 65_536
"""Characters of a compact object that are read at all, unless a caller says less."""
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_EC = ("crv", "kty", "x", "y")


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
    thumbprint: str
    jwk: Mapping[str, str] = field(repr=False)
    key: Any = field(repr=False, compare=False)


class LocalSigner:
    """Implements `Signer` over a P-256 key in memory. Its repr says only which one it is."""

    __slots__ = ("_key", "alg", "kid", "public", "x5c")

    def __init__(self, private: Mapping[str, Any], *, x5c: tuple[str, ...] = (), kid: str | None = None) -> None:
        """Raises JoseInvalid unless `private` is a private P-256 JWK."""
        self.public = read_key({name: value for name, value in private.items() if name not in _PRIVATE})
        try:
            self._key = jwk.JWK(**{name: private[name] for name in (*_EC, "d")})
        except Exception:
            raise JoseInvalid("key") from None
        self.kid, self.alg, self.x5c = kid or self.public.thumbprint, ES256, x5c

    @classmethod
    def generate(cls) -> LocalSigner:
        return cls(jwk.JWK.generate(kty="EC", crv="P-256").export(as_dict=True))

    def private_jwk(self) -> dict[str, Any]:
        """With the private member: to be sealed, never shown."""
        return dict(self._key.export(as_dict=True))

    def sign(self, signed: bytes) -> bytes:
        head, _, payload = signed.partition(b".")
        made = jws.JWSCore(ES256, self._key, unbase64url(head.decode()).decode(), unbase64url(payload.decode()))
        return unbase64url(made.sign()["signature"])

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
    header = json_object(unbase64url(parts[0]))
    if header.get("alg") not in ALGORITHMS or "crit" in header or "b64" in header:
        raise JoseInvalid("header")
    if typ is not None and header.get("typ") != typ:
        raise JoseInvalid("typ")
    signed = compact[: -len(parts[2]) - 1].encode()
    return Jws(header, unbase64url(parts[1]), signed, unbase64url(parts[2]))


def verify(jws_: Jws, key: PublicKey, algorithms: Collection[str] = ALGORITHMS) -> None:
    """Raises JoseInvalid unless `key` made the signature; returns nothing, so a forgotten `if` passes nothing."""
    alg = jws_.header["alg"]
    if alg not in algorithms or alg != key.alg:
        raise JoseInvalid("alg")
    head, _, _ = jws_.signed.partition(b".")
    try:
        core = jws.JWSCore(alg, key.key, unbase64url(head.decode()).decode(), jws_.payload, [alg])
        good = core.verify(jws_.signature)
    except Exception:
        good = False
    if good is not True:
        raise JoseInvalid("signature")


def read_key(value: Any) -> PublicKey:
    """The public P-256 key a JWK describes. Raises JoseInvalid for any other kind, a private member, another use."""
    if not isinstance(value, Mapping) or any(name in value for name in _PRIVATE):
        raise JoseInvalid("key")
    if value.get("kty") != "EC" or value.get("crv") != "P-256" or value.get("use", "sig") not in ("sig", "enc"):
        raise JoseInvalid("key")
    members = {name: value.get(name) for name in _EC}
    if not all(isinstance(member, str) for member in members.values()) or any(
        len(unbase64url(str(members[name]))) != 32 for name in "xy"
    ):
        raise JoseInvalid("key")
    try:
        key = jwk.JWK(**members)
        key.get_op_key("verify")  # a point that is not on the curve shows here
    except Exception:
        raise JoseInvalid("key") from None
    known = {name: str(member) for name, member in members.items()}
    return PublicKey(ES256, thumbprint(known), known, key)


def thumbprint(members: Mapping[str, Any]) -> str:
    """SHA-256 of a P-256 key's required members, base64url. Source: RFC 7638 3."""
    text = json.dumps({name: members[name] for name in _EC}, separators=(",", ":"))
    return base64url(hashlib.sha256(text.encode()).digest())


def encrypt(payload: bytes, recipient: Mapping[str, Any], *, enc: str, extra: Mapping[str, Any] | None = None) -> str:
    """A compact JWE by ECDH-ES to a P-256 JWK; the header repeats its `kid` and says `extra`. Raises JoseInvalid."""
    if enc not in ENCRYPTION:
        raise JoseInvalid("enc")
    key = read_key({name: recipient.get(name) for name in _EC})
    header = {"alg": "ECDH-ES", "enc": enc, **(extra or {})}
    if isinstance(recipient.get("kid"), str):
        header["kid"] = recipient["kid"]
    made = jwe.JWE(payload, json.dumps(header), algs=["ECDH-ES", enc])
    made.add_recipient(key.key)
    return str(made.serialize(compact=True))


def decrypt(compact: str, private: Mapping[str, Any], *, limit: int = LONGEST) -> tuple[dict[str, Any], bytes]:
    """Header and plaintext of a compact JWE by ECDH-ES. Raises JoseInvalid; compressed objects are refused."""
    if len(compact) > limit or not compact.isascii() or compact.count(".") != 4:
        raise JoseInvalid("jwe")
    header = json_object(unbase64url(compact.partition(".")[0]))
    if header.get("alg") != "ECDH-ES" or header.get("enc") not in ENCRYPTION or "zip" in header or "crit" in header:
        raise JoseInvalid("jwe_header")
    try:
        opened = jwe.JWE(algs=["ECDH-ES", *ENCRYPTION])
        opened.deserialize(compact, jwk.JWK(**{name: private[name] for name in (*_EC, "d")}))
        return header, bytes(opened.payload)
    except Exception:
        raise JoseInvalid("jwe") from None


def generate_private_jwk() -> dict[str, Any]:
    """A fresh P-256 key as a JWK with its private member."""
    return dict(jwk.JWK.generate(kty="EC", crv="P-256").export(as_dict=True))


def dumps(value: Any) -> bytes:
    """Compact JSON, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def json_object(raw: bytes) -> dict[str, Any]:
    """Raises JoseInvalid for anything but one JSON object without doubled names, NaN or broken text."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise JoseInvalid("json") from None
    if not isinstance(value, dict):
        raise JoseInvalid("json")
    return value


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64url(part: str) -> bytes:
    """Raises JoseInvalid for any spelling but the one `base64url` gives."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise JoseInvalid("base64") from None
    if base64url(raw) != part:
        raise JoseInvalid("base64")
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled")
    return found


def _refuse(_: str) -> Any:
    raise ValueError("not JSON")
