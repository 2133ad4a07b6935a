"""Selective disclosure for JWTs (RFC 9901): made by the issuer, and read strictly by a verifier."""

from __future__ import annotations

import secrets
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from credentials.errors import JoseInvalid, SdJwtInvalid
from credentials.jose import (
    TO_URL,
    Jws,
    PublicKey,
    Signer,
    base64url,
    dumps,
    json_value,
    parse,
    sign,
    unbase64url,
    verify,
)

TYP = "dc+sd-jwt"
"""Of an SD-JWT VC (draft-ietf-oauth-sd-jwt-vc)."""
SD_ALG = "sha-256"
NEVER_SELECTIVE = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
MOST_DISCLOSURES = 200
_DEEPEST = 16
_NESTED = (dict, list)
_NONE = object()
_LEAVES = frozenset({str, int, float, bool, type(None)})
_OWN_NAMES = frozenset({"_sd", "...", "_sd_alg"})


class Disclosure(NamedTuple):
    """One disclosed claim; `name` None for an element of an array. (A named tuple, because there are many of them.)"""

    text: str
    digest: str
    name: str | None
    value: Any

    def __repr__(self) -> str:
        return f"Disclosure({self.digest!r})"


@dataclass(frozen=True, slots=True)
class SdJwt:
    """An SD-JWT taken apart and not yet believed. `presented`: everything the `sd_hash` of a key binding is over."""

    jwt: Jws
    disclosures: tuple[Disclosure, ...]
    presented: str = field(repr=False)
    key_binding: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a signed SD-JWT says with its disclosures put in place; `disclosed`: the paths that came by disclosure."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    disclosed: tuple[tuple[str | int, ...], ...] = ()


def issue(
    signer: Signer,
    always: Mapping[str, Any],
    selective: Mapping[str, Any],
    *,
    typ: str = TYP,
    header: Mapping[str, Any] | None = None,
    decoys: int = 0,
) -> str:
    """`<JWT>~<disclosure>~...~`. Each top-level claim of `selective` becomes one disclosure; what is in `always` is open.

    Raises SdJwtInvalid for a name that must not be selectively disclosed (section 4 of the VC draft) or is in both.
    """
    if (
        selective.keys() & NEVER_SELECTIVE
        or selective.keys() & always.keys()
        or not _plain(selective)
        or not _plain(always)
    ):
        raise SdJwtInvalid("name")
    salts = _salts(len(selective))
    disclosures = [disclosure(name, value, salt) for (name, value), salt in zip(selective.items(), salts, strict=True)]
    payload = dict(always)
    if disclosures:
        digests = [digest(one) for one in disclosures] + [digest(secrets.token_urlsafe(16)) for _ in range(decoys)]
        payload |= {"_sd": sorted(digests), "_sd_alg": SD_ALG}
    jwt = sign(signer, {"typ": typ, **(header or {})}, dumps(payload))
    return "~".join([jwt, *disclosures, ""])


def _salts(number: int) -> list[str]:
    """128 random bits each, asked of the system at once."""
    drawn = secrets.token_bytes(16 * number)
    return [base64url(drawn[at : at + 16]) for at in range(0, 16 * number, 16)]


def disclosure(name: str, value: Any, salt: str | None = None) -> str:
    """base64url of the JSON array [salt, name, value]; 128 random bits of salt unless given."""
    return base64url(dumps([salt or secrets.token_urlsafe(16), name, value]))


def digest(text: str) -> str:
    """base64url of SHA-256 over the ASCII of a disclosure as it is sent (section 4.2.3)."""
    return base64url(sha256(text.encode("ascii")).digest())


def read(text: str, *, typ: str = TYP, limit: int = 65_536) -> SdJwt:
    """Raises SdJwtInvalid, JoseInvalid for what is no SD-JWT of this `typ`, with or without key binding."""
    if len(text) > limit or not text.isascii():
        raise SdJwtInvalid("size")
    parts = text.split("~")
    if len(parts) < 2:
        raise SdJwtInvalid("form")
    if len(parts) > MOST_DISCLOSURES + 2:
        raise SdJwtInvalid("many")
    last = parts[-1]
    presented = text[: len(text) - len(last)]
    return SdJwt(parse(parts[0], typ=typ, limit=limit), _disclosures(parts[1:-1]), presented, last or None)


def check(sd_jwt: SdJwt, key: PublicKey) -> Verified:
    """The signature by `key`, then every rule of section 7.1: each digest once, each disclosure used, no claim overwritten.

    Raises SdJwtInvalid, JoseInvalid. Dates, status, key binding and whose key it is are the caller's matter.
    """
    verify(sd_jwt.jwt, key)
    return put_together(sd_jwt, sd_jwt.jwt.claims)


