"""The clients of the demo as RFC 7591 metadata for `yimen clients import`, and their keys under var/demo/keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.oauth_jose import SigningKey
from demo.bodies import AGENCY, BANK, EMPLOYER, INSURER, LEGAL_AID, posts
from demo.places import write_private

CALLBACK = "http://127.0.0.1:8765/callback"
DESK, AID_APP, BANK_APP, EMPLOYER_APP, INSURER_APP = (
    "yimen-desk",
    "legal-aid-app",
    "bank-app",
    "employer-app",
    "insurer-app",
)
ARCHIVE, NEIGHBOUR = "archive-rs", "gateway-cc"
PRESENTING = "presentation:create"
CLIENTS = (DESK, AID_APP, BANK_APP, EMPLOYER_APP, INSURER_APP, ARCHIVE, NEIGHBOUR)


def client_key(keys: Path, client_id: str) -> SigningKey:
    """The client's own key, made once; 0600."""
    path = keys / f"{client_id}.jwk"
    if not path.exists():
        write_private(path, json.dumps(SigningKey.new().jwk()))
    return SigningKey.read(path.read_text(encoding="utf-8"))


def chancheng_clients(keys: Path, bank_url: str = "") -> list[dict[str, Any]]:
    """Who may ask at Chancheng's gateway. `bank_url`: where the bank's website takes customers back from their wallets."""
    state = sorted({code for post in posts() if post.org_id != LEGAL_AID for code in post.purposes})
    return [
        _officers(keys, DESK, "社区矫正经办端", AGENCY, "CORRECTION_AGENCY", state, "440604"),
        _officers(keys, AID_APP, "法律援助办案端", LEGAL_AID, "LEGAL_AID", ["LEGAL_AID_SERVICE"], "440604"),
        _partner(keys, BANK_APP, "惠民银行信贷系统", BANK, "BANK", ["LOAN_SERVICE"])
        | ({"redirect_uris": [f"{bank_url}/back"]} if bank_url else {}),
        _partner(keys, EMPLOYER_APP, "明达纺织人事系统", EMPLOYER, "EMPLOYER", ["EMPLOYMENT"]),
        _partner(keys, INSURER_APP, "安民保险承保系统", INSURER, "INSURER", ["INSURANCE_SERVICE"]),
        {
            **_common(keys, ARCHIVE, "电子卷宗(资源服务器)", AGENCY, "CORRECTION_AGENCY", [], "440604"),
            "kind": "SYSTEM",
            "is_resource_server": True,
        },
    ]


def shunde_clients(keys: Path) -> list[dict[str, Any]]:
    """Who may ask at Shunde's: Chancheng's gateway itself, a client that acts for its agency."""
    purposes = ["CC_RECEPTION", "CC_TRANSFER", "CC_PLAN", "CC_SUPERVISION", "CREDENTIAL_ISSUE", "CREDENTIAL_RECHECK"]
    common = _common(keys, NEIGHBOUR, "禅城区一门", AGENCY, "CORRECTION_AGENCY", purposes, "440604")
    return [{**common, "kind": "SYSTEM", "grant_types": ["client_credentials"], "roles": ["JUSTICE_OFFICER"]}]


def _officers(
    keys: Path, client_id: str, name: str, org_id: str, kind: str, purposes: Sequence[str], jurisdiction: str
) -> dict[str, Any]:
    return {
        **_common(keys, client_id, name, org_id, kind, purposes, jurisdiction),
        "kind": "OFFICER",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [CALLBACK],
    }


def _partner(keys: Path, client_id: str, name: str, org_id: str, kind: str, purposes: Sequence[str]) -> dict[str, Any]:
    return {
        **_common(keys, client_id, name, org_id, kind, purposes, ""),
        "kind": "PARTNER",
        "grant_types": ["client_credentials"],
        "scope": f"graphql consent:request {PRESENTING}",
    }


def _common(
    keys: Path, client_id: str, name: str, org_id: str, kind: str, purposes: Sequence[str], jurisdiction: str
) -> dict[str, Any]:
    public = {part: value for part, value in client_key(keys, client_id).jwk().items() if part != "d"}
    return {
        "client_id": client_id,
        "client_name": name,
        "org_id": org_id,
        "org_kind": kind,
        "jurisdiction": jurisdiction,
        "purposes": list(purposes),
        "jwks": {"keys": [public]},
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
    }
