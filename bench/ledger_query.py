"""What the ledger adds to a question: yimen with five witnesses beside yimen without a ledger, in turns, CPU ms a request.

The gateway's whole process counts: records, outbox, sequencing, signing, rounds of witnesses. The witnesses' own processes,
which stand on other hosts in life, do not.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import contenders, measure, yimen
from bench.contenders import Contender, Field
from bench.cost import cpu_s
from bench.questions import questions
from bench.witnesses import witnessed
from demo.processes import Children

ON, OFF = "yimen-ledger", "yimen-ledgerless"
_IDLE_S = 5.0
_REQUESTS = {"list": 250, "one": 500}


@dataclass(frozen=True, slots=True)
class Found:
    """CPU ms a request in each round, by contender and question; `idle`: share of a CPU the gateway takes unasked."""

    rounds: Mapping[str, measure.Measured]
    idle: Mapping[str, float]

    def times(self, question: str) -> float:
        """On over off, of the same round and so of the same neighbours."""
        on, off = (self.rounds[name].cpu_ms[question] for name in (ON, OFF))
        return median(mine / other for mine, other in zip(on, off, strict=True))


async def start(home: Path, children: Children, *, profiled: Path | None = None) -> Field:
    """Both, each with a fresh database. `profiled`: the one with a ledger writes its samples there."""
    field = await contenders.start(home, children, wanted=frozenset())
    taken: set[int] = set()
    samples = () if profiled is None else ("bench.profiled", str(profiled.resolve()))
    programs = {ON: samples or ("demo.as_child",), OFF: ("bench.ledgerless",)}
    found = []
    for name, program in programs.items():
        found.append(await asyncio.to_thread(_one, name, program, home / name, field.upstream, children, taken))
        await contenders.until_right(children, found[-1])
    return replace(field, contenders=tuple(found))


def _one(
    name: str, program: tuple[str, ...], home: Path, upstream: str, children: Children, taken: set[int]
) -> Contender:
    port = contenders.next_port(taken)
    prepared = yimen.prepare(home, upstream, port)
    env, asker = prepared.env, prepared.asker
    if name == ON:
        env, _ = witnessed(home, env, port, children, taken)
    child = children.start(name, (sys.executable, "-m", *program, "serve"), env, read=False)
    return Contender(name, name, child.pid, f"http://127.0.0.1:{port}/graphql", questions(purpose=True), asker.headers)


async def measured(home: Path, rounds: int, children: Children) -> Found:
    """Raises DidNotStart, WrongAnswer, TimeoutError."""
    field = await start(home, children)
    found = await measure.rounds(field, measure.Plan(rounds, _REQUESTS, 1, 1, 0, 0))
    await asyncio.sleep(2)  # what was asked is sealed
    before = {one.name: cpu_s(one.pid) for one in field.contenders}
    await asyncio.sleep(_IDLE_S)
    idle = {one.name: (cpu_s(one.pid) - before[one.name]) / _IDLE_S for one in field.contenders}
    return Found(found, idle)
