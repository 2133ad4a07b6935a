"""`script/bench --ledger [append|audit|list|witness]`: what the ledger costs. Writes bench/LEDGER.md when all were asked for.

One figure after the other, so that none disturbs another.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil
import uvloop

from bench import ledger_append, ledger_audit, ledger_query, ledger_witness
from bench.access import Line
from bench.machine import commit, machine
from demo.processes import Children

_HOME = Path("var/bench")
_RESULTS = Path(__file__).parent / "LEDGER.md"
_LONGEST_S = 330  # one whole run; what has not begun by then is left out, and said to be
_WITNESS_ROUNDS = 300
_AUDITED = 1_000_000
_AUDITS = 3


def append_lines(found: ledger_append.Found) -> list[Line]:
    middle = {name: median(rates) for name, rates in found.rates.items()}
    beside = median(mine / plain for mine, plain in zip(found.rates["ours"], found.rates["plain"], strict=True))
    times = median(mine / chain for mine, chain in zip(found.rates["ours"], found.rates["chain"], strict=True))
    busy, calm = percentile(found.waited_s, 99), percentile(found.calm_s, 99)
    return [
        Line("a plain audit INSERT, PostgreSQL, 32 connections", f"{middle['plain']:,.0f}/s"),
        Line("an append there", f"{middle['ours']:,.0f}/s, {beside:.2f} of it", ">= 0.9", beside >= 0.9),
        Line("a chain of hashes there, row by row", f"{middle['chain']:,.0f}/s; an append is {times:.1f} times that",
             ">= 8", times >= 8),
        Line("an append, SQLite, 16 callers", f"{middle['sqlite']:,.0f}/s", ">= 15,000/s", middle["sqlite"] >= 15_000),
        Line("commit to kept checkpoint, p99, under that load", f"{busy * 1e3:.0f} ms", "< 500 ms", busy < 0.5),
        Line("the same at 50 appends a second", f"{calm * 1e3:.0f} ms", "< 500 ms", calm < 0.5),
        Line("not yet sequenced when a block ended, at most", f"{max(found.left):,}"),
    ]  # fmt: skip


def witness_lines(found: ledger_witness.Found) -> list[Line]:
    sealed, alone = found.sealed_s, found.answered_s
    p99 = percentile(sealed, 99)
    return [
        Line("four of five witnesses have cosigned, p99", f"{p99 * 1e3:.1f} ms (p50 {median(sealed) * 1e3:.1f})",
             "< 50 ms", p99 < 0.05),
        Line("one of the five has, p99", f"{percentile(alone, 99) * 1e3:.1f} ms (p50 {median(alone) * 1e3:.1f})"),
    ]  # fmt: skip


def query_lines(found: ledger_query.Found) -> list[Line]:
    lines = []
    for question, goal in (("list", 1.15), ("one", None)):
        on, off = (found.rounds[name].cpu(question) or 0.0 for name in (ledger_query.ON, ledger_query.OFF))
        times = found.times(question)
        figure = f"{on:.2f} ms, without {off:.2f}: {times:.2f} times"
        met = None if goal is None else times <= goal
        lines.append(
            Line(f"`{question}` with the ledger and five witnesses", figure, f"<= {goal} times" if goal else "", met)
        )
    on_, off_ = (found.idle[name] * 100 for name in (ledger_query.ON, ledger_query.OFF))
    lines.append(Line("a gateway nobody asks", f"{on_:.2f} % of a CPU, without a ledger {off_:.2f}", "< 1 %", on_ < 1))
    return lines


def audit_lines(runs: Sequence[ledger_audit.Run], small: ledger_audit.Run) -> list[Line]:
    seconds = median(run["seconds"] for run in runs)
    most, little = max(run["more_mib"] for run in runs), small["more_mib"]
    return [
        Line(f"a full audit of {_AUDITED:,} entries", f"{seconds:.1f} s", "< 20 s", seconds < 20),
        Line("its memory above the start", f"{most:.1f} MiB, of a tenth of it {little:.1f}", "flat", most - little < 8),
    ]


def percentile(values: Sequence[float], per_cent: int) -> float:
    """The smallest value that is no less than so many of them."""
    return sorted(values)[max(0, math.ceil(len(values) * per_cent / 100) - 1)]


def _append(rounds: int) -> list[Line]:
    return append_lines(ledger_append.measure(min(rounds, 3)))


def _witness(rounds: int) -> list[Line]:
    children = Children(_HOME / "logs")
    try:
        return witness_lines(uvloop.run(ledger_witness.measured(_HOME / "ledger-witnesses", _WITNESS_ROUNDS, children)))
    finally:
        children.stop()


def _list(rounds: int) -> list[Line]:
    children = Children(_HOME / "logs")
    try:
        return query_lines(uvloop.run(ledger_query.measured(_HOME, rounds, children)))
    finally:
        children.stop()


def _audit(rounds: int) -> list[Line]:
    folder, small = ledger_audit.made(_AUDITED), ledger_audit.made(_AUDITED // 10)
    runs = [ledger_audit.measure(str(folder), folder) for _ in range(_AUDITS)]
    return audit_lines(runs, ledger_audit.measure(str(small), small))


PARTS: dict[str, Callable[[int], list[Line]]] = {
    "list": _list, "witness": _witness, "append": _append, "audit": _audit,
}  # fmt: skip


def written(lines: Sequence[Line], rounds: int, load: Sequence[float], took_s: float) -> str:
    return "\n".join(
        [
            "# What the ledger costs",
            "",
            "Written by `script/bench --ledger`; do not edit, run it again. Medians; contenders that are compared took turns.",
            f"Appends: blocks of {ledger_append.BLOCK_S} s on one server, each append its own transaction, while the sequencer",
            "numbers, signs and keeps checkpoints beside it. Questions: CPU ms of the gateway's whole process,",
            f"{rounds} rounds; without a ledger is a gateway only bench/ledgerless.py can put together.",
            "Witnesses: five processes on loopback, each of which syncs its state before it answers.",
            "",
            f"Machine: {machine()}. {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, yimen at {commit()}, {took_s:.0f} s.",
            f"Load average at the beginning {load[0]:.1f}, at the end {psutil.getloadavg()[0]:.1f}.",
            "",
            "| | figure | goal | |",
            "|---|---|---|---|",
            *map(str, lines),
            "",
        ]
    )  # fmt: skip


def main(what: str, rounds: int) -> int:
    """0 when nothing asked for was missed. `what`: a part, or "all"."""
    lines: list[Line] = []
    load, began, late = psutil.getloadavg(), time.monotonic(), False
    for name, part in PARTS.items():
        if what not in ("all", name):
            continue
        if late := time.monotonic() - began > _LONGEST_S:
            lines.append(Line(name, "not measured: too late", "", False))
            continue
        print(f"bench: {name}", file=sys.stderr, flush=True)
        lines += part(rounds)
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    text = written(lines, rounds, load, time.monotonic() - began)
    print(text)
    if what == "all" and not late:
        _RESULTS.write_text(text, encoding="utf-8")
    return int(any(line.met is False for line in lines))
