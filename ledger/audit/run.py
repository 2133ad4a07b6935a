"""One audit, in the order things are believed: others' notes, the checkpoint, its signatures, the entries, the tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ledger.audit import others, previous, state
from ledger.audit.diagnose import Diagnosis
from ledger.audit.entries import EntryChecks, Line
from ledger.audit.findings import Fault, Finding, Outcome, outcome_of
from ledger.audit.source import Lost, Source, Unreachable, read_checkpoint
from ledger.audit.upper import Upper, read_upper
from ledger.audit.walk import Expected, walk
from ledger.checkpoint import Checkpoint
from ledger.errors import InvalidSignature, LedgerError, Malformed
from ledger.note import Note, parse_note
from ledger.policy import Believed, Policy, verify_checkpoint
from ledger.tiles import WIDTH


@dataclass(frozen=True, slots=True)
class Asked:
    """`new_only`: believe the state for what it knows instead of reading it again. `also`: what others were shown.
    `previous`: what is known of the log before this one."""

    policy: Policy
    state: Path | None = None
    new_only: bool = False
    also: Sequence[str] = ()
    previous: Sequence[str] = ()


@dataclass(slots=True)
class Report:
    """`before`: the size of the state's tree. `read`: entries read in this run. `witnesses`: POSIX seconds by name."""

    findings: list[Finding] = field(default_factory=list)
    note: Note | None = None
    checkpoint: Checkpoint | None = None
    witnesses: Mapping[str, int] = field(default_factory=dict)
    before: int | None = None
    read: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    others: int = 0
    chain: previous.Chain = field(default_factory=previous.Chain)
    kept: bool = False

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.findings)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to be told while it runs."""

    progress: Callable[[int, int], None] | None = None
    entry: Callable[[Line], None] | None = None


def audit(source: Source, asked: Asked, opened: others.Opener, watch: Watch | None = None) -> Report:
    """Everything that is found is in the report; raises nothing of its own."""
    report = Report()
    try:
        _audit(source, asked, opened, watch or Watch(), report)
    except Unreachable as error:
        report.findings.append(Finding(Fault.UNREACHABLE, about=str(error)))
    return report


def _audit(source: Source, asked: Asked, opened: others.Opener, watch: Watch, report: Report) -> None:
    try:
        kept = state.load(asked.state) if asked.state is not None else None
    except state.StateDamaged as error:
        report.findings.append(Finding(Fault.STATE_DAMAGED, about=str(error)))
        return
    seen = _read_others(asked, opened, report)  # before the log's own, which can then only be larger
    believed = _read_checkpoint(source, asked.policy, report)
    if believed is None or report.note is None:
        return
    size = believed.checkpoint.size
    if kept is not None:
        report.before = kept.size
        if kept.checkpoint.origin != believed.checkpoint.origin:
            report.findings.append(Finding(Fault.STATE_OF_ANOTHER_LOG, about=kept.checkpoint.origin))
            return
        if size < kept.size:
            notes = {"before": bytes(kept.note).decode(), "now": bytes(report.note).decode()}
            report.findings.append(Finding(Fault.ROLLED_BACK, size, kept.size - 1, notes=notes))
    remembering = state.Remembering(asked.state, kept) if asked.state is not None else None
    try:
        tail, latest = _check_entries(
            source, asked, watch, report, report.note, believed.checkpoint, kept, remembering, seen, opened
        )
        if remembering is not None and report.outcome is Outcome.FINE:
            _keep(remembering, report, report.note, tail, latest)
    finally:
        if remembering is not None and not report.kept:
            remembering.forget()


def _check_entries(
    source: Source, asked: Asked, watch: Watch, report: Report, note: Note, checkpoint: Checkpoint,
    kept: state.Kept | None, remembering: state.Remembering | None, seen: Sequence[others.Other],
    opened: others.Opener,
) -> tuple[bytes, bytes]:  # fmt: skip
    """The tail's leaf hashes and the latest time, for the state."""
    known = kept.roots if asked.new_only and kept is not None and kept.size <= checkpoint.size else b""
    checks = EntryChecks(datetime.now(UTC), listed=watch.entry)
    if known and kept is not None:
        checks.latest = kept.latest
    upper = read_upper(source, checkpoint)
    told = watch.progress
    walked = walk(
        source, checkpoint.size, checks, lambda n: list(_expected(n, upper, kept)), roots=known,
        full=remembering.take if remembering is not None else None,
        progress=None if told is None else lambda done: told(done, checkpoint.size),
    )  # fmt: skip
    report.read, report.kinds = walked.read, {kind.decode(): count for kind, count in checks.kinds.most_common()}
    diagnosis = Diagnosis(source, note, checkpoint, upper, walked, kept)
    report.findings += diagnosis.findings() or _of_entries(checks)
    if diagnosis.true:
        report.chain = previous.follow(diagnosis, checks.first, asked.previous, asked.policy, opened)
        report.findings += report.chain.findings
    for other in seen:
        found = others.compare(diagnosis, other)
        report.others += found is None
        if found is not None:
            report.findings.append(found)
    return walked.tail, checks.latest


