"""What is kept when something is wrong: the findings, and the signed notes that prove them, as they were received."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledger.audit.findings import Fault, Outcome
from ledger.audit.run import Report
from ledger.audit.state import replace_file
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError, Malformed
from ledger.note import parse_note
from ledger.policy import Policy, verify_checkpoint

FORMAT = "yimen-exhibit/v1"


def exhibit_of(report: Report, where: str) -> dict[str, Any]:
    """As JSON. A note stands once in `notes`, under who showed it."""
    wrong = [one for one in report.findings if one.outcome is Outcome.TAMPERED or one.notes]
    notes = {name: text for one in wrong for name, text in one.notes.items()}
    if report.note is not None and "now" not in notes:
        notes["now"] = bytes(report.note).decode()
    found = [
        {"fault": one.fault.value, "first": one.first, "last": one.last, "about": one.about, "notes": sorted(one.notes)}
        for one in wrong
    ]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"format": FORMAT, "found_at": at, "log": where, "findings": found, "notes": notes}


def write_exhibit(path: Path, report: Report, where: str) -> None:
    """Raises OSError."""
    replace_file(path, json.dumps(exhibit_of(report, where), ensure_ascii=False, indent=1).encode())


def new_name(state: Path | None) -> Path:
    """Never one that is there already."""
    base = state if state is not None else Path("yimen-audit")
    stem = f"{base.name}.exhibit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (base.with_name(f"{stem}{extra}.json") for extra in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


@dataclass(frozen=True, slots=True)
class Shown:
    """`signed`: whose notes carry the log's signature. `contradictions`: pairs that cannot both be true, seen from the
    notes alone: one size, two roots."""

    signed: Mapping[str, Checkpoint]
    contradictions: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]


def read_exhibit(data: bytes, policy: Policy) -> Shown:
    """Raises Malformed."""
    try:
        said = json.loads(data)
        notes = {str(name): str(text) for name, text in said["notes"].items()}
        faults = tuple(Fault(one["fault"]) for one in said["findings"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Malformed("no exhibit of an audit") from None
    signed = {}
    for name, text in notes.items():
        try:
            signed[name] = verify_checkpoint(parse_note(text.encode()), Policy(policy.logs)).checkpoint
        except LedgerError:
            continue
    names = sorted(signed)
    pairs = [(one, two) for at, one in enumerate(names) for two in names[at + 1 :]]
    against = [
        (one, two) for one, two in pairs
        if signed[one].origin == signed[two].origin and signed[one].size == signed[two].size
        and signed[one].root != signed[two].root
    ]  # fmt: skip
    return Shown(signed, tuple(against), faults)
