"""`script/bench --access`: what asking who asks, for what and on what ground costs. Writes bench/ACCESS.md, and TOKENS.md.

One figure after the other, so that none disturbs another: the token endpoint beside oidc-provider, the check of a request
bound to a key, the rules, the list question with access and without, and whether time tells a sealed person from nobody.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil
import uvloop

from bench import contenders, dpop_check, measure, policy_cost, token_endpoint
from bench.machine import commit, machine
from demo.processes import Children

_HOME = Path("var/bench")
_RESULTS = Path(__file__).parent / "ACCESS.md"
_DOOR_MS, _RULES_MS, _TIMES, _T = 0.35, 0.5, 1.3, 3.0
_BARE = "yimen-open"
_SEALED_S = 600


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, and whether it is what it should be; None where nothing was set."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        said = "" if self.met is None else ("met" if self.met else "**missed**")
        return f"| {self.what} | {self.figure} | {self.goal} | {said} |"


def token_lines(found: Sequence[token_endpoint.Contender]) -> list[Line]:
    """Ours, then the peer, which is the last."""
    peer = median(found[-1].cpu_ms)
    lines = []
    for one in found[:-1]:
        mine, beside = median(one.cpu_ms), median(one.database_ms)
        database = f", and {beside:.2f} in the database" if one.database_pid is not None else ""
        figure = f"{mine:.2f} ms, {mine / peer:.2f} of {peer:.2f}{database}"
        lines.append(Line(f"a token ({one.title})", figure, "<= 0.8 of oidc-provider's", mine / peer <= 0.8))
    return lines


def list_lines(found: Mapping[str, measure.Measured]) -> list[Line]:
    lines = []
    for question in ("list", "one"):
        on, off = (found[name].cpu(question) or 0.0 for name in ("yimen", _BARE))
        pairs = zip(found["yimen"].cpu_ms[question], found[_BARE].cpu_ms[question], strict=True)
        times = median(mine / theirs for mine, theirs in pairs)  # of the same round, so of the same neighbours
        goal, met = (f"<= {_TIMES} times", times <= _TIMES) if question == "list" else ("", None)
        lines.append(Line(f"`{question}` with access", f"{on:.2f} ms, without {off:.2f}: {times:.2f} times", goal, met))
    return lines


def small_lines(door: Mapping[str, float], rules: Mapping[str, float]) -> list[Line]:
    lines = [
        Line(f"a request bound to a key is checked, {name}", f"{value:.2f} ms", f"<= {_DOOR_MS} ms", value <= _DOOR_MS)
        for name, value in door.items()
    ]
    for name, value in rules.items():
        set_ = name != "nothing known"  # that is the first question after a change of the rules
        met = value <= _RULES_MS if set_ else None
        what = f"{policy_cost.RULES} rules, {policy_cost.PERSONS} persons of 3 classes, {name}"
        lines.append(Line(what, f"{value:.2f} ms", f"<= {_RULES_MS} ms" if set_ else "", met))
    return lines


def sealed_lines(said: str) -> list[Line]:
    """From what bench.sealed_timing printed."""
    found = re.findall(r"^(\S.*?)\s{2,}(\d+) each.*?\bt = ([+-]\d+\.\d+)", said, re.MULTILINE)
    return [
        Line(f"time tells {who}, {each} calls each", f"t = {t}", f"abs(t) < {_T:.0f}", abs(float(t)) < _T)
        for who, each, t in found
    ]


def written(lines: Sequence[Line]) -> str:
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    return "\n".join(
        [
            "# What access costs",
            "",
            "Written by `script/bench --access`; do not edit, run it again. ms are process CPU time, medians; where two are",
            "compared they ran in turns. `alone` is one request at a time, `together` four at once, which share a commit.",
            "Without access means: no token, no proof, no door, no facts, no rules, no limits; only bench/bare.py can put",
            "that together. `met before` is an asker the rules were applied to before; nothing about a person is kept.",
            "",
            f"Machine: {machine()}. {datetime.now(UTC):%Y-%m-%d}, yimen at {commit()}.",
            f"Load average of the whole machine at the end (1, 5, 15 min): {load}; the bench alone makes about 1.5.",
            "",
            "| | figure | goal | |",
            "|---|---|---|---|",
            *map(str, lines),
            "",
        ]
    )


async def _on_and_off(rounds: int, children: Children) -> dict[str, measure.Measured]:
    field = await contenders.start(_HOME, children, wanted=frozenset({"yimen", _BARE}))
    plan = measure.Plan(rounds, {"list": 80, "one": 200}, 2, 1, 0, 0)
    return await measure.rounds(field, plan)


def main(rounds: int = 7, sealed_each: int = 1000) -> int:
    children = Children(_HOME / "logs")
    try:
        tokens = asyncio.run(token_endpoint.measured(rounds, 300, 2, children))
        token_endpoint.keep(tokens, rounds, 300)
    finally:
        children.stop()
    lines = token_lines(tokens)
    lines += small_lines(asyncio.run(dpop_check.figures()), asyncio.run(policy_cost.figures()))
    children = Children(_HOME / "logs")
    try:
        lines += list_lines(uvloop.run(_on_and_off(rounds, children)))
    finally:
        children.stop()
    command = (sys.executable, "-m", "bench.sealed_timing", "--each", str(sealed_each))
    sealed = subprocess.run(command, capture_output=True, text=True, timeout=_SEALED_S)
    lines += sealed_lines(sealed.stdout)
    text = written(lines)
    print(text)
    _RESULTS.write_text(text, encoding="utf-8")
    return 0
