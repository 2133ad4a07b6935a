"""How large it must be: arithmetic from measured costs to cores, bytes and what gives out first. Pure.

Every figure that goes in was measured (bench/scale.py) or is an assumption with a name (`Assumed`); every figure that comes
out is a product or a quotient of those, or a queue's formula (Erlang C), so a reader can follow each with a pencil.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one request: CPU milliseconds in the gateway and in the database, bytes of write-ahead log and of lasting growth."""

    gateway_ms: float
    database_ms: float
    wal_bytes: float
    stored_bytes: float


@dataclass(frozen=True, slots=True)
class Assumed:
    """What nobody can measure before it is used; change them and run `python -m bench.scale` again."""

    peak_per_person_s: float = 1000 / 3_000_000  # questions a second for each supervised person, at the busiest
    fixes_per_person_s: float = 10_000 / 3_000_000  # device fixes; one device sends one in five minutes
    mean_of_peak: float = 0.12  # a day's mean of its peak: ten office hours, five days of seven, with a lunch
    utilisation: float = 0.5  # of a core that is planned to be busy; half is for the lost replica and for noise
    share_of_list: float = 0.1  # questions about twenty persons; the others are about one


@dataclass(frozen=True, slots=True)
class Size:
    """One deployment."""

    title_zh: str
    title_en: str
    persons: int


SIZES = (
    Size("区县", "district", 1_000),
    Size("地市", "city", 5_000),
    Size("省", "province", 50_000),
    Size("全国", "country", 3_000_000),
)


@dataclass(frozen=True, slots=True)
class Need:
    """What one size needs at its peak."""

    questions_s: float
    fixes_s: float
    gateway_cores: float
    database_cores: float
    wal_mb_s: float
    grown_gb_year: float
    fixes_gb_90_days: float
    entries_year: float
    entry_share: float  # of what one sequencer was measured to take
    fix_share: float  # of what one database was measured to take in


def mixed(one: Cost, many: Cost, share_of_list: float) -> Cost:
    """The mean cost of a question."""

    def mean(a: float, b: float) -> float:
        return a * (1 - share_of_list) + b * share_of_list

    return Cost(
        mean(one.gateway_ms, many.gateway_ms),
        mean(one.database_ms, many.database_ms),
        mean(one.wal_bytes, many.wal_bytes),
        mean(one.stored_bytes, many.stored_bytes),
    )


def need(
    size: Size,
    cost: Cost,
    assumed: Assumed,
    *,
    appends_s: float,
    fix_rows_s: float,
    fix_bytes: float,
    year_s: float = 365 * 86_400.0,
) -> Need:
    """`appends_s`: entries a second one sequencer was measured to take; `fix_rows_s`, `fix_bytes`: rows a second and bytes a
    row of a table of fixes."""
    questions = size.persons * assumed.peak_per_person_s
    fixes = size.persons * assumed.fixes_per_person_s
    mean = questions * assumed.mean_of_peak
    return Need(
        questions,
        fixes,
        questions * cost.gateway_ms / 1000 / assumed.utilisation,
        questions * cost.database_ms / 1000 / assumed.utilisation,
        questions * cost.wal_bytes / 1e6,
        mean * year_s * cost.stored_bytes / 1e9,
        fixes * 90 * 86_400 * fix_bytes / 1e9,
        mean * year_s,
        questions / appends_s,
        fixes / fix_rows_s,
    )


def erlang_c(load: float, servers: int) -> float:
    """The share of requests that wait, of `load` erlangs (arrivals a second x seconds of service) before `servers` that each
    serve one at a time. 1 where the load is not less than the servers. Source: A. K. Erlang, 1917."""
    if load >= servers:
        return 1.0
    blocked = 1.0  # Erlang B, by its recursion
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def waiting_ms(per_s: float, service_ms: float, servers: int, share: float = 0.99) -> float:
    """How long at most `share` of the requests wait for a core (M/M/c); infinite where the cores are not enough."""
    load = per_s * service_ms / 1000
    if load >= servers:
        return math.inf
    waits = erlang_c(load, servers)
    if waits <= 1 - share:
        return 0.0
    return service_ms / (servers - load) * math.log(waits / (1 - share))


def group_commit_ms(
    per_s: float, *, sync_ms: float, row_ms: float, seconds: float = 20.0, seed: int = 1
) -> tuple[float, float, float]:
    """Simulated: (median, p99, mean rows a commit) of how long a record waits to be durable, where whatever came during one
    commit shares the next. `sync_ms`: what a commit costs however few rows it has; `row_ms`: what each row adds."""
    chance = random.Random(seed)
    arrivals: list[float] = []
    now = 0.0
    while now < seconds:
        now += chance.expovariate(per_s)
        arrivals.append(now)
    waits: list[float] = []
    commits, at, free = 0, 0, 0.0
    while at < len(arrivals):
        start = max(free, arrivals[at])
        end = at
        while end < len(arrivals) and arrivals[end] <= start:
            end += 1
        free = start + (sync_ms + row_ms * (end - at)) / 1000
        waits += [free - arrival for arrival in arrivals[at:end]]
        commits += 1
        at = end
    return _share(waits, 0.5) * 1000, _share(waits, 0.99) * 1000, len(waits) / max(1, commits)


def queue_ms(
    per_s: float, service_ms: Sequence[float], servers: int, *, seconds: float = 20.0, seed: int = 1
) -> tuple[float, float]:
    """Simulated: (median, p99) of waiting and service together before `servers`, with service times drawn from those
    given; to be held against `waiting_ms`, whose service times are exponential."""
    chance = random.Random(seed)
    free = [0.0] * servers
    heapq.heapify(free)
    took: list[float] = []
    now = 0.0
    while now < seconds:
        now += chance.expovariate(per_s)
        start = max(now, heapq.heappop(free))
        end = start + chance.choice(service_ms) / 1000
        heapq.heappush(free, end)
        took.append(end - now)
    return _share(took, 0.5) * 1000, _share(took, 0.99) * 1000


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
