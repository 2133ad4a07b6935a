"""What was promised, and what one run found: each goal with its figure and how far it is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.load import MANY
from bench.measure import SLOW_MS
from bench.overload import Overload
from bench.results import Results

LIST_MS, ONE_MS, BARE_LIST_MS = 1.2, 0.8, 0.7
ADDED_MS = 3.0
FLAT_TIMES = 1.10  # of one gateway's CPU a request: what two rounds of the same thing may differ
RSS_MIB = 150.0
GOODPUT, REFUSED_P99_MS, RECOVERY_S = 0.90, 100.0, 5.0


@dataclass(frozen=True, slots=True)
class Goal:
    """`ratio` is figure over goal: up to 1 is met, except where `least`, which wants at least 1."""

    zh: str
    en: str
    figure: str
    ratio: float | None
    met: bool
    binding: bool = False


def goals(found: Results) -> list[Goal]:
    """Those for which something was measured."""
    return [*_cpu(found), *_latency(found), *_replicas(found), *_memory(found), *_overload(found)]


def _cpu(found: Results) -> list[Goal]:
    said = []
    on = found.measured.get("yimen")
    bare = found.measured.get("yimen-bare")
    yoga = found.measured.get("yoga")
    if on is not None:
        for question, zh, most in (("list", "列表", LIST_MS), ("one", "单人", ONE_MS)):
            if (mine := on.cpu(question)) is not None:
                said.append(
                    _at_most(f"{zh}，全部启用 ≤ {most} ms", f"{question}, everything on <= {most} ms", mine, most, "ms")
                )
        if yoga is not None and (mine := on.cpu("list")) and (theirs := yoga.cpu("list")):
            said.append(
                _below("列表，全部启用，低于裸 Yoga", "list, everything on, below Yoga bare", mine, "Yoga", theirs)
            )
    if bare is not None:
        if (mine := bare.cpu("list")) is not None:
            zh, en = f"列表，裸 ≤ {BARE_LIST_MS} ms", f"list, bare <= {BARE_LIST_MS} ms"
            said.append(_at_most(zh, en, mine, BARE_LIST_MS, "ms"))
        for question, zh in (("list", "列表"), ("one", "单人")):
            peers = found.peers(question)
            if peers and (mine := bare.cpu(question)) is not None:
                best = min(peers, key=lambda name: peers[name])
                zh, en = f"{zh}，裸，低于每个同类", f"{question}, bare, below every peer"
                said.append(_below(zh, en, mine, best, peers[best]))
    busy, theirs_busy = found.busy.get("yimen"), found.busy.get("yoga")
    if (
        busy is not None
        and theirs_busy is not None
        and (mine := busy.cpu("list"))
        and (theirs := theirs_busy.cpu("list"))
    ):
        zh = f"同上，{MANY} 个连接（另报）"
        en = f"the same with {MANY} connections (beside)"
        said.append(replace(_below(zh, en, mine, "Yoga", theirs), binding=False))
    return said


def _latency(found: Results) -> list[Goal]:
    on, hive = found.measured.get("yimen"), found.measured.get("hive")
    if on is None or on.added_ms is None:
        return []
    beside = f"; Hive {hive.added_ms:.1f} ms" if hive is not None and hive.added_ms is not None else ""
    zh = f"空闲时比最慢来源（{SLOW_MS:.0f} ms）多出的 p50 ≤ {ADDED_MS:.0f} ms"
    en = f"added p50 over the slowest source ({SLOW_MS:.0f} ms), idle <= {ADDED_MS:.0f} ms"
    ratio = on.added_ms / ADDED_MS
    return [Goal(zh, en, f"{on.added_ms:.1f} ms{beside}", ratio, ratio <= 1)]


def _replicas(found: Results) -> list[Goal]:
    if found.replicas is None:
        return []
    said = []
    for name, zh, en in (
        ("yimen-3-replicas", "1 至 3 个网关", "from 1 to 3 gateways"),
        ("yimen-2-workers", "1 至 2 个工作进程", "from 1 to 2 workers"),
    ):
        if name in found.replicas.steady:
            by = {question: found.replicas.times(name, question) for question in ("list", "one")}
            pressed = {question: found.replicas.times_pressed(name, question) for question in ("list", "one")}
            figure = ", ".join(
                f"{question} {by[question]:.2f} x, closed loop {pressed[question]:.2f} x" for question in by
            )
            if "workers" in name:  # how a schedule falls to them is the kernel's to say
                by = pressed
            ratio = max(by.values()) / FLAT_TIMES
            words = (
                f"每请求 CPU 平稳：{zh}（≤ {FLAT_TIMES:.2f} 倍）",
                f"CPU a request flat {en} (<= {FLAT_TIMES:.2f} x)",
            )
            said.append(Goal(*words, figure, ratio, ratio <= 1))
    return said


def _memory(found: Results) -> list[Goal]:
    on = found.measured.get("yimen")
    if on is None:
        return []
    long_run = next((one for one in found.soaked if one.name == "yimen"), None)
    workers = {name: one.rss_worker for name, one in found.measured.items() if name in ("yimen", "yimen-pg")}
    if found.replicas is not None:
        workers |= {f"{name}'": one.rss_worker for name, one in found.replicas.steady.items()}
    workers["soak"] = max(
        [point.rss_mib for point in found.points] + [long_run.highest if long_run is not None else 0.0]
    )
    which = max(workers, key=lambda name: workers[name])
    highest = workers[which]
    zh, en = f"内存 ≤ {RSS_MIB:.0f} MiB（每个工作进程）", f"memory <= {RSS_MIB:.0f} MiB a worker"
    figure = f"{highest:.0f} MiB ({which.rstrip(chr(39))})"
    said = [Goal(zh, en, figure, highest / RSS_MIB, highest <= RSS_MIB)]
    zh, en = "1,000,000 次查询内存平稳", "memory flat over 1,000,000 queries"
    if long_run is None:
        said.append(Goal(zh, en, "未测 / not measured (`python -m bench.soak`)", None, False))
    else:
        queries = long_run.points[-1].requests
        enough = queries >= 1_000_000
        figure = f"{long_run.growth:+.1f} MiB, {queries:,} queries, second half"
        said.append(Goal(zh, en, figure, None, long_run.flat and enough))
    return said


def _overload(found: Results) -> list[Goal]:
    ours = next((one for one in found.overloads if one.name == "yimen"), None)
    if ours is None:
        return []
    others = "".join(f"; {one.name} {one.share:.0%}" for one in found.overloads if one is not ours)
    zh, en = f"5 倍负荷：有效吞吐 ≥ 峰值的 {GOODPUT:.0%}", f"at 5 times capacity: goodput >= {GOODPUT:.0%} of peak"
    said = [Goal(zh, en, f"{ours.share:.0%}{others}", ours.share / GOODPUT, ours.share >= GOODPUT)]
    zh = f"拒绝迅速：503 与 Retry-After，p99 ≤ {REFUSED_P99_MS:.0f} ms"
    en = f"refusals quick: 503 with Retry-After, p99 <= {REFUSED_P99_MS:.0f} ms"
    if ours.refused_p99_ms is None or ours.refused_p50_ms is None:
        said.append(Goal(zh, en, "无拒绝 / none refused", None, False))
    else:
        quick, told = ours.refused_p99_ms <= REFUSED_P99_MS, (ours.with_retry_after or 0.0) >= 1.0
        only_503 = all(status in ("0", "200", "503") for status in ours.statuses)
        figure = f"p50 {ours.refused_p50_ms:.1f}, p99 {ours.refused_p99_ms:.1f} ms, Retry-After {ours.with_retry_after or 0:.0%}"
        said.append(Goal(zh, en, figure, ours.refused_p99_ms / REFUSED_P99_MS, quick and told and only_503))
    zh, en = f"恢复 < {RECOVERY_S:.0f} s", f"recovery < {RECOVERY_S:.0f} s"
    others = "".join(f"; {one.name} {_seconds(one)}" for one in found.overloads if one is not ours)
    ratio = None if ours.recovery_s is None else ours.recovery_s / RECOVERY_S
    said.append(Goal(zh, en, f"{_seconds(ours)}{others}", ratio, ratio is not None and ratio < 1))
    return said


def _seconds(one: Overload) -> str:
    return "未见 / not seen" if one.recovery_s is None else f"{one.recovery_s:.1f} s"


def _at_most(zh: str, en: str, mine: float, most: float, unit: str) -> Goal:
    return Goal(zh, en, f"{mine:.2f} {unit}", mine / most, mine <= most)


def _below(zh: str, en: str, mine: float, whose: str, theirs: float) -> Goal:
    return Goal(zh, en, f"{mine:.2f} ms; {whose} {theirs:.2f}", mine / theirs, mine < theirs, binding=True)


def summary(all_: Sequence[Goal]) -> str:
    """`9 of 13 met; binding missed: ...`"""
    missed = [one.en for one in all_ if one.binding and not one.met]
    return f"{sum(one.met for one in all_)} of {len(all_)} met" + (
        f"; BINDING missed: {', '.join(missed)}" if missed else "; all binding ones met"
    )
