"""The figures as a technical page: bench/RESULTS.md. For whoever only wants to read, bench.performance writes docs/performance.md."""

from __future__ import annotations

from datetime import UTC, datetime

import psutil

from bench import overload
from bench.goals import goals, summary
from bench.load import CONNECTIONS
from bench.machine import commit, machine
from bench.measure import SLOW_MS, Measured
from bench.open_loop import MOST_CONNECTIONS
from bench.replicas import STEADY_PER_S
from bench.results import Results

_FLAT = 0.05  # of the start of the second half: what an allocator's noise may be


def written(results: Results) -> str:
    """The whole page."""
    parts = (_head, _table, _goals, _ratios, _replicas, _overload, _soak, _split)
    return "\n".join(line for part in parts for line in part(results)) + "\n"


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
        "one upstream call a department. yimen with everything on checks a DPoP token and its proof, a purpose, decides policy,",
        "matches persons, records evidence durably (SQLite's log synced, PostgreSQL fsync) before release; bare does none of that but",
        "the matching. No contender caches answers.",
        "",
        f"Machine: {machine()}. {datetime.now(UTC):%Y-%m-%d}, yimen at {commit()}.",
        f"Load average of the whole machine at the end (1, 5, 15 min): {load}; the bench alone makes about 1.5.",
        "",
    ]


def _table(results: Results) -> list[str]:
    lines = [
        "| | list CPU ms | one CPU ms | database CPU ms beside (list / one) | RSS MiB start | RSS MiB after rounds | added ms at p50 |",
        "|---|---|---|---|---|---|---|",
    ]
    for contender in results.field.contenders:
        found = results.measured[contender.name]
        added = "-" if found.added_ms is None else f"{found.added_ms:.1f}"
        memory = f"{found.rss_start:.0f} | {found.rss_rounds:.0f} | {added}"
        lines.append(
            f"| {contender.title} | {cpu(found, 'list')} | {cpu(found, 'one')} | {database(found)} | {memory} |"
        )
        if "list+envelope" in contender.questions:
            envelope = f"{cpu(found, 'list+envelope')} | {cpu(found, 'one+envelope')}"
            lines.append(f"| {contender.name}, with the envelope of every part | {envelope} | | | | |")
    lines += [f"| {name} | not measured: {' '.join(why.split())[:200]} | | | | | |"
              for name, why in results.field.absent.items()]  # fmt: skip
    return [*lines, ""]


def _goals(results: Results) -> list[str]:
    all_ = goals(results)
    if not all_:
        return []
    lines = [
        f"## Goals: {summary(all_)}",
        "",
        f"Departments at {SLOW_MS:.0f} ms for the latency row; one asked directly: {results.alone_ms:.1f} ms at p50.",
        "",
        "| goal | figure | figure / goal | |",
        "|---|---|---|---|",
    ]
    for one in all_:
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        binding = " (BINDING)" if one.binding else ""
        lines.append(f"| {one.en}{binding} | {one.figure} | {ratio} | {'met' if one.met else '**missed**'} |")
    return [*lines, ""]


def _ratios(results: Results) -> list[str]:
    lines = ["## yimen's CPU a request as a multiple of each peer's", "", "| | list | one |", "|---|---|---|"]
    for name in ("yimen", "yimen-pg", "yimen-bare"):
        if name not in results.measured:
            continue
        cells = []
        for question in ("list", "one"):
            mine, peers = results.measured[name].cpu(question), results.peers(question)
            cells.append(
                "-" if mine is None else ", ".join(f"{peer} {mine / cost:.2f}" for peer, cost in peers.items())
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""] if len(lines) > 4 and results.peers("list") else []


def _replicas(results: Results) -> list[str]:
    found = results.replicas
    if found is None:
        return []
    lines = [
        "## More of us on one PostgreSQL",
        "",
        f"CPU of all gateway processes a request, {STEADY_PER_S:.0f} questions a second for each gateway or worker (the machine has processors to spare); times: over one "
        "gateway, of the same rounds. The last column but one: the same where each is asked by 4 connections that never rest, and all processors are taken.",
        "",
        "| | list CPU ms | one CPU ms | database CPU ms (list / one) | times (list / one) | times, closed loop (list / one) | RSS MiB of the largest process |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found.contenders:
        figures = found.steady[one.name]
        times = " / ".join(f"{found.times(one.name, question):.2f}" for question in ("list", "one"))
        pressed = " / ".join(f"{found.times_pressed(one.name, question):.2f}" for question in ("list", "one"))
        lines.append(
            f"| {one.title} | {cpu(figures, 'list')} | {cpu(figures, 'one')} | {database(figures)} | {times} | {pressed} | {figures.rss_worker:.0f} |"
        )
    return [*lines, ""]


def _overload(results: Results) -> list[str]:
    if not results.overloads:
        return []
    return [
        f"## Asked {overload.TIMES:.0f} times what it can answer",
        "",
        f"List question; open loop on a fixed schedule, at most {MOST_CONNECTIONS:,} connections; whoever waited {overload.PATIENCE_S:.0f} s "
        "hangs up. Refused times are from sending, admitted ones from when the request was due. Statuses: none = no answer in that time.",
        "",
        *overload.HEAD,
        *map(overload.row, results.overloads),
        "",
    ]  # fmt: skip


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
        f"Second half: {growth:+.1f} MiB; flat: {flat}. The long run is `python -m bench.soak`, kept in bench/SOAK.md.",
        "",
    ]


def _split(results: Results) -> list[str]:
    lines: list[str] = []
    for one in results.splits:
        lines += [
            f"## Where yimen's time goes: {one.question}, {'bare' if one.bare else 'everything on'}",
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


def cpu(found: Measured, question: str) -> str:
    values = found.cpu_ms.get(question)
    return "-" if not values else f"{found.cpu(question):.2f} ({min(values):.2f} - {max(values):.2f})"


def database(found: Measured) -> str:
    """Of the database server beside, list and one; - where there is none."""
    if not found.database_ms:
        return "-"
    return " / ".join(f"{found.database(question):.2f}" for question in ("list", "one"))


def _met(yes: bool) -> str:
    return "met" if yes else "**missed**"