def put_together(sd_jwt: SdJwt, payload: dict[str, Any]) -> Verified:
    """`check` for who verified the signature already and read the payload, which is used up. Raises SdJwtInvalid."""
    if payload.pop("_sd_alg", SD_ALG) != SD_ALG:
        raise SdJwtInvalid("sd_alg")
    held = {one[1]: one for one in sd_jwt.disclosures}  # by digest
    if len(held) != len(sd_jwt.disclosures):
        raise SdJwtInvalid("doubled")
    unpacking = _Unpacking(held)
    try:
        claims = unpacking.object(payload, ())
    except RecursionError:  # a disclosure so deep that it cannot even be copied
        raise SdJwtInvalid("deep") from None
    if held:
        raise SdJwtInvalid("orphan")
    return Verified(sd_jwt.jwt.header, claims, tuple(unpacking.paths))


class _Unpacking:
    """Walks the payload once, in place; what is left in `held` at the end found no place."""

    def __init__(self, held: dict[str, Disclosure]) -> None:
        self.held, self._seen = held, set[str]()
        self.paths: list[tuple[str | int, ...]] = []

    def object(self, value: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
        if "..." in value or ("_sd_alg" in value and path):
            raise SdJwtInvalid("form")
        if len(path) > _DEEPEST:
            raise SdJwtInvalid("deep")
        digests = value.pop("_sd", _NONE)
        for name, one in value.items():
            if isinstance(one, _NESTED):
                value[name] = self._nested(one, (*path, name))
        if digests is _NONE:
            return value
        self._see(digests, path)
        for digest_ in digests:
            disclosed = self.held.pop(digest_, None)
            if disclosed is None:
                continue
            named, inner = disclosed.name, disclosed.value
            if named is None or named in value or named in _OWN_NAMES or (not path and named in NEVER_SELECTIVE):
                raise SdJwtInvalid("claim")
            place = (*path, named)
            self.paths.append(place)
            value[named] = self._nested(deepcopy(inner), place) if isinstance(inner, _NESTED) else inner
        return value

    def _nested(self, value: Any, path: tuple[str | int, ...]) -> Any:
        return self.object(value, path) if isinstance(value, dict) else self._array(value, path)

    def _array(self, value: list[Any], path: tuple[str | int, ...]) -> list[Any]:
        if len(path) > _DEEPEST:
            raise SdJwtInvalid("deep")
        found: list[Any] = []
        for one in value:
            place = (*path, len(found))
            if not (isinstance(one, dict) and "..." in one):
                found.append(self._nested(one, place) if isinstance(one, _NESTED) else one)
                continue
            if len(one) != 1:
                raise SdJwtInvalid("form")
            self._see([one["..."]], path)
            disclosed = self.held.pop(one["..."], None)
            if disclosed is not None:
                if disclosed.name is not None:
                    raise SdJwtInvalid("claim")
                self.paths.append(place)
                inner = disclosed.value
                found.append(self._nested(deepcopy(inner), place) if isinstance(inner, _NESTED) else inner)
        return found

    def _see(self, digests: Any, path: tuple[str | int, ...]) -> None:
        """No digest may stand anywhere twice, nor any within a claim that is open as a whole (VC draft, section 2.2)."""
        if not isinstance(digests, list):
            raise SdJwtInvalid("form")
        if path and path[0] in NEVER_SELECTIVE:
            raise SdJwtInvalid("claim")
        before = len(self._seen)
        try:
            "".join(digests)  # the quickest way to see that each is text
            self._seen.update(digests)
        except TypeError:
            raise SdJwtInvalid("digest") from None
        if len(self._seen) != before + len(digests):
            raise SdJwtInvalid("digest")


def _disclosures(texts: Sequence[str]) -> tuple[Disclosure, ...]:
    """One loop, and each text turned into bytes once: most of what reading costs beside the signature is here."""
    found = []
    for text in texts:
        try:
            raw = unbase64url(text)
            array = json_value(raw) if b"{" in raw else orjson.loads(raw)  # no name in it, so none twice
        except (JoseInvalid, ValueError):
            raise SdJwtInvalid("disclosure") from None
        if type(array) is not list or len(array) not in (2, 3) or type(array[0]) is not str:
            raise SdJwtInvalid("disclosure")
        name = array[1] if len(array) == 3 else None
        if len(array) == 3 and type(name) is not str:
            raise SdJwtInvalid("disclosure")
        hashed = b2a_base64(sha256(text.encode("ascii")).digest(), newline=False)
        found.append(_new(Disclosure, (text, hashed[:43].translate(TO_URL).decode(), name, array[-1])))
    return tuple(found)


_new: Any = tuple.__new__
"""What a named tuple's own way of making one does, without its detour."""


def _plain(claims: Any) -> bool:
    """Whether no name in it could be taken for the mechanism's own."""
    if type(claims) in _LEAVES:  # nearly all of them, and asking an abstract class is dear
        return True
    if isinstance(claims, Mapping):
        return claims.keys().isdisjoint(_OWN_NAMES) and all(_plain(one) for one in claims.values())
    return not isinstance(claims, Sequence) or isinstance(claims, str) or all(_plain(one) for one in claims)
