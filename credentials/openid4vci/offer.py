"""Credential offers and the links that carry them (OpenID4VCI 1.0, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

PRE_AUTHORIZED_GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
SCHEME, HAIP_SCHEME = "openid-credential-offer", "haip-vci"


def pre_authorized_offer(
    issuer: str, configuration_ids: Sequence[str], code: str, *, tx_digits: int | None, tx_description: str = ""
) -> dict[str, Any]:
    """`tx_digits` None: no transaction code is asked for; else how many digits the holder types."""
    grant: dict[str, Any] = {"pre-authorized_code": code}
    if tx_digits is not None:
        grant["tx_code"] = {"input_mode": "numeric", "length": tx_digits}
        if tx_description:
            grant["tx_code"]["description"] = tx_description
    return _offer(issuer, configuration_ids, {PRE_AUTHORIZED_GRANT: grant})


def authorization_offer(issuer: str, configuration_ids: Sequence[str], issuer_state: str) -> dict[str, Any]:
    """`issuer_state` comes back with the authorization request, and tells which offer it is about."""
    return _offer(issuer, configuration_ids, {"authorization_code": {"issuer_state": issuer_state}})


def offer_uri(issuer: str, reference: str) -> str:
    """Where the offer is read, again and again; nothing in it opens anything by itself."""
    return f"{issuer}/openid4vci/offers/{reference}"


def wallet_link(issuer: str, reference: str) -> str:
    """For the built-in wallet: a page, so any browser opens it."""
    return f"{issuer}/wallet?" + urlencode({"credential_offer_uri": offer_uri(issuer, reference)})


def other_link(issuer: str, reference: str, *, haip: bool = False) -> str:
    """For whatever wallet the phone has (section 4.1.3)."""
    scheme = HAIP_SCHEME if haip else SCHEME
    return f"{scheme}://?" + urlencode({"credential_offer_uri": offer_uri(issuer, reference)})


def _offer(issuer: str, configuration_ids: Sequence[str], grants: dict[str, Any]) -> dict[str, Any]:
    return {
        "credential_issuer": issuer,
        "credential_configuration_ids": list(dict.fromkeys(configuration_ids)),
        "grants": grants,
    }
