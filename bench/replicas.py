"""Whether a request costs the same when there are more of us: one gateway, one of two workers, three gateways, all on
PostgreSQL, in turns, each asked by as many as one alone. CPU is the sum of all processes of a row; the database server's
stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import contenders, measure
from bench.contenders import Contender, Field
from bench.load import CONNECTIONS
from bench.measure import Measured
from demo.processes import Children

ALONE = "yimen-pg"
MORE = ("yimen-2-workers", "yimen-3-replicas")
_REQUESTS = {"list": 120, "one": 240}


@dataclass(frozen=True, slots=True)
class Replicas:
    """Titles and figures of the three rows, the single gateway's first."""

    contenders: tuple[Contender, ...]
    measured: Mapping[str, Measured]

    def times(self, name: str, question: str) -> float:
        """CPU a request over a single gateway's, of the same round and so of the same neighbours."""
        pairs = zip(self.measured[name].cpu_ms[question], self.measured[ALONE].cpu_ms[question], strict=True)
        return median(mine / alone for mine, alone in pairs)


async def replicas(field: Field, home: Path, children: Children, rounds: int) -> Replicas:
    """Beside a field in which one gateway on PostgreSQL runs. Raises DidNotStart, WrongAnswer."""
    joined = await contenders.join(field, home, children, MORE)
    rows = tuple(one for one in joined.contenders if one.name in (ALONE, *MORE))
    plan = measure.Plan(rounds, _REQUESTS, 2, 1, 0, 0)
    found = await measure.rounds(replace(joined, contenders=rows), plan, connections=_connections)
    for one in rows:
        if one.name in MORE:
            children.stop_one(one.name)
            for number in range(1, len(one.more) + 1):
                children.stop_one(f"{one.name}-{number}")
    return Replicas(rows, found)


def _connections(one: Contender) -> int:
    """Each gateway and each worker is asked by as many as one alone is: more of us are there for more of them."""
    return CONNECTIONS * max(len(one.pids), 2 if one.name == "yimen-2-workers" else 1)
