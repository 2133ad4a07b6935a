"""`python -m bench.scale`: what one question costs on PostgreSQL, what one database takes in, and from both how large a district,
a province and the country must be built. Writes the tables of docs/guides/scale.md between their marks. About two minutes.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from bench import contenders, scale_database
from bench.commanded import measured
from bench.contenders import Contender
from bench.cost import cpu_s, rss_mib
from bench.load import block
from bench.machine import commit, machine
from bench.scale_model import SIZES, Assumed, Cost, Need, Size, group_commit_ms, mixed, need, waiting_ms
from demo.processes import Children

_HOME = Path("var/bench/scale")
PAGE = Path(__file__).parents[1] / "docs" / "guides" / "scale.md"
_ROUNDS, _REQUESTS = 5, {"one": 300, "list": 120}
_APPENDS = Path(__file__).parent / "LEDGER.md"
# Commits on a local NVMe, on a good network volume, to a synchronous standby in another city.
_SYNC_MS = 0.5, 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What goes into the arithmetic."""

    one: Cost
    many: Cost
    rss_mib: float
    appends_s: float
    taken: scale_database.Taken


async def _questions(children: Children) -> tuple[dict[str, Cost], float]:
    field = await contenders.start(_HOME, children, wanted=("yimen-pg",))
    (ours,) = field.contenders
    assert field.databases is not None
    found: dict[str, list[Cost]] = {name: [] for name in _REQUESTS}
    try:
        for number in range(_ROUNDS + 1):  # the first warms up
            for name, requests in _REQUESTS.items():
                cost = await _cost(ours, name, requests, field.databases.server.get_uri())
                if number:
                    found[name].append(cost)
        size = rss_mib(ours.pid)
    finally:
        children.stop()
        field.databases.server.cleanup()
    return {name: _middle(costs) for name, costs in found.items()}, size


async def _cost(one: Contender, name: str, requests: int, uri: str) -> Cost:
    assert one.database_pid is not None
    wal, stored, database = _wal(uri), _stored(uri), cpu_s(one.database_pid)
    took = await block(one, one.questions[name], requests)
    spent = (cpu_s(one.database_pid) - database) / requests * 1000
    return Cost(took.cpu_ms, spent, (_wal(uri) - wal) / requests, (_stored(uri) - stored) / requests)


def _middle(costs: list[Cost]) -> Cost:
    # Growth comes in pages and in leaps, so of it the mean; of CPU the median.
    return Cost(
        median(one.gateway_ms for one in costs),
        median(one.database_ms for one in costs),
        sum(one.wal_bytes for one in costs) / len(costs),
        sum(one.stored_bytes for one in costs) / len(costs),
    )


def _wal(uri: str) -> int:
    with psycopg.connect(uri, autocommit=True) as connection:
        (found,) = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')").fetchone() or (0,)
        return int(found)


def _stored(uri: str) -> int:
    """Of all databases of the server; what waits to be vacuumed is among it, so it is what a disk must hold."""
    with psycopg.connect(uri, autocommit=True) as connection:
        (found,) = connection.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone() or (0,)
        return int(found)


