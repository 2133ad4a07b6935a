"""Evidence files for tests: a log of a few entries, one of which commits to the record given."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ledger.checkpoint import Checkpoint
from ledger.entry import Entry, canonical, commit
from ledger.evidence import Disclosed, Evidence, blind
from ledger.merkle import inclusion_ranges, leaf_hash, root_of
from ledger.note import ED25519, sign_note
from ledger.policy import Policy, parse_policy
from ledger.proof import TlogProof
from tests.ledger.published import signer

ORIGIN = "ledger.example/2026"
LOG = signer(ORIGIN, ED25519)
WITNESSES = {name: signer(f"{name.lower()}.example/w") for name in ("GA", "JCY", "FY", "SFJ", "JY")}
POLICY_TEXT = "".join([
    f"log {LOG.key}\n", *(f"witness {name} {one.key}\n" for name, one in WITNESSES.items()),
    f"group Q 4 {' '.join(WITNESSES)}\nquorum Q\n",
])  # fmt: skip
POLICY: Policy = parse_policy(POLICY_TEXT)
SEED, RESULT_SALT = b"\7" * 32, b"\6" * 16
ANSWER = '{"data":{"person":{"name":"甲"}}}'.encode()
SUBJECTS = ("p-one", "p-two", "p-three")
BY, CASE, INNER = (
    {"user": "u-1", "grant": "g-1"},
    "（2026）粤01刑初1号",
    {"rules": ["R1"], "inputs": '{"age": 40}', "visible_from": None},
)
SIZE, INDEX = 5, 3


def salt(part: str) -> bytes:
    return hmac.digest(SEED, part.encode(), "sha256")


def access(**changed: Any) -> dict[str, Any]:
    return {
        "v": 1, "type": "access", "id": "a-1", "at": "2026-11-25T08:09:10.000001Z", "org": "gd.sfj",
        "recorded_at": "2026-11-25T08:09:10.000002Z", "by": blind(salt("by"), BY), "client": None, "level": "L3",
        "purpose": "COMMUNITY_CORRECTION", "case": blind(salt("case"), CASE), "reference": None, "consent": None,
        "fields": ["person.name"], "decision": "ALLOW", "rules": ["R1"], "basis": ["B1"], "policy": "v7",
        "result": blind_bytes(RESULT_SALT, ANSWER), "states": {"GA_POP": "OK"}, "repeats": 0,
        "inner": blind(salt("inner"), INNER),
        "subjects": [blind(salt(f"mark {one}"), one) for one in SUBJECTS],
    } | changed  # fmt: skip


def blind_bytes(key: bytes, data: bytes) -> str:
    from base64 import b64encode

    return b64encode(hmac.digest(key, data, "sha256")).decode()


def change(**changed: Any) -> dict[str, Any]:
    return {
        "v": 1, "type": "change", "id": "c-1", "at": "2026-11-25T08:09:10.000001Z", "org": "gd.sfj",
        "by": blind(salt("by"), "u-1"), "kind": "CONSENT_GIVEN", "object": blind(salt("object"), "consent-1"),
        "detail": blind(salt("detail"), {"fields": 2}), "subject": blind(salt("mark p"), "s-1"),
    } | changed  # fmt: skip


def alert(**changed: Any) -> dict[str, Any]:
    return {
        "v": 1, "type": "alert", "id": "r-1", "opened_at": "2026-11-25T08:09:10.000001Z", "alert": "A11_INSIDER",
        "severity": "S1", "about": "OFFICER", "about_id": blind(salt("about_id"), "u-1"), "org": "gd.sfj",
        "detail": blind(salt("detail"), {"queries": 900}), "subject": None,
    } | changed  # fmt: skip


def evidence(
    record: Mapping[str, Any] | None = None,
    kind: str = "query",
    disclosed: Mapping[str, Disclosed] | None = None,
    *,
    witnesses: tuple[str, ...] = tuple(WITNESSES),
    result_salt: bytes | None = RESULT_SALT,
) -> Evidence:
    record = access() if record is None else record
    written = canonical(record)
    entry = bytes(Entry(kind, "gd.sfj", datetime(2026, 11, 25, 8, 9, 10, tzinfo=UTC), commit(salt("record"), written)))
    leaves = [leaf_hash(b"%d" % number) for number in range(SIZE)]
    leaves[INDEX] = leaf_hash(entry)
    path = tuple(root_of(leaves[one.start : one.end]) for one in inclusion_ranges(INDEX, SIZE))
    text = Checkpoint(ORIGIN, SIZE, root_of(leaves)).text
    note = sign_note(text, [LOG]).with_signatures(WITNESSES[name].sign(text, 1700000000) for name in witnesses)
    return Evidence(
        entry, record, salt("record"), TlogProof(INDEX, path, note), disclosed or {}, result_salt, POLICY_TEXT
    )


def whole() -> Evidence:
    """With everything disclosed."""
    return evidence(disclosed={
        "by": Disclosed(salt("by"), BY), "case": Disclosed(salt("case"), CASE), "inner": Disclosed(salt("inner"), INNER),
        **{f"subjects/{at}": Disclosed(salt(f"mark {one}"), one) for at, one in enumerate(SUBJECTS)},
    })  # fmt: skip
