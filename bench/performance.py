"""docs/performance.md and its picture: what the figures are, how they are made and how to make them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.goals import LIST_MS, ONE_MS, Goal, goals
from bench.load import CONNECTIONS, MANY
from bench.machine import commit, machine
from bench.measure import SLOW_MS, Measured
from bench.overload import PATIENCE_S, TIMES, Overload
from bench.plot import Bar, Kind, Panel, svg
from bench.replicas import STEADY_PER_S
from bench.results import Results
from bench.split import Split
from bench.table import cpu

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PICTURE = PAGE.with_suffix(".svg")

_SHORT = {
    "yimen": ("yimen，全部启用，SQLite", "yimen, everything on, SQLite"),
    "yimen+envelope": ("yimen，全部启用，带信封", "yimen, everything on, envelope on"),
    "yimen-pg": ("yimen，全部启用，PostgreSQL", "yimen, everything on, PostgreSQL"),
    "yimen-2-workers": ("yimen，PostgreSQL，2 个工作进程", "yimen, PostgreSQL, 2 workers"),
    "yimen-3-replicas": ("yimen，PostgreSQL，3 个网关", "yimen, PostgreSQL, 3 gateways"),
    "yimen-bare": ("yimen，裸（仅供测量）", "yimen, bare (bench only)"),
    "yoga": ("GraphQL Yoga", "hand-written, dataloader"),
    "apollo": ("Apollo Server", "hand-written, dataloader"),
    "hive": ("Hive Gateway + Mesh", "REST subgraphs"),
    "strawberry": ("strawberry", "stock, caches on"),
}
_KINDS: dict[str, Kind] = {"yimen": "on", "yimen+envelope": "on", "yimen-pg": "on", "yimen-bare": "bare"}


def picture(found: Results) -> str:
    """Both questions, and what is left of the peak under overload."""
    panels = [
        _cpu_panel(found, "list", "列表：20 人 × 3 部门", "list: 20 persons x 3 departments", LIST_MS),
        _cpu_panel(found, "one", "单人：1 人 × 3 部门", "one: 1 person x 3 departments", ONE_MS),
    ]
    if found.overloads:
        bars = [
            Bar(_SHORT[one.name][0], _SHORT[one.name][1], one.share * 100, _KINDS.get(one.name, "peer"),
                beside=_recovery(one))
            for one in found.overloads
        ]  # fmt: skip
        panels.append(
            Panel(f"{TIMES:.0f} 倍负荷下的有效吞吐", f"goodput at {TIMES:.0f} times capacity", bars, "峰值 % of peak", 0, 90.0,
                  "≥ 90 %", ("恢复", "recovery"))
        )  # fmt: skip
    note = f"{machine()} · {datetime.now(UTC):%Y-%m-%d} · yimen {commit()}"
    return svg(
        "每请求 CPU 时间，与同类并列",
        "CPU time a request, beside peers (ms; shorter is better; thin line: lowest to highest round)",
        panels,
        note,
    )


def _cpu_panel(found: Results, question: str, zh: str, en: str, goal: float) -> Panel:
    on, bare = (
        found.measured[name].cpu(question) if name in found.measured else None for name in ("yimen", "yimen-bare")
    )
    bars = []
    for name, (zh_name, en_name) in _SHORT.items():
        of, _, suffix = name.partition("+")
        measured = found.measured.get(of)
        asked = f"{question}+envelope" if suffix else question
        if measured is None or (value := measured.cpu(asked)) is None:
            continue
        rounds = measured.cpu_ms[asked]
        beside = ""
        if not name.startswith("yimen"):
            beside = " / ".join("-" if mine is None else f"{mine / value:.2f}" for mine in (on, bare)) + " ×"
        bars.append(Bar(zh_name, en_name, value, _KINDS.get(name, "peer"), min(rounds), max(rounds), beside))
    return Panel(
        zh,
        en,
        bars,
        "ms",
        2,
        goal,
        f"目标 goal {goal} ms",
        ("yimen 全部启用 / 裸，为其几倍", "yimen on / bare, as a multiple of it"),
    )


def _recovery(one: Overload) -> str:
    return "未见 not seen" if one.recovery_s is None else f"{one.recovery_s:.1f} s"


def page(found: Results) -> str:
    """The whole page, Chinese first."""
    return "\n".join([*_intro(found), *_figures(found), *_busy_lines(found), *_goal_lines(goals(found)), *_replica_lines(found),
                      *_overload_lines(found.overloads), *_memory_lines(found), *_where(found.splits), *_how(found)]) + "\n"  # fmt: skip


def _intro(found: Results) -> list[str]:
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    return [
        "# 性能 Performance",
        "",
        "本页与图由 `script/bench` 一次运行写成，请勿手改。同一台机器、同一组上游、轮流测量；数字是进程 CPU 时间（含子进程），"
        f"取 {found.plan.rounds} 轮的中位数，括号内为最低与最高一轮。",
        "",
        "This page and its picture are written by one run of `script/bench`; do not edit them. One machine, the same upstreams, measured "
        f"in turns; figures are process CPU time (children included), the median of {found.plan.rounds} rounds, lowest and highest in brackets.",
        "",
        f"机器 Machine: {machine()}. {datetime.now(UTC):%Y-%m-%d}, yimen {commit()}. "
        f"运行结束时负载 load average at the end: {load}. 用时 took {found.took_s / 60:.0f} min.",
        "",
        f"![每请求 CPU 时间 CPU time a request]({PICTURE.name})",
        "",
    ]


def _figures(found: Results) -> list[str]:
    lines = [
        "## 各行 The rows",
        "",
        "| | 列表 list, CPU ms | 单人 one, CPU ms | 数据库 CPU ms database (list / one) | 空闲多出 added p50 ms | RSS MiB 起 start → 后 after |",
        "|---|---|---|---|---|---|",
    ]
    for contender in found.field.contenders:
        figures = found.measured[contender.name]
        zh, _ = _SHORT[contender.name]
        added = "-" if figures.added_ms is None else f"{figures.added_ms:.1f}"
        lines.append(
            f"| {zh}<br>{contender.title} | {cpu(figures, 'list')} | {cpu(figures, 'one')} | {_database(figures, contender.database_pid)} "
            f"| {added} | {figures.rss_start:.0f} → {figures.rss_rounds:.0f} |"
        )
        if "list+envelope" in contender.questions:
            zh, en = _SHORT["yimen+envelope"]
            lines.append(
                f"| {zh}<br>{en} | {cpu(figures, 'list+envelope')} | {cpu(figures, 'one+envelope')} | {_in_process()} | | |"
            )
    lines += [
        f"| {name} | 未测 not measured: {' '.join(why.split())[:160]} | | | | |"
        for name, why in found.field.absent.items()
    ]
    return [
        *lines,
        "",
        "- **全部启用**：DPoP 令牌与一次性证明、撤销查询、用途与策略、逐人掩码、人员识别、先存证后放行（先落盘：SQLite 同步其日志，PostgreSQL 用 fsync）。"
        "选取的字段与同类相同（信封关）；“带信封”一行另加每部分的状态、来源与时间。每次问的是同样的人：SQLite 上已知之事在无写入时留用（ADR 0023），首次问二十人另费约 0.2 ms。",
        "- **裸**：无令牌、无策略、无限流、无存证、无日志；人员识别仍在。只有测量程序能这样组装，产品没有这样的设置。",
        "- **同类**：各按其用户的写法，无鉴权、无策略、无存证；同样的上游，每部门一次批量调用；都不缓存答案。",
        "",
        "- **everything on**: a DPoP token and a proof that is good once, revocation looked up, purpose and policy, a mask for each person, persons "
        "recognised, evidence on the disk before release (SQLite's log synced, PostgreSQL with fsync). The same selected fields as the peers (envelope off); one "
        "more row has state, source and times of every part. The same persons are asked for each time: on SQLite what is known of them is kept while nothing "
        "is written (ADR 0023); the first question about twenty costs about 0.2 ms more.",
        "- **bare**: no token, policy, limits, evidence or ledger; persons are still recognised. Only the bench can put that together; the product has no "
        "setting for it.",
        "- **peers**: each as its own users would write it, without authentication, policy or evidence; the same upstreams, one batch call a department; "
        "nobody caches answers.",
        "",
    ]  # fmt: skip


def _busy_lines(found: Results) -> list[str]:
    if not found.busy:
        return []
    lines = [
        f"## {MANY} 个连接 {MANY} connections",
        "",
        f"上表为 {CONNECTIONS} 个连接；此处同样的问题由 {MANY} 个连接同时提出，如每秒千次、部门各需 {MANY} 毫秒时那样。一次落盘由更多请求共担，每个请求等得也更久。",
        "",
        f"The table above is of {CONNECTIONS} connections; here {MANY} ask the same at once, as they do at a thousand questions a second and departments that "
        f"take {MANY} ms. One sync of the disk is shared by more requests.",
        "",
        "| | 列表 list, CPU ms | 单人 one, CPU ms | 数据库 CPU ms database (list / one) |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for contender in found.field.contenders:
        figures = found.busy[contender.name]
        database = "-" if not figures.database_ms else f"{figures.database('list'):.2f} / {figures.database('one'):.2f}"
        lines.append(
            f"| {_SHORT[contender.name][0]}<br>{contender.title} | {cpu(figures, 'list')} | {cpu(figures, 'one')} | {database} |"
        )
    return [*lines, ""]


def _database(figures: Measured, database_pid: int | None) -> str:
    if not figures.database_ms or database_pid is None:
        return _in_process() if "list+envelope" in figures.cpu_ms else "-"
    return " / ".join(f"{figures.database(question):.2f}" for question in ("list", "one"))


def _in_process() -> str:
    return "同进程 in the same process"


def _goal_lines(all_: Sequence[Goal]) -> list[str]:
    lines = ["## 目标 Goals", "", "| 目标 goal | 结果 figure | 与目标之比 ratio | |", "|---|---|---|---|"]
    for one in all_:
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        mark = " **【约束 BINDING】**" if one.binding else ""
        met = "达到 met" if one.met else "**未达 missed**"
        lines.append(f"| {one.zh}<br>{one.en}{mark} | {one.figure} | {ratio} | {met} |")
    return [
        *lines,
        "",
        "比值为结果除以目标（吞吐一行为越大越好，其余越小越好）。 The ratio is figure over goal: the smaller the better, for goodput the larger.",
        "",
    ]


def _replica_lines(found: Results) -> list[str]:
    if found.replicas is None:
        return []
    lines = [
        "## 多个进程、多台网关 More processes, more gateways",
        "",
        f"同一 PostgreSQL，每个网关（进程）每秒 {STEADY_PER_S:.0f} 问，处理器有余；CPU 为全部进程之和。倒数第二列：每个网关四条连接不停地问，处理器全被占满时的比值。目标按前者看网关，按后者看工作进程。 "
        f"One PostgreSQL, {STEADY_PER_S:.0f} questions a second for each gateway (worker), so that there are processors to spare; CPU is the sum of all processes. The last column "
        "but one is the ratio where each is asked by four connections that never rest, and all processors are taken: by three gateways, the database and who asks them. Goals look at the former for gateways (the load of each is held, not the total: "
        "less is shared than one asked three times as often would share), at the latter for workers.",
        "",
        "| | list CPU ms | one CPU ms | 数据库 database CPU ms (list / one) | 与一个之比 over one gateway (list / one) | 占满时之比 the same, closed loop | 最大进程 largest process, RSS MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for contender in found.replicas.contenders:
        figures = found.replicas.steady[contender.name]
        times = " / ".join(f"{found.replicas.times(contender.name, question):.2f}" for question in ("list", "one"))
        pressed = " / ".join(
            f"{found.replicas.times_pressed(contender.name, question):.2f}" for question in ("list", "one")
        )
        lines.append(
            f"| {_SHORT[contender.name][0]}<br>{_SHORT[contender.name][1]} | {cpu(figures, 'list')} | {cpu(figures, 'one')} "
            f"| {_database(figures, contender.database_pid)} | {times} | {pressed} | {figures.rss_worker:.0f} |"
        )
    return [*lines, ""]


def _overload_lines(all_: Sequence[Overload]) -> list[str]:
    if not all_:
        return []

    def pair(one: float | None, other: float | None) -> str:
        return "-" if one is None or other is None else f"{one:.1f} / {other:.1f}"

    lines = [
        "## 超负荷 Overload",
        "",
        f"先以闭环求峰值，再按固定时刻表以 {TIMES:.0f} 倍发送（开环，列表问题），提问者等 {PATIENCE_S:.0f} 秒即挂断；随后立即回到峰值的五分之一，看多久恢复。"
        "有效吞吐只算等待期内的正确答案。",
        "",
        f"The peak is found by a closed loop; then {TIMES:.0f} times as much is sent on a fixed schedule (open loop, list question), and whoever has "
        f"waited {PATIENCE_S:.0f} seconds hangs up; then at once a fifth of the peak again, to see how long recovery takes. Goodput counts right answers "
        "within that patience only.",
        "",
        "| | 峰值 peak /s | 发送 offered /s | 有效 goodput /s | 平时 usual p50 ms | 放行 admitted p50 / p99 ms | 拒绝 refused p50 / p99 ms | Retry-After | 答复 answers | 恢复 recovery |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in all_:
        retry = "-" if one.with_retry_after is None else f"{one.with_retry_after:.0%}"
        said = ", ".join(f"{'无 none' if status == '0' else status}: {count}" for status, count in one.statuses.items())
        lines.append(
            f"| {_SHORT[one.name][0]} | {one.peak:.0f} | {one.offered:.0f} | {one.goodput:.0f} ({one.share:.0%}) | {one.normal_p50_ms:.1f} "
            f"| {pair(one.admitted_p50_ms, one.admitted_p99_ms)} | {pair(one.refused_p50_ms, one.refused_p99_ms)} | {retry} | {said} | {_recovery(one)} |"
        )
    late = max(one.late_p99_ms for one in all_)
    return [
        *lines,
        "",
        f"发生器与被测者同在一台机器；它自己最多迟到 p99 {late:.0f} ms。 The generator shares the machine; it was itself late by at most {late:.0f} ms at p99.",
        "",
    ]  # fmt: skip


def _memory_lines(found: Results) -> list[str]:
    lines = ["## 内存 Memory", ""]
    if found.points:
        cells = ", ".join(f"{point.requests:,}: {point.rss_mib:.0f}" for point in found.points)
        lines += [f"本次运行的短程 the short run of this bench (queries: MiB): {cells}.", ""]
    if not found.soaked:
        return [*lines, "长程未测：`python -m bench.soak`。 The long run was not made: `python -m bench.soak`.", ""]
    lines += [
        "长程由 `python -m bench.soak` 单独测量，结果存于 [bench/SOAK.md](../bench/SOAK.md)。 The long run is made by `python -m bench.soak` and kept there.",
        "",
        "| | 查询 queries | RSS MiB 起 start → 半程 half → 终 end | 后半程 second half | |",
        "|---|---|---|---|---|",
    ]
    for one in found.soaked:
        half = one.points[len(one.points) // 2].rss_mib
        lines.append(
            f"| {_SHORT[one.name][0]}<br>{one.title} | {one.points[-1].requests:,} | {one.points[0].rss_mib:.0f} → {half:.0f} → "
            f"{one.points[-1].rss_mib:.0f} | {one.growth:+.1f} MiB | {'平稳 flat' if one.flat else '**增长 grows**'} |"
        )
    return [*lines, "", f"长程测于 long run measured on: {found.soaked[0].measured}.", ""]


def _where(splits: Sequence[Split]) -> list[str]:
    if not splits:
        return []
    columns = [f"{one.question}, {'裸 bare' if one.bare else '全部启用 on'}" for one in splits]
    places: dict[str, list[str]] = {}
    for number, one in enumerate(splits):
        for name, share in one.places:
            places.setdefault(name, ["-"] * len(splits))[number] = f"{share:.1%}"
    return [
        "## 时间花在哪里 Where the time goes",
        "",
        "对进程 CPU 时间取样（另起一个进程，不影响以上数字）；C 函数的时间记在调用它的那一行上。 Samples of process CPU time (in a process of its own, which "
        "disturbs no figure above); time in C is booked on the line that called it. "
        f"({', '.join(f'{one.samples:,}' for one in splits)} samples)",
        "",
        "| | " + " | ".join(columns) + " |",
        "|---" * (len(splits) + 1) + "|",
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in places.items()),
        "",
        *(f"{column}: " + ", ".join(f"`{name}` {share:.1%}" for name, share in one.lines[:6]) + ".  "
          for column, one in zip(columns, splits, strict=True)),
        "",
    ]  # fmt: skip


def _how(found: Results) -> list[str]:
    plan = found.plan
    return [
        "## 如何测量，如何重做 How it is measured, how to do it again",
        "",
        f"- 一次提问块为 {plan.requests['list']} 个列表或 {plan.requests['one']} 个单人请求，{CONNECTIONS} 条长连接；各家轮流，每轮换一家先问；先有 {plan.warm_up} 轮不计。"
        "每块第一个答案逐字核对，其余看状态与错误。",
        "- 上游是一个独立进程里的三个部门；负载在另一个进程。它们的 CPU 不计入任何一行；PostgreSQL 的 CPU 另列。",
        f"- “空闲多出”：每个部门等 {SLOW_MS:.0f} ms（单独问一个部门 p50 为 {found.alone_ms:.1f} ms），一次一个请求，p50 之差。",
        "- 机器忙时绝对数字没有意义；同一次运行中的比值仍可比。持续集成不看时间，看每请求执行的 Python 调用与字节码条数（`tests/bench/test_regression.py`，`python -m bench.budget`）。",
        "- 重做：`script/bench`（约 10 分钟，机器应空闲）；内存长程：`python -m bench.soak`；只看超负荷：`python -m bench.overload --only yimen`。细表见 [bench/RESULTS.md](../bench/RESULTS.md)。",
        "",
        f"- A block is {plan.requests['list']} list or {plan.requests['one']} one requests on {CONNECTIONS} keep-alive connections; contenders take turns, "
        f"another one begins each round, {plan.warm_up} rounds before do not count. The first answer of a block is compared word for word, the others by status and errors.",
        "- The upstreams are three departments in one process of their own, the load is another process. Their CPU is in no row; PostgreSQL's stands beside.",
        f"- \"added\": departments wait {SLOW_MS:.0f} ms (one asked directly: {found.alone_ms:.1f} ms at p50), one request at a time, the difference at p50.",
        "- On a busy machine absolute figures mean nothing; ratios within one run can still be compared. CI looks at no time: it counts the Python calls and bytecode "
        "instructions of a request (`tests/bench/test_regression.py`, `python -m bench.budget`).",
        "- Again: `script/bench` (about 10 minutes, on a machine that does nothing else); memory in the long run: `python -m bench.soak`; overload alone: "
        "`python -m bench.overload --only yimen`. The technical table is [bench/RESULTS.md](../bench/RESULTS.md).",
    ]  # fmt: skip