def _appends() -> float:
    """Entries a second that one sequencer kept up with, as `script/bench --ledger` wrote it last. Raises ValueError."""
    found = re.search(r"an append there \| ([0-9,]+)/s", _APPENDS.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("bench/LEDGER.md tells no rate of appends")
    return float(found[1].replace(",", ""))


def tables(found: Measured, assumed: Assumed) -> str:
    """The part of the guide that is made of figures."""
    cost = mixed(found.one, found.many, assumed.share_of_list)
    needs = [
        (size, need(size, cost, assumed, appends_s=found.appends_s, fix_rows_s=found.taken.fixes_s, fix_bytes=found.taken.fix_bytes))
        for size in SIZES
    ]  # fmt: skip
    return "\n\n".join((_inputs(found, cost, assumed), _sizes(needs), _waits(needs, cost), _commits()))


def _inputs(found: Measured, cost: Cost, assumed: Assumed) -> str:
    rows = [
        ("一人一问 one person", found.one),
        ("二十人一问 twenty persons", found.many),
        (f"混合（{assumed.share_of_list:.0%} 为二十人） mixed ({assumed.share_of_list:.0%} of twenty)", cost),
    ]
    lines = [
        f"实测 Measured: {machine()}, yimen at {commit()}.",
        "",
        "| 每次查询 per question | 网关 CPU gateway, ms | 数据库 CPU database, ms | WAL, kB | 存量增长 growth, kB |",
        "|---|---|---|---|---|",
        *(
            f"| {title} | {one.gateway_ms:.2f} | {one.database_ms:.2f} | {one.wal_bytes / 1000:.1f} | {one.stored_bytes / 1000:.1f} |"
            for title, one in rows
        ),
        "",
        f"一个工作进程的内存 memory of a worker: {found.rss_mib:.0f} MiB. 一个定序器 one sequencer (bench/LEDGER.md): "
        f"{found.appends_s:,.0f} 条/s entries a second. 定位点写入（COPY，一千点一批） device fixes by COPY, a thousand at a time: "
        f"{found.taken.fixes_s:,.0f}/s, {found.taken.fix_us:.1f} µs, {found.taken.fix_bytes:.0f} B (含索引 with its index). "
        f"单行提交 one row's commit here: {found.taken.commit_ms:.2f} ms.",
    ]
    return "\n".join(lines)


def _sizes(needs: list[tuple[Size, Need]]) -> str:
    head = (
        "| 高峰 at the peak | "
        + " | ".join(f"{size.title_zh} {size.title_en}<br>{size.persons:,}" for size, _ in needs)
        + " |"
    )
    rows = {
        "查询/秒 questions a second": [f"{one.questions_s:,.1f}" for _, one in needs],
        "定位点/秒 device fixes a second": [f"{one.fixes_s:,.0f}" for _, one in needs],
        "网关核数 gateway cores": [f"{one.gateway_cores:.2f}" for _, one in needs],
        "数据库核数 database cores": [f"{one.database_cores:.2f}" for _, one in needs],
        "WAL, MB/s": [f"{one.wal_mb_s:.2f}" for _, one in needs],
        "留痕增长/年 evidence a year": [_bytes(one.grown_gb_year) for _, one in needs],
        "日志条目/年 ledger entries a year": [f"{one.entries_year:,.0f}" for _, one in needs],
        "定序器占用 of one sequencer": [f"{one.entry_share:.2%}" for _, one in needs],
        "定位点 90 天 fixes of 90 days": [_bytes(one.fixes_gb_90_days) for _, one in needs],
        "定位点写入占用 of one database's intake": [f"{one.fix_share:.2%}" for _, one in needs],
    }
    return "\n".join(
        (
            head,
            "|---" * (len(needs) + 1) + "|",
            *(f"| {name} | {' | '.join(values)} |" for name, values in rows.items()),
        )
    )


def _waits(needs: list[tuple[Size, Need]], cost: Cost) -> str:
    """Waiting for a core in the gateways, by Erlang C, as cores are added."""
    lines = [
        "| 网关核数 gateway cores | " + " | ".join(f"{size.title_zh} {size.title_en}" for size, _ in needs) + " |",
        "|---" * (len(needs) + 1) + "|",
    ]
    for cores in (1, 2, 4, 8, 16):
        waits = [waiting_ms(one.questions_s, cost.gateway_ms, cores) for _, one in needs]
        lines.append(
            f"| {cores} | "
            + " | ".join("不足 not enough" if wait == float("inf") else f"{wait:.1f}" for wait in waits)
            + " |"
        )
    return "等待处理器的 99 分位（毫秒，Erlang C） p99 of waiting for a core, ms:\n\n" + "\n".join(lines)


def _commits() -> str:
    """How long a record waits to be durable, simulated for commits of several lengths."""
    lines = [
        "| 提交 a commit | " + " | ".join(f"{rate}/s" for rate in (10, 100, 1000, 3000)) + " |",
        "|---|---|---|---|---|",
    ]
    for sync_ms in _SYNC_MS:
        found = [group_commit_ms(rate, sync_ms=sync_ms, row_ms=0.05) for rate in (10, 100, 1000, 3000)]
        lines.append(
            f"| {sync_ms} ms | " + " | ".join(f"{p50:.1f} / {p99:.1f} ({rows:.1f})" for p50, p99, rows in found) + " |"
        )
    return (
        "一条留痕等待落盘的时间，模拟（中位 / 99 分位 毫秒；括号内为一次提交的条数） "
        "how long a record waits to be durable, simulated (median / p99 ms; in brackets: records a commit):\n\n"
        + "\n".join(lines)
    )


def _bytes(gigabytes: float) -> str:
    return (
        f"{gigabytes / 1000:.1f} TB"
        if gigabytes >= 1000
        else f"{gigabytes:.1f} GB"
        if gigabytes >= 1
        else f"{gigabytes * 1000:.0f} MB"
    )


_BEGIN, _END = "<!-- begin: python -m bench.scale -->", "<!-- end -->"


def main() -> int:
    children = Children(_HOME / "logs")
    costs, size = measured(_questions(children), children)
    found = Measured(costs["one"], costs["list"], size, _appends(), scale_database.measure())
    made = tables(found, Assumed())
    print(made)
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    if not rest or not after:
        print(f"bench: {PAGE} has no place for the tables", file=sys.stderr)
        return 1
    PAGE.write_text(f"{before}{_BEGIN}\n\n{made}\n\n{_END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
