"""Every kind of change there is anywhere shows in the ledger as what it was meant to: none by accident, none forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway
from gateway.consent.consent import ConsentState
from gateway.store.recording.kinds import change_kind, is_own_doing
from ledger.entry import KINDS

ROOT = Path(gateway.__file__).parent
SHOWN = {
    "identity": [
        "ORGANISATION_ADDED", "ORGANISATION_CHANGED", "ORGANISATION_DEACTIVATED", "OFFICER_ADDED", "OFFICER_CHANGED",
        "OFFICER_DEACTIVATED", "POST_ADDED", "POST_CHANGED", "POST_DEACTIVATED", "DEVICE_BOUND", "DEVICE_UNBOUND",
        "OFFICER_INVITED", "PERSON_ENROLLED", "LOGIN_SET", "LOGIN_LINKED", "LOGIN_FAILED", "LOGGED_IN",
    ],
    "consent": [f"CONSENT_{state.name}" for state in ConsentState],
    "client": [
        "CLIENT_REGISTERED", "CLIENT_KEYS_ROTATED", "CLIENT_DISABLED", "CLIENT_ENABLED", "CLIENT_INVITED",
        "CLIENT_SUSPENDED", "CLIENT_SUSPENSION_LIFTED", "CLIENT_LIMITS_CHANGED", "GRANT_CREATED",
    ],
    "revocation": ["GRANT_REVOKED", "TOKENS_REVOKED", "CREDENTIAL_REVOKED"],
    "policy": ["POLICY_PROPOSED", "POLICY_APPROVED"],
    "key": ["SIGNING_KEY_ROTATED", "SIGNING_KEY_MADE", "SIGNING_KEY_COMPROMISED", "SIGNING_KEY_CERTIFIED"],
    "emergency": ["BREAK_GLASS_OPENED", "BREAK_GLASS_APPROVED"],
    "case": [
        "CASE_CHANGED", "CASE_PARTY_CHANGED", "CASE_ASSIGNMENT_CHANGED", "RELATIONSHIP_CHANGED", "SEAL_CHANGED",
        "UNSEAL_ORDER_CHANGED", "MONITORING_ORDER_CHANGED",
    ],
    "oversight": ["LOG_READ", "CHANGES_READ", "EVIDENCE_READ", "ALERTS_READ", "IDENTITIES_READ"],
    "credential": [
        "CREDENTIAL_OFFERED", "CREDENTIAL_OFFER_CANCELLED", "CREDENTIAL_OFFER_REDEEMED", "CREDENTIAL_OFFER_BURNT",
        "CREDENTIAL_GRANTED", "CREDENTIAL_GRANT_ENDED", "CREDENTIAL_ISSUED", "CREDENTIAL_SUSPENDED",
        "CREDENTIAL_REINSTATED", "CREDENTIAL_FACTS_CHANGED", "PRESENTATION_CREATED", "PRESENTATION_ANSWERED", "PRESENTATION_RETRIEVED",
    ],
    "dispute": ["DISPUTE_OPENED", "DISPUTE_CORRECTED", "DISPUTE_REFUSED", "DISPUTE_WITHDRAWN"],
    "erasure": ["PERSON_ERASED"],
    # What an officer does about an alert would, under a name of its own, tell the watched body that there is one.
    "change": ["ALERT_ACKNOWLEDGED", "ALERT_CLOSED", "LEDGER_SHARD_BEGUN"],
}  # fmt: skip
LATER = {"DOCUMENT_SENT": "document", "DOCUMENT_ACKNOWLEDGED": "acknowledgement"}
"""Of the issues that come after this one; `query`, `refusal`, `alert` and `log` are no changes."""
ELSEWHERE = {
    "services/erase_person.py": ("services/erase_person.py", r"PERSON_[A-Z]+"),
    "store/alert_log.py": ("store/alert_log.py", r"ALERT_[A-Z]+"),
    "store/case_facts.py": ("store/case_facts.py", r"[A-Z_]+_CHANGED"),
    "store/consents.py": ("store/consents.py", r"CONSENT_[A-Z]+"),
    "store/credentials/key_changes.py": ("store/credentials/key_changes.py", r"SIGNING_KEY_[A-Z]+"),
    "store/identity_changes.py": ("services/identity_plan.py", r"[A-Z]+_(?:[A-Z]*BOUND)"),
    "store/oauth_clients.py": ("store/oauth_clients.py", r"CLIENT_(?:REGISTERED|KEYS_ROTATED|DISABLED|ENABLED)"),
}
"""Where a change is made with a kind that is worked out: in which file its words stand, and how they look."""
NO_CHANGES = {"CONSENT_REFERENCE_TAKEN"}


def made() -> Iterator[tuple[str, str | None]]:
    """File and kind of each `Change(...)`; None where the kind is no literal."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Change":
                first = node.args[0]
                kind = first.value if isinstance(first, ast.Constant) else None
                yield path.relative_to(ROOT).as_posix(), kind


def words(file: str, form: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {text for text in texts if re.fullmatch(form, text)} - NO_CHANGES


def test_every_kind_that_is_written_anywhere_is_in_the_table() -> None:
    found = {kind for _, kind in made() if kind is not None}
    for file, form in ELSEWHERE.values():
        found |= words(file, form)
    found |= {f"CONSENT_{state.name}" for state in ConsentState}
    listed = {kind for kinds in SHOWN.values() for kind in kinds}
    assert found - listed == set()
    derived = {kind for kind in listed if kind.startswith(("ORGANISATION_", "OFFICER_", "POST_"))}
    assert listed - found - derived == set()


def test_no_kind_is_worked_out_where_this_test_does_not_look() -> None:
    assert {file for file, kind in made() if kind is None} == set(ELSEWHERE)


@pytest.mark.parametrize(("kind", "shown"), [(kind, shown) for shown, kinds in SHOWN.items() for kind in kinds])
def test_a_change_shows_as_what_it_is(kind: str, shown: str) -> None:
    assert change_kind(kind) == shown


@pytest.mark.parametrize(
    ("kind", "by", "own"),
    [
        ("CREDENTIAL_OFFERED", "officer-lin", False),
        ("CREDENTIAL_OFFER_CANCELLED", "officer-lin", False),
        ("CREDENTIAL_OFFER_REDEEMED", "wallet", True),
        ("CREDENTIAL_OFFER_BURNT", "wallet", True),
        ("CREDENTIAL_GRANTED", "wallet", True),
        ("CREDENTIAL_ISSUED", "credential-issuer", True),  # at the moment of a tap
        ("CREDENTIAL_REVOKED", "credential-recheck", False),
        ("CREDENTIAL_REVOKED", "person", True),
        ("DISPUTE_OPENED", "person", True),
        ("DISPUTE_CORRECTED", "officer-lin", False),
        ("CONSENT_WITHDRAWN", "person", True),
        ("CONSENT_EXPIRED", "person", False),
    ],
)
def test_what_a_person_does_names_no_body(kind: str, by: str, own: bool) -> None:
    assert is_own_doing(kind, by) is own


@pytest.mark.parametrize(("kind", "shown"), LATER.items())
def test_what_comes_later_has_its_kind_already(kind: str, shown: str) -> None:
    assert change_kind(kind) == shown


def test_every_kind_of_entry_is_written_by_something() -> None:
    assert {"query", "refusal", "alert", "log", *SHOWN, *LATER.values()} == KINDS
    assert change_kind("ANYTHING_ELSE") == "change"
