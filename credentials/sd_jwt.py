"""Selective disclosure for JWTs (RFC 9901): made by the issuer, and read strictly by a verifier."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from credentials.errors import JoseInvalid, SdJwtInvalid
from credentials.jose import Jws, PublicKey, Signer, base64url, dumps, json_object, parse, sign, unbase64url, verify

TYP = "dc+sd-jwt"
"""Of an SD-JWT VC (draft-ietf-oauth-sd-jwt-vc)."""
SD_ALG = "sha-256"
NEVER_SELECTIVE = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
MOST_DISCLOSURES = 200
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosed claim; `name` None for an element of an array."""

    text: str = field(repr=False)
    digest: str
    name: str | None
    value: Any = field(repr=False)


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
    disclosures = [disclosure(name, value) for name, value in selective.items()]
    payload = dict(always)
    if disclosures:
        digests = [digest(one) for one in disclosures] + [digest(secrets.token_urlsafe(16)) for _ in range(decoys)]
        payload |= {"_sd": sorted(digests), "_sd_alg": SD_ALG}
    jwt = sign(signer, {"typ": typ, **(header or {})}, dumps(payload))
    return "~".join([jwt, *disclosures, ""])


def disclosure(name: str, value: Any, salt: str | None = None) -> str:
    """base64url of the JSON array [salt, name, value]; 128 random bits of salt unless given."""
    return base64url(dumps([salt or secrets.token_urlsafe(16), name, value]))


def digest(text: str) -> str:
    """base64url of SHA-256 over the ASCII of a disclosure as it is sent (section 4.2.3)."""
    return base64url(hashlib.sha256(text.encode("ascii")).digest())


def read(text: str, *, typ: str = TYP, limit: int = 65_536) -> SdJwt:
    """Raises SdJwtInvalid, JoseInvalid for what is no SD-JWT of this `typ`, with or without key binding."""
    if len(text) > limit or not text.isascii():
        raise SdJwtInvalid("size")
    jwt, *rest = text.split("~")
    if not rest:
        raise SdJwtInvalid("form")
    *disclosures, last = rest
    if len(disclosures) > MOST_DISCLOSURES:
        raise SdJwtInvalid("many")
    presented = text[: len(text) - len(last)]
    return SdJwt(parse(jwt, typ=typ), tuple(_disclosure(one) for one in disclosures), presented, last or None)


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
    held = {one.digest: one for one in sd_jwt.disclosures}
    if len(held) != len(sd_jwt.disclosures):
        raise SdJwtInvalid("doubled")
    unpacking = _Unpacking(held)
    claims = unpacking.value(payload, ())
    if len(unpacking.used) != len(held):
        raise SdJwtInvalid("orphan")
    return Verified(sd_jwt.jwt.header, claims, tuple(unpacking.paths))


class _Unpacking:
    """Walks the payload once; `used` are the digests of disclosures that found their place."""

    def __init__(self, held: Mapping[str, Disclosure]) -> None:
        self._held, self._seen = held, set[str]()
        self.used: set[str] = set()
        self.paths: list[tuple[str | int, ...]] = []

    def value(self, value: Any, path: tuple[str | int, ...]) -> Any:
        if len(path) > _DEEPEST:
            raise SdJwtInvalid("deep")
        if isinstance(value, dict):
            return self._object(value, path)
        return self._array(value, path) if isinstance(value, list) else value

    def _object(self, value: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
        digests = value.get("_sd", [])
        if not isinstance(digests, list) or "..." in value or ("_sd_alg" in value and path):
            raise SdJwtInvalid("form")
        found = {name: self.value(one, (*path, name)) for name, one in value.items() if name != "_sd"}
        for one in digests:
            disclosed = self._take(one)
            if disclosed is None:
                continue
            name = disclosed.name
            if name is None or name in found or name in ("_sd", "...") or (not path and name in NEVER_SELECTIVE):
                raise SdJwtInvalid("claim")
            self.paths.append((*path, name))
            found[name] = self.value(disclosed.value, (*path, name))
        return found

    def _array(self, value: list[Any], path: tuple[str | int, ...]) -> list[Any]:
        found: list[Any] = []
        for one in value:
            if not (isinstance(one, dict) and "..." in one):
                found.append(self.value(one, (*path, len(found))))
                continue
            if len(one) != 1:
                raise SdJwtInvalid("form")
            disclosed = self._take(one["..."])
            if disclosed is not None:
                if disclosed.name is not None:
                    raise SdJwtInvalid("claim")
                self.paths.append((*path, len(found)))
                found.append(self.value(disclosed.value, (*path, len(found))))
        return found

    def _take(self, digest_: Any) -> Disclosure | None:
        if not isinstance(digest_, str) or digest_ in self._seen:
            raise SdJwtInvalid("digest")
        self._seen.add(digest_)
        disclosed = self._held.get(digest_)
        if disclosed is not None:
            self.used.add(digest_)
        return disclosed


def _disclosure(text: str) -> Disclosure:
    try:
        array = json.loads(unbase64url(text).decode())
        if isinstance(array, list):
            json_object(dumps({"disclosed": array}))  # one reading of doubled names for all of it
    except (JoseInvalid, ValueError, RecursionError):
        raise SdJwtInvalid("disclosure") from None
    if not isinstance(array, list) or len(array) not in (2, 3) or not isinstance(array[0], str):
        raise SdJwtInvalid("disclosure")
    if len(array) == 3 and not isinstance(array[1], str):
        raise SdJwtInvalid("disclosure")
    return Disclosure(text, digest(text), array[1] if len(array) == 3 else None, array[-1])


def _plain(claims: Any) -> bool:
    """Whether no name in it could be taken for the mechanism's own."""
    if isinstance(claims, Mapping):
        return not claims.keys() & {"_sd", "...", "_sd_alg"} and all(_plain(one) for one in claims.values())
    return not isinstance(claims, Sequence) or isinstance(claims, str) or all(_plain(one) for one in claims)
