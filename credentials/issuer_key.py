"""Whose key signs: by a certificate chain to an anchor, or by the issuer's metadata (SD-JWT VC, section 2.5)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from credentials.checked import Issuer
from credentials.errors import ChainInvalid, CredentialsError, JoseInvalid
from credentials.jose import PublicKey
from credentials.trust import Trust

if TYPE_CHECKING:
    from credentials.leaf import Leaf


def issuer_key(header: Mapping[str, Any], iss: str | None, trust: Trust, now: datetime) -> tuple[PublicKey, Issuer]:
    """The key of a header: where there is `x5c` and we have anchors by its chain, and never by anything else then.

    Raises ChainInvalid, or JoseInvalid: issuer_unknown, kid_unknown, no_key.
    """
    if "x5c" in header and trust.anchors:
        return _by_chain(header["x5c"], iss, trust, now)
    kid = header.get("kid")
    if iss is None or not isinstance(kid, str):
        raise JoseInvalid("no_key")
    keys = trust.issuers.get(iss)
    if keys is None:
        raise JoseInvalid("issuer_unknown")
    key = keys.get(kid)
    if key is None:
        raise JoseInvalid("kid_unknown")
    return key, Issuer(iss, "", "metadata", key.thumbprint)


def _by_chain(x5c: Any, iss: str | None, trust: Trust, now: datetime) -> tuple[PublicKey, Issuer]:
    if not isinstance(x5c, list) or not 0 < len(x5c) <= 5 or not all(isinstance(one, str) for one in x5c):
        raise ChainInvalid("form")
    chain, anchors = tuple(x5c), tuple(trust.anchors)
    key, leaf = _all_minute(chain, anchors, int(now.timestamp() // 60)) or _at(chain, anchors, now)
    if iss is not None and not leaf.speaks_for(iss):
        raise ChainInvalid("issuer_name")
    return key, Issuer(iss, leaf.organisation, "x5c", key.thumbprint)


@lru_cache(maxsize=64)
def _all_minute(x5c: tuple[str, ...], anchors: tuple[bytes, ...], minute: int) -> tuple[PublicKey, Leaf] | None:
    """An issuer's chain is the same in all it signs. What is good at both ends of a minute is good all through it."""
    begins = datetime.fromtimestamp(minute * 60, UTC)
    try:
        _at(x5c, anchors, begins)
        return _at(x5c, anchors, begins + timedelta(minutes=1))
    except ChainInvalid:
        return None


def _at(x5c: tuple[str, ...], anchors: tuple[bytes, ...], now: datetime) -> tuple[PublicKey, Leaf]:
    from credentials.leaf import leaf_of  # certificates are slow to load, and many verifiers never see one
    from credentials.x5c import ISSUER_PURPOSE, check_chain

    key = check_chain(x5c, anchors, now, purpose=ISSUER_PURPOSE)
    try:
        return key, leaf_of(b64decode(x5c[0], validate=True))
    except (binascii.Error, ValueError):
        raise ChainInvalid("form") from None


def status_key(header: Mapping[str, Any], uri: str, issuer: Issuer, trust: Trust, now: datetime) -> PublicKey:
    """The key of a status list's token: the issuer's own by its metadata, or a chain whose leaf speaks for the list's address.

    Raises CredentialsError. Another issuer under the same anchor cannot speak for this one's list.
    """
    key, found = issuer_key(header, issuer.identifier if "x5c" not in header else None, trust, now)
    if found.road == "x5c" and key.thumbprint != issuer.thumbprint:
        _by_chain(header["x5c"], uri, trust, now)  # its leaf must be the address's
    return key


def cut_off(key: PublicKey, issued_at: datetime | None, trust: Trust) -> None:
    """Raises CredentialsError("compromised") for what a compromised key signed from its cut-off on, or without saying when."""
    limit = trust.cut_offs.get(key.thumbprint)
    if limit is not None and (issued_at is None or issued_at >= limit):
        raise CredentialsError("compromised")
