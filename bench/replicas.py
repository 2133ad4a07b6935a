"""Whether a request costs the same when there are more of us: one gateway, one of two workers, three gateways, all on
PostgreSQL, in turns, each asked as much as one alone. CPU is the sum of all processes of a row; the database server's stands
beside.

Asked on a schedule, so that the machine has processors to spare, a request costs what it costs with so much to share at each
gateway: that is held, not the total (one gateway that is asked three times as often shares more, and takes a quarter less).
Asked by so many who never rest (a closed loop), three gateways, a database and who asks them want more processors than a small
machine has. Which worker of two a connection falls to is the kernel's to say, so their figure on a schedule is of an uneven
load; goals look at their closed loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path
from statistics import median

from bench import contenders, measure
from bench.contenders import Contender, Field
from bench.cost import cpu_s
from bench.load import CONNECTIONS, WrongAnswer
from bench.measure import Measured
from bench.open_loop import Ask, Target, open_loop
from bench.questions import Question
from demo.processes import Children

ALONE = "yimen-pg"
MORE = ("yimen-2-workers", "yimen-3-replicas")
_REQUESTS = {"list": 120, "one": 240}
STEADY_PER_S = 60.0
_STEADY_S, _PATIENCE_S = 2.0, 5.0


@dataclass(frozen=True, slots=True)
class Replicas:
    """Titles and figures of the three rows, the single gateway's first: asked on a schedule, and by a closed loop."""

    contenders: tuple[Contender, ...]
    steady: Mapping[str, Measured]
    pressed: Mapping[str, Measured]

    def times(self, name: str, question: str) -> float:
        """CPU a request over a single gateway's, of the same round and so of the same neighbours."""
        return _times(self.steady, name, question)

    def times_pressed(self, name: str, question: str) -> float:
        """The same of the closed loop."""
        return _times(self.pressed, name, question)


def _times(measured: Mapping[str, Measured], name: str, question: str) -> float:
    pairs = zip(measured[name].cpu_ms[question], measured[ALONE].cpu_ms[question], strict=True)
    return median(mine / alone for mine, alone in pairs)


async def replicas(field: Field, home: Path, children: Children, rounds: int) -> Replicas:
    """Beside a field in which one gateway on PostgreSQL runs. Raises DidNotStart, WrongAnswer."""
    joined = await contenders.join(field, home, children, MORE)
    rows = tuple(one for one in joined.contenders if one.name in (ALONE, *MORE))
    plan = measure.Plan(rounds, _REQUESTS, 2, 1, 0, 0)
    pressed = await measure.rounds(replace(joined, contenders=rows), plan, connections=_connections)
    steady = {one.name: Measured(rss_worker=pressed[one.name].rss_worker) for one in rows}
    for number in range(rounds):
        for one in [*rows[number % len(rows) :], *rows[: number % len(rows)]]:
            for name in _REQUESTS:
                mine, database = await _steady(one, one.questions[name])
                steady[one.name].cpu_ms.setdefault(name, []).append(mine)
                steady[one.name].database_ms.setdefault(name, []).append(database)
    for one in rows:
        if one.name in MORE:
            children.stop_one(one.name)
            for number in range(1, len(one.more) + 1):
                children.stop_one(f"{one.name}-{number}")
    return Replicas(rows, steady, pressed)


async def _steady(one: Contender, question: Question) -> tuple[float, float]:
    """CPU ms a request, ours and the database's, each gateway asked as often, one after the other. Raises WrongAnswer."""
    per_s = STEADY_PER_S * _many(one) / len(one.urls)
    targets = [
        Target.of(url, question.body, question.least, one.headers).signed(int(per_s * _STEADY_S) + 1)
        for url in one.urls
    ]
    ours, database = sum(map(cpu_s, one.pids)), cpu_s(one.database_pid) if one.database_pid is not None else 0.0

    async def ask(number: int, target: Target) -> Sequence[Ask]:
        await asyncio.sleep(number / per_s / len(targets))  # not all at once: they would share the database's commits
        return await open_loop(target, per_s, _STEADY_S, _PATIENCE_S)

    asked = [each for part in await asyncio.gather(*starmap(ask, enumerate(targets))) for each in part]
    async with asyncio.timeout(_PATIENCE_S + 1):
        while not all(ask.over for ask in asked):
            await asyncio.sleep(0.01)
    if not all(each.right for each in asked):
        raise WrongAnswer(f"{one.name} {question.name}: not every answer came, or was right, at {per_s:.0f} a second")
    spent = sum(map(cpu_s, one.pids)) - ours
    beside = cpu_s(one.database_pid) - database if one.database_pid is not None else 0.0
    return spent / len(asked) * 1000, beside / len(asked) * 1000


def _connections(one: Contender) -> int:
    """Each gateway and each worker is asked by as many as one alone is: more of us are there for more of them."""
    return CONNECTIONS * _many(one)


def _many(one: Contender) -> int:
    return max(len(one.pids), 2 if one.name == "yimen-2-workers" else 1)
