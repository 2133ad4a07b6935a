"""A report in words, and as JSON."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from ledger.audit.findings import Fault, Finding, Outcome
from ledger.audit.run import Report
from ledger.audit.texts import LINES, NAMES, OUTCOMES, SAYS, both
from ledger.encoding import b64

MOST_FINDINGS = 20
_WHOLE_RANGE = frozenset({Fault.LOST_ENTRIES, Fault.LOST_TILE, Fault.ROLLED_BACK})
_BAR = 30


def in_words(report: Report, *, seconds: float, new_only: bool, state: bool) -> str:
    lines = [both(OUTCOMES[report.outcome]), ""]
    for finding in report.findings[:MOST_FINDINGS]:
        lines += [finding_in_words(finding), ""]
    if len(report.findings) > MOST_FINDINGS:
        lines.append(both(LINES["more"], count=len(report.findings) - MOST_FINDINGS))
    if report.checkpoint is not None:
        known = {"origin": report.checkpoint.origin, "size": report.checkpoint.size}
        lines.append(both(LINES["checked"], **known, read=report.read, seconds=f"{seconds:.1f}"))
        if report.witnesses:
            lines.append(both(LINES["witnesses"], witnesses=_witnesses(report)))
    if report.outcome is Outcome.FINE:
        if report.before is not None:
            lines.append(both(LINES["before"], before=report.before))
        if new_only and report.before:
            lines.append(both(LINES["new_only"]))
        if report.chain.checked and (named := report.chain.named) is not None:
            lines.append(both(LINES["previous"], origin=named.origin, size=named.size))
        if report.others:
            lines.append(both(LINES["others"], others=report.others))
    if state:
        lines.append(both(LINES["kept" if report.kept else "not_kept"]))
    return "\n".join(lines)


def finding_in_words(finding: Finding) -> str:
    """`entry 512 (edited entry): ...`, in both languages."""
    if finding.first is None:
        where = LINES["log"]
    elif finding.last is None or finding.last == finding.first:
        where = LINES["entry"]
    else:
        where = LINES["range" if finding.fault in _WHOLE_RANGE else "one_of"]
    values = {"first": finding.first, "last": finding.last, "about": finding.about, "count": finding.count}
    zh, en = (one.format(**values) for one in where)
    name_zh, name_en = NAMES[finding.fault]
    says_zh, says_en = (one.format(**values) for one in SAYS[finding.fault])
    return f"{zh}（{name_zh}）：{says_zh}\n{en} ({name_en}): {says_en}"


def as_json(report: Report, *, where: str, seconds: float, exhibit: str | None) -> dict[str, Any]:
    checkpoint = report.checkpoint
    return {
        "outcome": report.outcome.name,
        "exit": int(report.outcome),
        "log": where,
        "origin": checkpoint.origin if checkpoint else None,
        "size": checkpoint.size if checkpoint else None,
        "root": b64(checkpoint.root) if checkpoint else None,
        "witnesses": {name: _time(at) for name, at in report.witnesses.items()},
        "before": report.before,
        "read": report.read,
        "kinds": dict(report.kinds),
        "others": report.others,
        "previous": _previous(report),
        "stateKept": report.kept,
        "seconds": round(seconds, 3),
        "exhibit": exhibit,
        "findings": [finding_as_json(one) for one in report.findings],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """`last` is null where `first` is known to be the first bad entry."""
    zh, _, en = finding_in_words(finding).partition("\n")
    return {
        "fault": finding.fault.value, "outcome": finding.outcome.name, "first": finding.first, "last": finding.last,
        "about": finding.about, "count": finding.count, "zh": zh, "en": en,
    }  # fmt: skip


class Bar:
    """On a terminal only."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream, self._shown = stream, -1

    def __call__(self, done: int, size: int) -> None:
        share = done * 100 // max(size, 1)
        if share != self._shown:
            self._shown, full = share, share * _BAR // 100
            self._stream.write(f"\r[{'#' * full}{'.' * (_BAR - full)}] {share:3}%  {done}/{size}")
            self._stream.flush()

    def done(self) -> None:
        if self._shown >= 0:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _previous(report: Report) -> dict[str, Any] | None:
    named = report.chain.named
    return None if named is None else {"origin": named.origin, "size": named.size, "checked": report.chain.checked}


def _witnesses(report: Report) -> str:
    return ", ".join(f"{name} ({_time(at)})" for name, at in report.witnesses.items())


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