def _expected(n: int, upper: Upper, kept: state.Kept | None) -> Iterator[Expected]:
    if (n + 1) * WIDTH <= upper.size:
        yield Expected(root=upper.truth(1, n))
        if kept is not None and n < kept.full:
            yield Expected(root=kept.root(n))
    if kept is not None and n == kept.full and kept.size <= upper.size:
        yield Expected(begins=kept.tail)


def _of_entries(checks: EntryChecks) -> Iterator[Finding]:
    """In a tree that is as it was signed: what the log itself took in and should not have."""
    if checks.bad is not None:
        yield Finding(Fault.BAD_ENTRY, checks.bad, count=checks.bad_count)
    if checks.backwards is not None:
        yield Finding(Fault.TIME_BACKWARDS, checks.backwards, count=checks.backwards_count)
    if checks.ahead is not None:
        yield Finding(Fault.TIME_AHEAD, checks.ahead)


def _read_others(asked: Asked, opened: others.Opener, report: Report) -> list[others.Other]:
    seen = []
    for where in asked.also:
        try:
            seen.append(others.read_other(where, asked.policy, opened))
        except LedgerError as error:
            report.findings.append(Finding(Fault.OTHER_UNREADABLE, about=f"{where}: {error}"))
    return seen


def _read_checkpoint(source: Source, policy: Policy, report: Report) -> Believed | None:
    try:
        data = read_checkpoint(source)
    except Lost as error:
        report.findings.append(Finding(Fault.NO_CHECKPOINT, about=str(error)))
        return None
    except Malformed as error:
        report.findings.append(Finding(Fault.BAD_CHECKPOINT, about=str(error)))
        return None
    shown = {"now": data.decode("utf-8", "backslashreplace")}
    try:
        report.note = parse_note(data)
        believed = verify_checkpoint(report.note, policy)
    except Malformed as error:
        report.findings.append(Finding(Fault.BAD_CHECKPOINT, about=str(error), notes=shown))
        return None
    except InvalidSignature as error:
        report.findings.append(Finding(Fault.BAD_SIGNATURE, about=str(error), notes=shown))
        return None
    report.checkpoint, report.witnesses = believed.checkpoint, believed.witnesses
    if not believed.satisfied:
        missing = ", ".join(name for name in policy.witnesses if name not in believed.witnesses)
        finding = Finding(Fault.MISSING_COSIGNATURES, about=missing, count=len(believed.witnesses), notes=shown)
        report.findings.append(finding)
    return believed


def _keep(remembering: state.Remembering, report: Report, note: Note, tail: bytes, latest: bytes) -> None:
    try:
        remembering.keep(note, tail, latest, report.chain.known)
    except OSError as error:
        report.findings.append(Finding(Fault.STATE_NOT_WRITTEN, about=error.strerror or str(error)))
    else:
        report.kept = True
