"""`script/bench` = `python -m bench`: yimen beside its peers in one run, as one table, one page and one picture."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench import contenders, measure, performance, soak
from bench.commanded import measured
from bench.contenders import DidNotStart
from bench.goals import goals, summary
from bench.load import WrongAnswer
from bench.overload import overload
from bench.replicas import replicas
from bench.results import Results
from bench.split import split
from bench.table import written
from demo.processes import Children

_HOME = Path("var/bench")
_RESULTS = Path(__file__).parent / "RESULTS.md"
_OVERLOADED = ("yimen", "hive", "yoga")


async def _measured(plan: measure.Plan, wanted: frozenset[str] | None, children: Children, *, parts: bool) -> Results:
    """Everything, one thing after the other. `parts`: many connections, replicas and overload as well."""
    began = time.monotonic()
    field = await contenders.start(_HOME, children, wanted=wanted)
    for name, why in field.absent.items():
        print(f"bench: without {name}: {why}", file=sys.stderr)
    measured = await measure.rounds(field, plan)
    alone, added = await measure.added_latency(field, plan.latency_requests)
    for name, milliseconds in added.items():
        measured[name].added_ms = milliseconds
    ours = next((one for one in field.contenders if one.name == "yimen"), None)
    points = await measure.soak(ours, plan.soak) if ours is not None and plan.soak > 0 else []
    more, overloads, busy = None, [], {}
    if parts:
        busy = await measure.busy(field, plan)
        if any(one.name == "yimen-pg" for one in field.contenders):
            more = await replicas(field, _HOME, children, min(plan.rounds, 5))
        for name in _OVERLOADED:
            overloads += [await overload(one, "list") for one in field.contenders if one.name == name]
    where = []
    for bare in (False, True):
        if plan.profile > 0 and ("yimen-bare" if bare else "yimen") in measured:
            for question, times in (("list", 1), ("one", 2)):
                where.append(await split(_HOME, field.upstream, children, question, plan.profile * times, bare=bare))
    took_s = time.monotonic() - began
    return Results(plan, field, measured, alone, points, where, more, overloads, soak.kept(), took_s, busy)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="yimen beside its peers, CPU ms a request; writes bench/RESULTS.md, docs/performance.md and its picture",
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (default 7)")
    parser.add_argument("--list", type=int, default=120, help="list requests in a block (default 120)")
    parser.add_argument("--one", type=int, default=400, help="single-person requests in a block (default 400)")
    parser.add_argument("--warm-up", type=int, default=3, help="rounds that do not count (default 3)")
    parser.add_argument("--latency", type=int, default=60, help="requests of the latency row (default 60)")
    parser.add_argument(
        "--soak", type=int, default=4000, metavar="N", help="small queries of the memory row (the long run: bench.soak)"
    )
    parser.add_argument(
        "--profile", type=int, default=1000, metavar="N", help="list requests of the CPU split; 0 = none"
    )
    parser.add_argument("--parts", action=argparse.BooleanOptionalAction, default=None,
                        help="many connections, replicas and overload as well (default: yes, but not with --only)")  # fmt: skip
    parser.add_argument("--only", default="", help=f"comma-separated, of {', '.join(contenders.NAMES)}; writes no file")
    parser.add_argument("--access", action="store_true", help="what access costs instead; writes bench/ACCESS.md")
    parser.add_argument("--ledger", nargs="?", const="all", choices=("all", "append", "audit", "list", "witness"),
                        help="what the ledger costs instead, or one part of it; all of it writes bench/LEDGER.md")  # fmt: skip
    parser.add_argument("--credentials", nargs="?", const="all", metavar="PART",
                        help="what credentials cost instead, or one part of it; writes bench/CREDENTIALS.md")  # fmt: skip
    given = parser.parse_args()
    wanted = frozenset(given.only.split(",")) if given.only else None
    if wanted is not None and not wanted <= set(contenders.NAMES):
        parser.error(f"--only knows {', '.join(contenders.NAMES)}")
    if min(given.rounds, given.list, given.one, given.latency) < 1 or max(given.rounds, given.warm_up) > 100:
        parser.error("counts must be 1 or more, rounds at most 100")
    if given.access:
        return _access(given.rounds)
    if given.ledger is not None:
        return _ledger(given.ledger, given.rounds)
    if given.credentials is not None:
        from bench.credentials import parts

        if given.credentials not in ("all", *parts.PARTS):
            parser.error(f"--credentials knows {', '.join(parts.PARTS)}")
        return parts.main(given.credentials, given.rounds)
    plan = measure.Plan(
        given.rounds, {"list": given.list, "one": given.one}, given.warm_up, given.latency, given.soak, given.profile
    )
    children = Children(_HOME / "logs")
    more = wanted is None if given.parts is None else given.parts
    results = measured(_measured(plan, wanted, children, parts=more), children)
    text = written(results)
    print(text)
    if wanted is None:
        _RESULTS.write_text(text, encoding="utf-8")
        performance.PAGE.write_text(performance.page(results), encoding="utf-8")
        performance.PICTURE.write_text(performance.picture(results), encoding="utf-8")
        print(f"bench: {summary(goals(results))}", file=sys.stderr)
    return 0


def _ledger(what: str, rounds: int) -> int:
    from bench import ledger
    from demo.gateway_process import NotReady

    try:
        return ledger.main(what, rounds)
    except (DidNotStart, WrongAnswer, NotReady, TimeoutError) as error:
        print(f"bench: {error or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _access(rounds: int) -> int:
    from bench import access, peers_node, token_endpoint

    try:
        return access.main(rounds)
    except (DidNotStart, WrongAnswer, token_endpoint.WrongAnswer, peers_node.NotInstalled, TimeoutError) as error:
        print(f"bench: {error or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
