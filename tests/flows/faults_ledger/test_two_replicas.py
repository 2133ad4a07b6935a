"""Two replicas on PostgreSQL, both answering: the leader is killed, stopped beyond the loss of its lock, and goes on. No fork."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.flows.faults_ledger.scene import covered, until
from tests.flows.faults_ledger.serving import Load, askers, auditor_of, proven
from tests.flows.faults_ledger.test_killed import (
    environment,
    free_port,
    lost_or_doubled,
    one_history,
    store_beside,
)
from tests.flows.sealed_house import Five, five
from tests.gateway.bootstrap.conftest import Serve, Serving
from tests.gateway.bootstrap.test_ledger_serving import leading, sound

pytestmark = pytest.mark.anyio
KILLS = int(os.environ.get("YIMEN_KILLS", "0")) // 10 or 2


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


@dataclass
class Replica:
    """One of the two; `begin` starts it (anew) and its officers ask."""

    given: dict[str, Any]
    serve: Serve
    load: Load = field(default_factory=lambda: Load([]))
    asking: list[asyncio.Task[None]] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    serving: Serving | None = None

    @property
    def url(self) -> str:
        return str(self.given["public_url"])

    async def begin(self) -> Serving:
        self.serving = await self.stack.enter_async_context(self.serve(**self.given))
        self.load.askers = self.load.askers or await askers(self.serving, 3)
        self.asking = self.load.begin(self.url)
        return self.serving

    async def kill(self) -> None:
        assert self.serving is not None
        self.serving.process.send_signal(signal.SIGKILL)
        await self.serving.process.wait()
        await asyncio.gather(*self.asking)

    async def leads(self) -> bool:
        assert self.serving is not None
        return await leading(self.serving) == [""]


async def dismiss(url: str) -> None:
    """The server ends the session that holds the ledger's lock, as it would a dead one's."""
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def test_leaders_are_killed_and_stopped_while_both_answer(
    serve: Serve, postgresql: str, witnesses: Five, tmp_path: Path
) -> None:
    replicas = [Replica(environment(witnesses, free_port(), database_url=postgresql), serve) for _ in range(2)]
    await witnesses.introduce(database_url=postgresql)
    began, store = time.monotonic(), None
    try:
        for one in replicas:
            await one.begin()
        assert replicas[0].serving is not None
        store = await store_beside(replicas[0].serving)
        (shard,) = await store.ledger.shards()
        auditor = await auditor_of(witnesses, await store.ledger.keys(shard.shard), tmp_path / "auditor")
        for _ in range(KILLS):
            leader, other = await in_order(replicas)
            await asyncio.sleep(0.3)
            await leader.kill()
            await until(other.leads, 40)
            had = other.load.data
            await until(lambda other=other, had=had: more(other, had))  # type: ignore[misc]
            said = await auditor.audit(f"{other.url}/ledger/{shard.shard}")
            assert [one for one in said.report["findings"] if one["fault"] != "MISSING_COSIGNATURES"] == [], said.report
            await leader.begin()

        leader, other = await in_order(replicas)
        assert leader.serving is not None
        leader.serving.signal(signal.SIGSTOP)
        await dismiss(postgresql)
        await until(other.leads, 40)
        had = other.load.data
        await until(lambda: more(other, had))
        leader.serving.signal(signal.SIGCONT)

        async def follows() -> bool:
            return not await leader.leads() and await other.leads()

        await until(follows, 40)
        for one in replicas:
            for task in one.asking:
                task.cancel()
            await asyncio.gather(*one.asking, return_exceptions=True)
        await covered(store)
        for one in replicas:
            assert await lost_or_doubled(store, one.load) == set()
            await proven(other.url, auditor, dict(sorted(one.load.answered.items())[-50:]))
            said = await auditor.audit(f"{one.url}/ledger/{shard.shard}")
            assert said.code == 0, said.report
        assert await store.ledger.exhibits(10) == []
        await sound(store)
        one_history(witnesses)
        count = sum(len(one.load.answered) for one in replicas)
        assert count > 50
        print(f"{KILLS} leaders killed, one stopped, {count} answers, {time.monotonic() - began:.0f} s")
    finally:
        if store is not None:
            await store.close()
        for one in replicas:
            await one.stack.aclose()


async def in_order(replicas: list[Replica]) -> tuple[Replica, Replica]:
    """The one that leads, and the other."""

    async def look() -> tuple[Replica, Replica] | None:
        leads = [await one.leads() for one in replicas]
        if leads.count(True) != 1:
            return None
        return (replicas[0], replicas[1]) if leads[0] else (replicas[1], replicas[0])

    found: tuple[Replica, Replica] = await until(look, 40)
    return found


async def more(one: Replica, than: int) -> bool:
    return one.load.data > than + 5
