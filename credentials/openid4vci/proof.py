"""Proofs that a wallet holds the keys it wants credentials for (OpenID4VCI 1.0, appendix F), and key attestations (D)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from credentials.errors import ChainInvalid, JoseInvalid, ProofInvalid
from credentials.jose import Jws, PublicKey, base64url, json_object, parse, read_key, unbase64url, verify

TYP = "openid4vci-proof+jwt"
ATTESTATION_TYP = "key-attestation+jwt"
ALGORITHMS = ("ES256",)
WINDOW_S = 300
"""Seconds a proof's `iat` may lie back; the nonce is what makes it fresh."""
AHEAD_S = 60
_LONGEST = 16_384
_NAMES = ("jwk", "kid", "x5c")
_DID_JWK = "did:jwk:"

Attesters = Callable[[Sequence[str]], PublicKey]
"""From the `x5c` of a key attestation to the key of a wallet provider we trust. Raises ChainInvalid."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The keys, in the order they were proved, and every nonce that has to be ours and unused. `attested`: by somebody we
    trust."""

    keys: tuple[PublicKey, ...]
    nonces: frozenset[str] = field(repr=False)
    attested: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """What a proof has to say. `client_id` "": the wallet is anonymous, and then `iss` must be absent (F.1)."""

    issuer: str
    now: datetime
    client_id: str = ""
    attesters: Attesters | None = None


def check_jwt_proofs(proofs: Sequence[str], expected: Expected) -> Proven:
    """Raises ProofInvalid; `nonce_missing` for one without. Whether the nonces are good is the caller's to ask."""
    keys: list[PublicKey] = []
    nonces: set[str] = set()
    attested = True
    for compact in proofs:
        key, nonce, by_attester = _jwt_proof(compact, expected)
        keys.append(key)
        nonces.add(nonce)
        attested = attested and by_attester
    _different(keys)
    return Proven(tuple(keys), frozenset(nonces), attested)


def check_attestation(compact: str, expected: Expected, *, most: int) -> Proven:
    """The proof type `attestation`: a wallet provider's word alone, so one we trust. Raises ProofInvalid."""
    attestation = _attestation(compact, expected)
    if not attestation.trusted:
        raise ProofInvalid("attester")
    if attestation.nonce is None:
        raise ProofInvalid("nonce_missing")
    if len(attestation.keys) > most:
        raise ProofInvalid("many")
    _different(attestation.keys)
    return Proven(attestation.keys, frozenset({attestation.nonce}), attested=True)


def did_jwk(key: PublicKey) -> str:
    """The holder's key as a DID, for `credentialSubject.id` of a W3C credential."""
    members = ",".join(f'"{name}":"{key.jwk[name]}"' for name in ("crv", "kty", "x", "y"))
    return _DID_JWK + base64url(f"{{{members}}}".encode())


def _jwt_proof(compact: str, expected: Expected) -> tuple[PublicKey, str, bool]:
    try:
        proof = parse(compact, typ=TYP, limit=_LONGEST)
        key = _key_of(proof.header)
        verify(proof, key, ALGORITHMS)
        claims = proof.claims
    except JoseInvalid as error:
        raise ProofInvalid(error.why) from None
    if claims.get("aud") != expected.issuer:
        raise ProofInvalid("aud")
    if "iss" in claims and (not expected.client_id or claims["iss"] != expected.client_id):
        raise ProofInvalid("iss")
    _fresh(claims, expected.now)
    if "nonce" not in claims:
        raise ProofInvalid("nonce_missing")
    nonce = claims["nonce"]
    if not isinstance(nonce, str):
        raise ProofInvalid("nonce")
    by_attester = False
    if "key_attestation" in proof.header:
        by_attester = _covered(proof.header["key_attestation"], key, nonce, expected)
    return key, nonce, by_attester


