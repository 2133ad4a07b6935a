"""`python -m bench.soak`: resident memory over a million queries, ours with everything on, and the peers' beside.

Takes long (a million at 1 CPU ms each: about 25 minutes), so its result is kept in bench/soak.json and bench/SOAK.md, and
`script/bench` takes it from there. Each contender's part is written as soon as it is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import contenders, measure
from bench.commanded import measured
from bench.machine import commit, machine
from bench.measure import Point
from demo.processes import Children

FILE = Path(__file__).parent / "soak.json"
_PAGE = Path(__file__).parent / "SOAK.md"
_HOME = Path("var/bench")
_FLAT = 0.05  # of where the second half began: what an allocator's noise may be
_POINTS = 10


@dataclass(frozen=True, slots=True)
class Soaked:
    """One contender's long run, and on what it was measured."""

    name: str
    title: str
    points: tuple[Point, ...]
    measured: str

    @property
    def highest(self) -> float:
        return max(point.rss_mib for point in self.points)

    @property
    def growth(self) -> float:
        """MiB in the second half."""
        return self.points[-1].rss_mib - self._half.rss_mib

    @property
    def flat(self) -> bool:
        return self.growth <= self._half.rss_mib * _FLAT

    @property
    def _half(self) -> Point:
        return self.points[len(self.points) // 2]


def kept() -> list[Soaked]:
    """What the last long runs found, ours first; empty where there was none."""
    if not FILE.is_file():
        return []
    return [
        Soaked(one["name"], one["title"], tuple(Point(**point) for point in one["points"]), one["measured"])
        for one in json.loads(FILE.read_text("utf-8"))
    ]


def keep(found: Soaked) -> None:
    """In place of what was kept of the same contender."""
    names = contenders.NAMES
    all_ = sorted([found, *(one for one in kept() if one.name != found.name)], key=lambda one: names.index(one.name))
    FILE.write_text(json.dumps([asdict(one) for one in all_], indent=1) + "\n", encoding="utf-8")
    _PAGE.write_text("\n".join(["# Memory in the long run", "", *lines(all_)]) + "\n", encoding="utf-8")


def lines(all_: list[Soaked]) -> list[str]:
    """Markdown: how it was measured, and a table for each contender."""
    text = [
        "Written by `python -m bench.soak`; do not edit, run it again. Small queries (one person x 3 departments), 4 keep-alive",
        f"connections; RSS of the process and its children in MiB. Flat: the second half grows by at most {_FLAT:.0%}.",
        "",
    ]
    for one in all_:
        text += [
            f"**{one.title}**, {one.points[-1].requests:,} queries, highest {one.highest:.0f} MiB, second half "
            f"{one.growth:+.1f} MiB: {'flat' if one.flat else '**not flat**'}. {one.measured}.",
            "",
            "| queries | " + " | ".join(f"{point.requests:,}" for point in one.points) + " |",
            "|---" * (len(one.points) + 1) + "|",
            "| RSS MiB | " + " | ".join(f"{point.rss_mib:.1f}" for point in one.points) + " |",
            "| CPU ms a query | - | " + " | ".join(f"{point.cpu_ms:.2f}" for point in one.points[1:]) + " |",
            "",
        ]
    return text


async def _measured(name: str, requests: int, children: Children) -> None:
    field = await contenders.start(_HOME, children, wanted={name})
    if not field.contenders:
        print(f"bench: without {name}: {field.absent.get(name)}", file=sys.stderr)
        return
    points = await measure.soak(field.contenders[0], requests, _POINTS)
    said = f"{machine()}, {datetime.now(UTC):%Y-%m-%d}, yimen at {commit()}"
    keep(Soaked(name, field.contenders[0].title, tuple(points), said))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="of ours (default 1,000,000)")
    parser.add_argument("--peer-requests", type=int, default=100_000, help="of each peer (default 100,000)")
    parser.add_argument("--only", default="yimen,yoga,apollo,hive,strawberry", help="comma-separated")
    given = parser.parse_args()
    names = given.only.split(",")
    if not set(names) <= set(contenders.NAMES) or not 100 <= min(given.requests, given.peer_requests) <= 10**7:
        parser.error(f"--only knows {', '.join(contenders.NAMES)}; requests 100 to 10,000,000")
    for name in names:
        children = Children(_HOME / "logs")
        count = given.peer_requests if name in contenders.PEERS else given.requests
        measured(_measured(name, count, children), children)
    print(_PAGE.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
