"""As which kind of entry a change shows in the log: coarse, and from a closed set."""

from __future__ import annotations

_WHOLE = {"PERSON_ERASED": "erasure", "GRANT_CREATED": "client", "DOCUMENT_ACKNOWLEDGED": "acknowledgement"}
_ENDS = {"_REVOKED": "revocation", "_READ": "oversight"}
_BEGINS = {
    "CONSENT_": "consent", "POLICY_": "policy", "ORG_": "identity", "ORGANISATION_": "identity", "OFFICER_": "identity",
    "PERSON_": "identity", "LOGIN_": "identity", "LOGGED_": "identity", "POST_": "identity", "DEVICE_": "identity",
    "CLIENT_": "client", "SIGNING_KEY_": "key", "SUBJECT_KEY_": "key", "LEDGER_KEY_": "key",
    "BREAK_GLASS_": "emergency", "CASE_": "case", "RELATIONSHIP_": "case", "SEAL_": "case", "UNSEAL_": "case",
    "MONITORING_": "case",
    "CREDENTIAL_": "credential", "PRESENTATION_": "credential", "DOCUMENT_": "document", "DISPUTE_": "dispute",
}  # fmt: skip
_OF_PERSONS = frozenset({
    "CONSENT_GIVEN", "CONSENT_REFUSED", "CONSENT_WITHDRAWN",
    # What a tap on a phone brings about at once: whoever stands beside it would learn which body has a case of that person.
    "CREDENTIAL_OFFER_REDEEMED", "CREDENTIAL_OFFER_BURNT", "CREDENTIAL_GRANTED", "CREDENTIAL_ISSUED",
})  # fmt: skip


def change_kind(kind: str) -> str:
    """An entry's kind (ledger.entry.KINDS) for the kind of a `Change`."""
    if kind in _WHOLE:
        return _WHOLE[kind]
    for end, name in _ENDS.items():
        if kind.endswith(end):
            return name
    return next((name for begin, name in _BEGINS.items() if kind.startswith(begin)), "change")


def is_own_doing(kind: str, actor_user: str) -> bool:
    """Whether a person did it for themselves: the log then never names the body it concerns."""
    return kind in _OF_PERSONS or (actor_user == "person" and kind != "CONSENT_EXPIRED")


def tells_too_much(kind: str) -> bool:
    """Whether the moment alone would tell somebody what they are not to learn: the partner who waits for an answer, with
    the person at the counter perhaps, that it was no; the officer who just asked, that a supervisor looked."""
    return kind == "CONSENT_REFUSED" or kind.startswith("ALERT_") or kind.endswith("_READ")