def _covered(compact: Any, key: PublicKey, nonce: str, expected: Expected) -> bool:
    """Whether somebody we trust attests this very key; an attestation that is there has to be a good one."""
    attestation = _attestation(compact, expected)
    if key.thumbprint not in {one.thumbprint for one in attestation.keys}:
        raise ProofInvalid("attested_keys")
    if not attestation.has_end or attestation.nonce not in (None, nonce):
        raise ProofInvalid("attestation")
    return attestation.trusted


@dataclass(frozen=True, slots=True)
class _Attestation:
    keys: tuple[PublicKey, ...]
    nonce: str | None
    has_end: bool
    trusted: bool


def _attestation(compact: Any, expected: Expected) -> _Attestation:
    """Read, and its signature checked by its own header; `trusted` where that key is a wallet provider's of ours."""
    if not isinstance(compact, str):
        raise ProofInvalid("attestation")
    try:
        jwt = parse(compact, typ=ATTESTATION_TYP, limit=_LONGEST)
        key, trusted = _attester(jwt, expected)
        verify(jwt, key, ALGORITHMS)
        claims = jwt.claims
        listed = claims.get("attested_keys")
        if not isinstance(listed, list) or not 0 < len(listed) <= 100:
            raise ProofInvalid("attested_keys")
        keys = tuple(read_key(one) for one in listed)
    except JoseInvalid:
        raise ProofInvalid("attestation") from None
    iat, exp, nonce = claims.get("iat"), claims.get("exp"), claims.get("nonce")
    if not _is_number(iat) or iat > expected.now.timestamp() + AHEAD_S:
        raise ProofInvalid("attestation")
    if exp is not None and (not _is_number(exp) or exp <= expected.now.timestamp()):
        raise ProofInvalid("attestation")
    if nonce is not None and not isinstance(nonce, str):
        raise ProofInvalid("attestation")
    return _Attestation(keys, nonce, exp is not None, trusted)


def _attester(jwt: Jws, expected: Expected) -> tuple[PublicKey, bool]:
    chain = jwt.header.get("x5c")
    if expected.attesters is not None and isinstance(chain, list):
        try:
            return expected.attesters(chain), True
        except ChainInvalid:
            pass
    return _key_of(jwt.header), False


def _key_of(header: Mapping[str, Any]) -> PublicKey:
    """The one key a header names. Raises ProofInvalid, JoseInvalid."""
    named = [name for name in _NAMES if name in header]
    if len(named) != 1:
        raise ProofInvalid("key")
    value = header[named[0]]
    if named[0] == "jwk":
        return read_key(value)
    return _by_did(value) if named[0] == "kid" else _by_certificate(value)


def _by_did(kid: Any) -> PublicKey:
    """`did:jwk:<key>#0`; no other method, for the others would have to be fetched."""
    if not isinstance(kid, str) or not kid.startswith(_DID_JWK) or not kid.endswith("#0"):
        raise ProofInvalid("kid")
    return read_key(json_object(unbase64url(kid[len(_DID_JWK) : -2])))


def _by_certificate(chain: Any) -> PublicKey:
    """The leaf's key. Who signed it is nobody's matter here: possession is proved, not a name."""
    if not isinstance(chain, list) or not 0 < len(chain) <= 5 or not isinstance(chain[0], str):
        raise ProofInvalid("x5c")
    try:
        key = x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True)).public_key()
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise ProofInvalid("x5c") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ProofInvalid("x5c")
    numbers = key.public_numbers()
    x, y = (base64url(one.to_bytes(32, "big")) for one in (numbers.x, numbers.y))
    return read_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})


def _fresh(claims: Mapping[str, Any], now: datetime) -> None:
    iat = claims.get("iat")
    if not _is_number(iat) or not -AHEAD_S <= now.timestamp() - iat <= WINDOW_S:
        raise ProofInvalid("iat")
    exp = claims.get("exp")
    if exp is not None and (not _is_number(exp) or exp <= now.timestamp()):
        raise ProofInvalid("iat")


def _different(keys: Sequence[PublicKey]) -> None:
    if len({key.thumbprint for key in keys}) != len(keys):
        raise ProofInvalid("twice")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
