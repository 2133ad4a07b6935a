"""The figures as a page: bench/RESULTS.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from bench.contenders import Field
from bench.load import CONNECTIONS
from bench.machine import commit, machine
from bench.measure import SLOW_MS, Measured, Plan, Point
from bench.split import Split

RSS_GOAL_MIB = 150.0
ADDED_GOAL_MS = 10.0
_FLAT = 0.05  # of the start of the second half: what an allocator's noise may be


@dataclass(frozen=True, slots=True)
class Results:
    """All one run found."""

    plan: Plan
    field: Field
    measured: dict[str, Measured]
    alone_ms: float
    points: list[Point]
    splits: list[Split]


def written(results: Results) -> str:
    """The whole page."""
    return "\n".join([*_head(results), *_table(results), *_goals(results), *_soak(results), *_split(results)]) + "\n"


def _head(results: Results) -> list[str]:
    plan = results.plan
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    return [
        "# Figures beside peers",
        "",
        "Written by `script/bench`; do not edit, run it again. CPU is process CPU time (children included) per request,",
        f"the median of {plan.rounds} interleaved rounds ({plan.requests['list']} list and {plan.requests['one']} one "
        f"requests a block, {CONNECTIONS} keep-alive connections); lowest and highest round in brackets.",
        "list = 20 persons x 3 departments, one = 1 person x 3 departments, 4 leaves a record; every contender batches to",
        "one upstream call a department. yimen alone checks a token and a purpose, decides policy, matches persons,",
        "records evidence durably (SQLite, FULL) before release; no contender caches answers.",
        "",
        f"Machine: {machine()}. {datetime.now(UTC):%Y-%m-%d}, yimen at {commit()}.",
        f"Load average of the whole machine at the end (1, 5, 15 min): {load}; the bench alone makes about 1.5.",
        "",
    ]


def _table(results: Results) -> list[str]:
    lines = [
        "| | list CPU ms | one CPU ms | RSS MiB start | RSS MiB after rounds | added ms at p50 |",
        "|---|---|---|---|---|---|",
    ]
    for contender in results.field.contenders:
        found = results.measured[contender.name]
        added = "-" if found.added_ms is None else f"{found.added_ms:.1f}"
        memory = f"{found.rss_start:.0f} | {found.rss_rounds:.0f} | {added}"
        lines.append(f"| {contender.title} | {_cpu(found, 'list')} | {_cpu(found, 'one')} | {memory} |")
        if "list+envelope" in contender.questions:
            envelope = f"{_cpu(found, 'list+envelope')} | {_cpu(found, 'one+envelope')}"
            lines.append(f"| {contender.name}, with the envelope of every part | {envelope} | | | |")
    lines += [f"| {name} | not measured: {' '.join(why.split())[:200]} | | | | |"
              for name, why in results.field.absent.items()]  # fmt: skip
    return [*lines, ""]


def _goals(results: Results) -> list[str]:
    ours = results.measured.get("yimen")
    if ours is None:
        return []
    lines = ["## Goals", "", "| goal | figure | |", "|---|---|---|"]
    stock = results.measured.get("strawberry")
    for question in ("list", "one"):
        mine, theirs = ours.cpu(question), stock.cpu(question) if stock else None
        if mine is not None and theirs is not None:
            lines.append(
                f"| {question}: CPU no worse than stock strawberry with caches ({theirs:.2f} ms) | {mine:.2f} ms "
                f"({mine / theirs:.2f} x) | {_met(mine <= theirs)} |"
            )
    if ours.added_ms is not None:
        slow = f"departments at {SLOW_MS:.0f} ms, alone {results.alone_ms:.1f} ms at p50"
        lines.append(
            f"| added latency over the slowest source, idle, p50 <= {ADDED_GOAL_MS:.0f} ms ({slow}) "
            f"| {ours.added_ms:.1f} ms | {_met(ours.added_ms <= ADDED_GOAL_MS)} |"
        )
    highest = max([ours.rss_rounds, *(point.rss_mib for point in results.points)])
    lines.append(f"| RSS <= {RSS_GOAL_MIB:.0f} MiB | {highest:.0f} MiB | {_met(highest <= RSS_GOAL_MIB)} |")
    return [*lines, ""]


def _soak(results: Results) -> list[str]:
    if not results.points:
        return []
    half = results.points[len(results.points) // 2]
    last = results.points[-1]
    growth = last.rss_mib - half.rss_mib
    flat = _met(growth <= half.rss_mib * _FLAT)
    cells = " | ".join(f"{point.rss_mib:.1f}" for point in results.points)
    return [
        f"## Memory over {last.requests:,} small queries",
        "",
        "| queries | " + " | ".join(f"{point.requests:,}" for point in results.points) + " |",
        "|---" * (len(results.points) + 1) + "|",
        f"| RSS MiB | {cells} |",
        "| CPU ms a request | - | " + " | ".join(f"{point.cpu_ms:.2f}" for point in results.points[1:]) + " |",
        "",
        f"Second half: {growth:+.1f} MiB; goal flat: {flat}. `script/bench --soak 100000` for the long run.",
        "",
    ]


def _split(results: Results) -> list[str]:
    lines: list[str] = []
    for one in results.splits:
        lines += [
            f"## Where yimen's time goes: {one.question}",
            "",
            f"{one.samples:,} samples of process CPU time; a library's time is its own, the standard library's its caller's.",
            "The evidence thread's time (SQLite) falls on whatever the main thread did meanwhile.",
            "",
            "| package | share |",
            "|---|---|",
            *(f"| {name} | {share:.1%} |" for name, share in one.places),
            "",
            "Hottest lines: " + ", ".join(f"`{name}` {share:.1%}" for name, share in one.lines) + ".",
            "",
        ]
    return lines


def _cpu(found: Measured, question: str) -> str:
    values = found.cpu_ms.get(question)
    return "-" if not values else f"{found.cpu(question):.2f} ({min(values):.2f} - {max(values):.2f})"


def _met(yes: bool) -> str:
    return "met" if yes else "**missed**"
