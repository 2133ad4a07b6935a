"""Key binding (RFC 9901, sections 4.3 and 7.3): the holder signs for one verifier, one nonce, one choice of disclosures."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from credentials.errors import JoseInvalid, KeyBindingInvalid
from credentials.jose import Signer, base64url, dumps, parse, read_key, sign, verify
from credentials.sd_jwt import SdJwt, Verified

TYP = "kb+jwt"
FRESH = timedelta(minutes=5)
_SKEW = timedelta(seconds=60)


def sd_hash(presented: str) -> str:
    """Over everything before the KB-JWT, up to and including the last `~`."""
    return base64url(hashlib.sha256(presented.encode("ascii")).digest())


def bind(holder: Signer, presented: str, *, aud: str, nonce: str, at: datetime) -> str:
    """`presented` (ending in `~`) with its KB-JWT."""
    claims = {"iat": int(at.timestamp()), "aud": aud, "nonce": nonce, "sd_hash": sd_hash(presented)}
    return presented + sign(holder, {"typ": TYP}, dumps(claims))


def check(
    sd_jwt: SdJwt, verified: Verified, *, aud: str, nonce: str | None, now: datetime, fresh: timedelta = FRESH
) -> dict[str, Any]:
    """Its claims. `nonce` None: any, where nobody could ask (offline); then being fresh is all that hinders a copy.

    Raises KeyBindingInvalid: missing, cnf, typ, signature, sd_hash, aud, nonce, iat and what `parse` says.
    """
    claims = opened(sd_jwt, verified)
    if claims.get("aud") != aud:
        raise KeyBindingInvalid("aud")
    if not isinstance(claims.get("nonce"), str) or (nonce is not None and claims["nonce"] != nonce):
        raise KeyBindingInvalid("nonce")
    age = now.timestamp() - claims["iat"]
    if not -_SKEW.total_seconds() <= age <= fresh.total_seconds():
        raise KeyBindingInvalid("iat")
    return claims


def opened(sd_jwt: SdJwt, verified: Verified) -> dict[str, Any]:
    """What the holder of the key in `cnf` signed over this very choice of disclosures; for whom and when is not looked at.

    Raises KeyBindingInvalid.
    """
    if sd_jwt.key_binding is None:
        raise KeyBindingInvalid("missing")
    cnf = verified.claims.get("cnf")
    if not isinstance(cnf, dict) or set(cnf) != {"jwk"}:
        raise KeyBindingInvalid("cnf")
    try:
        jwt = parse(sd_jwt.key_binding, typ=TYP)
        verify(jwt, read_key(cnf["jwk"]))
        claims = jwt.claims
    except JoseInvalid as error:
        raise KeyBindingInvalid(error.why) from None
    if claims.get("sd_hash") != sd_hash(sd_jwt.presented):
        raise KeyBindingInvalid("sd_hash")
    iat = claims.get("iat")
    if isinstance(iat, bool) or not isinstance(iat, int | float):
        raise KeyBindingInvalid("iat")
    return claims
