"""Offline: a proof, an evidence bundle or an exhibit in a file, and in words what it proves and what it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.audit.exhibit import FORMAT as EXHIBIT
from ledger.audit.exhibit import read_exhibit
from ledger.audit.findings import Outcome
from ledger.audit.texts import LINES, both
from ledger.encoding import hash_of
from ledger.entry import Entry, parse_entry
from ledger.errors import InvalidProof, LedgerError, Malformed, Unreadable
from ledger.evidence import RESULT, parse_evidence, verify_evidence
from ledger.merkle import leaf_hash
from ledger.policy import Policy, parse_policy
from ledger.proof import parse_proof, verify_proof

_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """`facts`: for programs; `lines`: for people."""

    outcome: Outcome
    facts: dict[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


def read_file(path: Path) -> bytes:
    """Raises Unreadable, Malformed."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise Malformed("larger than any evidence")
    return data


def verify(
    data: bytes, policy: Policy | None, *, entry: bytes | None, answer: bytes | None, kept: bytes | None = None
) -> Verdict:
    """A file that cannot be what it claims to be is a finding; one whose keys are only its own is not checked. `kept`: the
    evidence that keeps the receipt a proof is of."""
    try:
        first = data.lstrip()[:1]
        if first == b"{" and _format(data) == EXHIBIT:
            return _exhibit(data, policy)
        if first in (b"{", b"<"):
            return _evidence(data, policy, answer, page=first == b"<")
        return _proof(data, policy, entry) if kept is None else _of_receipt(data, policy, kept)
    except LedgerError as error:
        reason = str(error)
        facts = {"error": type(error).__name__, "reason": reason}
        return Verdict(Outcome.TAMPERED, facts, (both(LINES["bad_file"], reason=reason.rstrip(".")),))


def _format(data: bytes) -> object:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    return said.get("format") if isinstance(said, dict) else None


def _proof(data: bytes, policy: Policy | None, entry: bytes | None) -> Verdict:
    if policy is None:
        return Verdict(Outcome.USAGE, {"reason": "no policy"}, (both(LINES["needs_policy"]),))
    if entry is None:
        return Verdict(Outcome.USAGE, {"reason": "no entry"}, (both(LINES["needs_entry"]),))
    proof = parse_proof(data)
    believed = verify_proof(proof, leaf_hash(entry), policy)
    parsed = parse_entry(entry)
    facts = _facts(proof.index, believed.checkpoint.size, believed.checkpoint.origin, believed.witnesses, parsed)
    lines = (*_proven(facts), both(LINES["not_record"]), both(LINES["not_truth"]))
    return Verdict(Outcome.FINE, facts, lines)


def _of_receipt(data: bytes, policy: Policy | None, kept: bytes) -> Verdict:
    """The proof of another log, for a receipt that a record of ours keeps: `policy` is the other log's."""
    if policy is None:
        return Verdict(Outcome.USAGE, {"reason": "no policy"}, (both(LINES["needs_policy"]),))
    evidence = parse_evidence(kept)
    record = verify_evidence(evidence, parse_policy(evidence.hint)).record
    proof, reasons = parse_proof(data), ["the record keeps no receipt"]
    for receipt in _receipts(record):
        try:
            believed = verify_proof(proof, hash_of(receipt["leafHash"]), policy)
        except LedgerError as error:
            reasons.append(str(error))
            continue
        facts = {
            "index": proof.index, "size": believed.checkpoint.size, "origin": believed.checkpoint.origin,
            "witnesses": dict(believed.witnesses), "receipt": receipt, "record": record.get("id"),
        }  # fmt: skip
        lines = [both(LINES["proves_included"], index=proof.index, size=facts["size"], origin=facts["origin"])]
        if believed.witnesses:
            lines.append(both(LINES["proves_witnessed"], witnesses=", ".join(believed.witnesses)))
        told = {name: str(receipt.get(name, "")) for name in ("source", "id")}
        lines.append(both(LINES["proves_receipt"], ours=record.get("id", ""), **told))
        lines += [both(LINES["receipt_alone"]), both(LINES["not_record"]), both(LINES["not_truth"])]
        return Verdict(Outcome.FINE, facts, tuple(lines))
    raise InvalidProof(reasons[-1])


def _receipts(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those that are one; of the others the record says why they are not."""
    said = record.get("upstream")
    found = said if isinstance(said, list) else []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("leafHash"), str)]


def _evidence(data: bytes, policy: Policy | None, answer: bytes | None, *, page: bool) -> Verdict:
    evidence = parse_evidence(data)
    found = verify_evidence(evidence, policy or parse_policy(evidence.hint), answer=answer)
    facts = _facts(found.index, found.size, found.origin, found.witnesses, found.entry) | {
        "record": found.record, "disclosed": dict(found.disclosed), "blind": list(found.blind),
        "answerChecked": found.answer_checked, "policyGiven": policy is not None,
    }  # fmt: skip
    lines = [*_proven(facts), both(LINES["proves_record"])]
    if found.disclosed:
        lines.append(both(LINES["proves_disclosed"], parts=", ".join(found.disclosed)))
    if found.record.get(RESULT):
        lines.append(both(LINES["proves_answer" if found.answer_checked else "not_answer"]))
    if found.blind:
        lines.append(both(LINES["not_blind"], parts=", ".join(found.blind)))
    lines.append(both(LINES["not_truth"]))
    if page:
        lines.append(both(LINES["not_page"]))
    lines.append(json.dumps(found.record, ensure_ascii=False, indent=1))
    if policy is None:
        lines.insert(0, both(LINES["own_keys"]))
    return Verdict(Outcome.FINE if policy is not None else Outcome.UNCHECKED, facts, tuple(lines))


def _exhibit(data: bytes, policy: Policy | None) -> Verdict:
    if policy is None:
        return Verdict(Outcome.USAGE, {"reason": "no policy"}, (both(LINES["needs_policy"]),))
    shown = read_exhibit(data, policy)
    signed = {name: {"size": one.size, "origin": one.origin} for name, one in shown.signed.items()}
    lines = [both(LINES["exhibit_signed"], name=name, size=one.size) for name, one in shown.signed.items()]
    lines += [both(LINES["exhibit_proves"], one=one, two=two) for one, two in shown.contradictions]
    if not shown.contradictions:
        lines.append(both(LINES["exhibit_alone"]))
    facts = {"signed": signed, "contradictions": shown.contradictions, "faults": shown.faults}
    return Verdict(Outcome.TAMPERED if shown.contradictions else Outcome.UNCHECKED, facts, tuple(lines))


def _facts(index: int, size: int, origin: str, witnesses: Any, entry: Entry) -> dict[str, Any]:
    said = {"time": f"{entry.time:%Y-%m-%dT%H:%M:%SZ}", "actor": entry.actor, "kind": entry.kind}
    return {"index": index, "size": size, "origin": origin, "witnesses": dict(witnesses), "entry": said}


def _proven(facts: dict[str, Any]) -> list[str]:
    lines = [both(LINES["proves_included"], **{name: facts[name] for name in ("index", "size", "origin")})]
    if facts["witnesses"]:
        lines.append(both(LINES["proves_witnessed"], witnesses=", ".join(facts["witnesses"])))
    return [*lines, both(LINES["proves_entry"], **facts["entry"])]
