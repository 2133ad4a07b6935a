"""var/demo.json: what scripts and visitors need of a running demo. Its passwords and keys open the demo and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.accounts import Account
from demo.gateway_process import GatewayPlan
from demo.people import Register
from demo.places import Places
from demo.queries import CASE, STATEMENT, queries
from demo.registrations import AID_APP, BANK_APP, CLIENTS, DESK, EMPLOYER_APP, INSURER_APP, NEIGHBOUR

YIMEN = str(Path(".venv") / "bin" / "yimen")


def card_of(
    places: Places,
    plan: GatewayPlan,
    urls: Mapping[str, str],
    people: Register,
    accounts: Sequence[Account],
    oidc: int | None,
) -> dict[str, Any]:
    """Both aftercare registers live in one department."""
    sources = [(code, url) for code, url in urls.items() if code != "AZBJ"]
    if "AZBJ" in urls:
        sources += [("AZBJ_FS", urls["AZBJ"]), ("AZBJ_N", urls["AZBJ"])]
    keys = places.sub("keys")
    return {
        "gateway": plan.url,
        "graphql": f"{plan.url}/graphql",
        "inbox": f"{plan.url}/demo/inbox",
        "persons": f"{plan.url}/me",
        "oidc_provider": None if oidc is None else f"http://127.0.0.1:{oidc}",
        "accounts": [
            {
                "login": one.login,
                "password": one.password,
                "totp": one.totp,
                "name": one.clerk.name,
                "organisation": one.clerk.org_id,
                "note": one.clerk.story,
            }
            for one in accounts
        ],
        "clients": {client: {"client_id": client, "key": str(keys / f"{client}.jwk")} for client in CLIENTS},
        "tokens": token_commands(plan.url, urls.get("SD"), keys),
        "sources": [{"code": code, "url": url} for code, url in sources],
        "people": [
            {"name": p.name, "idNo": p.id_no, "phone": p.phone, "note": p.note} for p in people.people if p.note
        ],
        "queries": queries(people),
    }


def token_commands(issuer: str, shunde: str | None, keys: Path) -> dict[str, str]:
    """Kind of token -> the command that gets one. `CONSENT_ID` stands for what `script/demo consent bank` shows."""

    def line(client: str, *more: str, at: str = issuer) -> str:
        words = [YIMEN, "token", "--issuer", at, "--client", client, "--key", str(keys / f"{client}.jwk"), *more]
        return shlex.join(words)

    case, consent = ("--case", CASE), ("--consent", "CONSENT_ID", "--fields", *STATEMENT)
    found = {
        "officer": line(DESK, "--officer", "officer-lin", "--purpose", "CC_RECEPTION", *case),
        "prosecutor": line(DESK, "--officer", "prosecutor-mai", "--purpose", "PROC_SUPERVISION", *case),
        "legal aid": line(AID_APP, "--officer", "lawyer-su", "--purpose", "LEGAL_AID_SERVICE", *case),
        "bank": line(BANK_APP, "--purpose", "LOAN_SERVICE", "--case", "loan-2026-118", *consent),
        "bank, to ask for consent": line(BANK_APP, "--scope", "consent:request"),
        "employer": line(EMPLOYER_APP, "--purpose", "EMPLOYMENT", *consent),
        "insurer": line(INSURER_APP, "--purpose", "INSURANCE_SERVICE", *consent),
    }
    if shunde is not None:
        found["neighbour's system"] = line(NEIGHBOUR, "--purpose", "CC_RECEPTION", *case, at=shunde)
    return found
