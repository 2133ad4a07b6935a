"""The consent receipt: what was agreed, signed by us, for the person to keep and anyone to check.

The record's shape follows ISO/IEC TS 27560:2023 (record, processing, parties, events; our spec crib, section 12). The
receipt is a JWS, `typ` consent-receipt+jwt, under the gateway's published keys. The person stands in it as a pseudonym
that means nothing to the grantee.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from gateway.consent.consent import Consent, Terms
from gateway.consent.notice import LANGUAGE, Notice

RECEIPT_TYP = "consent-receipt+jwt"
SCHEMA = "27560-like/1"
_RECORD_VERSION = 2  # event 1 asked, event 2 gave; a receipt is only ever of the second


class ReceiptSigner(Protocol):
    async def sign(self, typ: str, claims: Mapping[str, Any]) -> str:
        """A compact JWS with `typ`, under the gateway's signing key in force."""
        ...


def receipt_claims(
    consent: Consent, notice: Notice, *, issuer: str, principal: str, legal_basis: str, method: str, at: datetime
) -> dict[str, Any]:
    """What is signed. `principal` is the person's pairwise pseudonym towards the gateway itself."""
    terms = consent.terms
    return {
        "iss": issuer,
        "iat": int(at.timestamp()),
        "jti": consent.consent_id,
        "record": {
            "schema": SCHEMA,
            "record_id": consent.consent_id,
            "pii_principal_id": principal,
            "version": _RECORD_VERSION,
        },
        "processing": {
            "privacy_notice": {"version": notice.version, "sha256": notice.sha256, "lang": LANGUAGE},
            "purposes": [_purpose(terms, notice, issuer, consent.consent_id, legal_basis)],
        },
        "parties": [
            {"id": issuer, "role": "controller"},
            {"id": terms.org_id, "name": notice.organisation.zh, "client_id": terms.client_id, "role": "third_party"},
        ],
        "events": [
            {"state": "requested", "at": _text(consent.asked_at), "by": "grantee"},
            {
                "state": "given",
                "at": _text(at),
                "by": "principal",
                "method": method,
                "valid_from": _text(terms.starts_at),
                "valid_until": _text(terms.until),
            },
        ],
    }


def _purpose(terms: Terms, notice: Notice, issuer: str, consent_id: str, legal_basis: str) -> dict[str, Any]:
    return {
        "code": terms.purpose,
        "description": notice.purpose.zh,
        "lawful_basis": "consent",
        "legal_basis": legal_basis,
        "pii": [
            {"type": item, "title": title.zh, "mandatory": True}
            for item, title in zip(terms.items, notice.items, strict=True)
        ],
        "recipients": [{"party_id": terms.org_id, "role": "recipient"}],
        "processing": ["disclose"],
        "access": {"mode": terms.mode, "max_per_day": terms.max_per_day},
        "reference": terms.reference,
        "withdrawal": f"{issuer}/me/consents/{consent_id}",
    }


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
