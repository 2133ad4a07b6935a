"""`python -m bench.overload [--only yimen,hive,yoga]`: what a gateway does when asked five times what it can answer.

First its peak (closed loop, several numbers of connections), then an open loop at a fifth of it (normal life), then five
times the peak on a fixed schedule, then normal life again at once. Goodput is right answers that came within the patience
of whoever asked; a refusal is good when it is quick and says when to come again.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from statistics import median, quantiles

from bench import contenders
from bench.commanded import measured
from bench.contenders import Contender
from bench.cost import cpu_s
from bench.load import WrongAnswer
from bench.open_loop import MOST_CONNECTIONS, Ask, Target, closed_loop, open_loop
from demo.processes import Children

TIMES = 5.0
NORMAL = 0.2  # of the peak
PATIENCE_S = 2.0
_HOME = Path("var/bench")
_CONNECTIONS = (4, 16, 64)
_PEAK_S, _NORMAL_S, _OVERLOAD_S, _AFTER_S = 3.0, 3.0, 8.0, 8.0
_WINDOW_S, _STEADY = 0.25, 4
_NAMES = ("yimen", "yimen-bare", "hive", "yoga", "apollo", "strawberry")
_BY_DEFAULT = "yimen,hive,yoga"


@dataclass(frozen=True, slots=True)
class Overload:
    """One contender's figures. Rates are per second, times ms; None where there was none of it."""

    name: str
    question: str
    peak: float
    peak_connections: int
    normal_p50_ms: float
    offered: float
    goodput: float
    admitted_p50_ms: float | None
    admitted_p99_ms: float | None
    refused: float  # 503 (or another status) a second
    refused_p50_ms: float | None
    refused_p99_ms: float | None
    statuses: Mapping[str, int]  # "0": no answer in time, or hung up on
    with_retry_after: float | None  # share of what was refused with 503
    recovery_s: float | None  # None: not within the time it was watched
    late_p99_ms: float  # the generator's own fault
    cpu: float  # of CPUs, the contender's while overloaded
    generator_cpu: float  # and our own: near 1 and more was asked for than could be sent

    @property
    def share(self) -> float:
        return self.goodput / self.peak if self.peak else 0.0


async def overload(contender: Contender, question_name: str, times: float = TIMES) -> Overload:
    """All phases with one contender. Raises WrongAnswer where it answers nothing rightly at all."""
    question = contender.questions[question_name]
    target = Target.of(contender.url, question.body, question.least, contender.headers)
    gc.collect()
    gc.disable()
    try:
        return await _phases(contender, target, question_name, times)
    finally:
        gc.enable()


async def _phases(contender: Contender, target: Target, question: str, times: float) -> Overload:
    _say(f"{contender.name}: peak")
    warm = _right_per_s(await closed_loop(target, 4, 1.5), 1.5)
    if not warm:
        raise WrongAnswer(f"{contender.name} {question}: no right answer at all")
    peaks = {
        number: _right_per_s(await closed_loop(target, number, _PEAK_S, int(warm * _PEAK_S * 1.3)), _PEAK_S)
        for number in _CONNECTIONS
    }
    connections, peak = max(peaks.items(), key=lambda item: item[1])
    _say(f"{contender.name}: {peak:.0f}/s with {connections} connections; normal life")
    normal = await open_loop(target, peak * NORMAL, _NORMAL_S, PATIENCE_S)
    await asyncio.sleep(0.3)
    usual = _p(50, [one.waited_ms for one in normal if one.right]) or inf
    _say(f"{contender.name}: {times * peak:.0f}/s offered")
    # Signed before the clock runs: both phases, so that the second follows the first at once.
    after_target = target.signed(int(peak * NORMAL * _AFTER_S) + 1)
    before, own = cpu_s(contender.pid), time.process_time()
    asked = await open_loop(target, times * peak, _OVERLOAD_S, PATIENCE_S)
    ended, spent, own = asked[-1].due, cpu_s(contender.pid) - before, time.process_time() - own
    after = await open_loop(after_target, peak * NORMAL, _AFTER_S, PATIENCE_S)
    await asyncio.sleep(PATIENCE_S + 0.1)
    seconds = ended - asked[0].due
    good = [one for one in asked if one.right]
    refused = [one for one in asked if one.status and not one.right]
    unavailable = [one for one in refused if one.status == 503]
    return Overload(
        contender.name, question, peak, connections, usual, len(asked) / seconds,
        sum(one.done <= ended for one in good) / seconds,
        _p(50, [one.waited_ms for one in good]), _p(99, [one.waited_ms for one in good]),
        len(refused) / seconds, _p(50, [one.took_ms for one in refused]), _p(99, [one.took_ms for one in refused]),
        {str(status): count for status, count in sorted(Counter(one.status for one in asked).items())},
        sum(one.retry_after for one in unavailable) / len(unavailable) if unavailable else None,
        recovered_after_s(after, ended, usual),
        _p(99, [(one.seen - one.due) * 1000 for one in asked]) or 0.0,
        spent / seconds, own / seconds,
    )  # fmt: skip


