"""The measurement itself: rounds in which every contender has its turn, then latency, then the long run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import aiohttp
import orjson

from bench.contenders import Contender, Field
from bench.cost import largest_rss_mib, rss_mib
from bench.load import CONNECTIONS, MANY, block, direct_latencies_ms, latencies_ms, p50
from bench.people import persons

SLOW_MS = 50.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked. `requests`: question -> requests in one block."""

    rounds: int
    requests: Mapping[str, int]
    warm_up: int  # blocks before anything counts
    latency_requests: int
    soak: int
    profile: int  # requests of the run that says where the time goes; 0 = no such run


@dataclass(slots=True)
class Measured:
    """One contender's figures: question -> CPU ms a request in each round; MiB; added milliseconds at p50."""

    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    rss_start: float = 0.0
    rss_rounds: float = 0.0
    added_ms: float | None = None
    rss_worker: float = 0.0  # of the largest process, after the rounds
    database_ms: dict[str, list[float]] = field(default_factory=dict)

    def database(self, question: str) -> float | None:
        return median(self.database_ms[question]) if question in self.database_ms else None

    def cpu(self, question: str) -> float | None:
        return median(self.cpu_ms[question]) if question in self.cpu_ms else None


@dataclass(frozen=True, slots=True)
class Point:
    """The long run at one moment."""

    requests: int
    rss_mib: float
    cpu_ms: float  # per request since the point before


async def rounds(
    field_: Field, plan: Plan, *, connections: Callable[[Contender], int] = lambda _: CONNECTIONS
) -> dict[str, Measured]:
    """A B C A B C ...: whatever else the machine does falls on all alike. Raises WrongAnswer."""
    found = {one.name: Measured(rss_start=_rss(one)) for one in field_.contenders}
    for number in range(-plan.warm_up, plan.rounds):
        _say(f"round {number + 1} of {plan.rounds}" if number >= 0 else "warm-up")
        for name in sorted({name for one in field_.contenders for name in one.questions}, reverse=True):
            for contender in _turned(field_.contenders, number):
                if name in contender.questions:
                    question, count = contender.questions[name], plan.requests[name.split("+")[0]]
                    took = await block(contender, question, count, connections=connections(contender))
                    if number >= 0:
                        figures = found[contender.name]
                        figures.cpu_ms.setdefault(name, []).append(took.cpu_ms)
                        if took.database_ms is not None:
                            figures.database_ms.setdefault(name, []).append(took.database_ms)
    for contender in field_.contenders:
        found[contender.name].rss_rounds = _rss(contender)
        found[contender.name].rss_worker = max(map(largest_rss_mib, contender.pids))
    return found


async def busy(field_: Field, plan: Plan) -> dict[str, Measured]:
    """The same rows asked by many at once: what requests share, commits first of all, is shared by more."""
    fewer = replace(plan, rounds=min(plan.rounds, 5), requests={"list": 5 * MANY, "one": 10 * MANY}, warm_up=1)
    alike = [
        replace(one, questions={name: one.questions[name] for name in fewer.requests}) for one in field_.contenders
    ]
    return await rounds(replace(field_, contenders=tuple(alike)), fewer, connections=lambda _: MANY)


async def added_latency(field_: Field, requests: int) -> tuple[float, dict[str, float]]:
    """p50 of a department alone, and what each contender adds to it: departments wait 50 ms, one request at a time."""
    _say("latency")
    body = orjson.dumps({"keys": persons()[:1]})
    await _set_latency(field_.upstream, SLOW_MS)
    try:
        alone = p50(await direct_latencies_ms(f"{field_.upstream}/residence/batch", body, requests))
        added = {
            one.name: p50(await latencies_ms(one, one.questions["one"], requests)) - alone for one in field_.contenders
        }
    finally:
        await _set_latency(field_.upstream, 0)
    return alone, added


async def soak(contender: Contender, requests: int, points: int = 4) -> list[Point]:
    """Resident memory along `requests` small queries, at the start and `points` times after it."""
    found = [Point(0, rss_mib(contender.pid), 0.0)]
    done = 0
    for number in range(1, points + 1):
        until, cpu, before = requests * number // points, 0.0, done
        while done < until:
            took = await block(contender, contender.questions["one"], min(5000, until - done))
            cpu += took.cpu_ms * took.requests
            done += took.requests
        found.append(Point(done, rss_mib(contender.pid), cpu / max(1, done - before)))
        _say(f"soak {done}: {found[-1].rss_mib:.1f} MiB")
    return found


def _rss(contender: Contender) -> float:
    return sum(map(rss_mib, contender.pids))


def _turned(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Another one begins each round, so that nobody always follows the same neighbour."""
    start = number % len(contenders)
    return [*contenders[start:], *contenders[:start]]


async def _set_latency(upstream: str, milliseconds: float) -> None:
    async with aiohttp.ClientSession() as session, session.put(f"{upstream}/latency", data=str(milliseconds)) as reply:
        reply.raise_for_status()


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