def recovered_after_s(after: Sequence[Ask], ended: float, usual_ms: float) -> float | None:
    """Seconds from `ended` to the first whole second whose every quarter has a usual p50 (half more, or 2 ms, is usual);
    None = not seen."""
    enough = max(usual_ms * 1.5, usual_ms + 2.0)
    windows: dict[int, list[float]] = {}
    for one in after:
        windows.setdefault(max(0, int((one.due - ended) / _WINDOW_S)), []).append(one.waited_ms if one.right else inf)
    last = max(windows, default=0)  # which may be cut short
    usual = [median(windows.get(number, [inf])) <= enough for number in range(last)]
    for number in range(len(usual) - _STEADY + 1):
        if all(usual[number : number + _STEADY]):
            return number * _WINDOW_S
    return None


def _right_per_s(asked: Sequence[Ask], seconds: float) -> float:
    return sum(one.right for one in asked) / seconds


def _p(percent: int, values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return median(values) if percent == 50 else quantiles(values, n=100, method="inclusive")[percent - 1]


def row(one: Overload) -> str:
    """One line of the table."""

    def ms(value: float | None) -> str:
        return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"

    recovery = "not seen" if one.recovery_s is None else f"{one.recovery_s:.1f}"
    retry = "-" if one.with_retry_after is None else f"{one.with_retry_after:.0%}"
    said = ", ".join(f"{'none' if status == '0' else status}: {count}" for status, count in one.statuses.items())
    return (
        f"| {one.name} | {one.peak:.0f} ({one.peak_connections}) | {one.offered:.0f} | {one.goodput:.0f} "
        f"({one.share:.0%}) | {ms(one.normal_p50_ms)} | {ms(one.admitted_p50_ms)} / {ms(one.admitted_p99_ms)} "
        f"| {ms(one.refused_p50_ms)} / {ms(one.refused_p99_ms)} | {retry} | {said} | {recovery} "
        f"| {one.cpu:.2f} / {one.generator_cpu:.2f} | {ms(one.late_p99_ms)} |"
    )


HEAD = (
    "| | peak a second (connections) | offered | goodput (of peak) | usual p50 ms | admitted p50 / p99 ms "
    "| refused p50 / p99 ms | 503 with Retry-After | answers by status | recovery s | CPUs used / by the generator | generator late p99 ms |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
)


async def _measured(wanted: Sequence[str], question: str, times: float, children: Children) -> list[Overload]:
    found = []
    for name in wanted:  # one at a time: the others would only stand in the way
        field = await contenders.start(_HOME, children, wanted=frozenset({name}))
        if not field.contenders:
            print(f"bench: without {name}: {field.absent.get(name)}", file=sys.stderr)
            continue
        found.append(await overload(field.contenders[0], question, times))
        for started in (name, "upstreams"):
            children.stop_one(started)
    return found


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--only", default=_BY_DEFAULT, help=f"comma-separated, of {', '.join(_NAMES)}")
    parser.add_argument("--question", default="list", choices=("list", "one"))
    parser.add_argument("--times", type=float, default=TIMES, help=f"of its peak (default {TIMES:.0f})")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if not set(wanted) <= set(_NAMES) or not 0.1 <= given.times <= 20:
        parser.error(f"--only knows {', '.join(_NAMES)}; --times 0.1 to 20")
    children = Children(_HOME / "logs")
    found = measured(_measured(wanted, given.question, given.times, children), children)
    print("\n".join([*HEAD, *map(row, found)]))
    (_HOME / "overload.json").write_text(json.dumps([asdict(one) for one in found], indent=1), encoding="utf-8")
    print(f"at most {MOST_CONNECTIONS} connections, patience {PATIENCE_S:.0f} s, {_OVERLOAD_S:.0f} s of overload")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
