"""Several processes append to one log on PostgreSQL, one of them gives the numbers, and another does when it is killed."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from gateway.caller import Change
from gateway.clock import SystemClock
from gateway.services.ledger.fsck import Fsck
from gateway.store import Store, open_store
from gateway.store.changes import record_change
from gateway.store.ledger.fsck import StoredRows
from tests.gateway.bootstrap.conftest import Serve, Serving

pytestmark = pytest.mark.anyio
WITHIN_S = 40.0  # a leader that is stopped is dismissed by the server after a while


async def metrics(serving: Serving) -> str:
    async with (
        aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(10)) as session,
        session.get(f"{serving.url}/metrics") as reply,
    ):
        return await reply.text()


async def leading(serving: Serving) -> list[str]:
    """The workers that say they lead; "" where there is one process only."""
    found = re.findall(r'yimen_ledger_leading(?:\{worker="(\d)"\})? 1\.0', await metrics(serving))
    return list(found)


@asynccontextmanager
async def beside(serving: Serving) -> AsyncIterator[Store]:
    """The same store, in a process that keeps nothing: whatever it appends somebody else must sequence."""
    store = await open_store(serving.settings(), SystemClock())
    try:
        yield store
    finally:
        await store.close()


async def append(store: Store, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        async with store.database.write() as connection:
            change = Change("CLIENT_CHANGED", "client-1", "operator", "operator")
            ids.append(await record_change(connection, datetime.now(UTC), change))
    return ids


async def sequenced(store: Store, ids: list[str]) -> float:
    """Seconds until all of them are under a checkpoint."""
    began = time.monotonic()
    for entry_id in ids:
        while True:
            found = await store.ledger.find(entry_id)
            assert found is not None
            placed = found.shard is not None and found.number is not None
            if (
                placed
                and await store.ledger.checkpoint(str(found.shard), at_least=int(found.number or 0) + 1) is not None
            ):
                break
            assert time.monotonic() - began < WITHIN_S, "it was never signed"
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def sound(store: Store) -> int:
    """The size of the log, once everything in it was checked."""
    check = Fsck(StoredRows(store.database), None)
    heads = await check.heads()
    assert [one for head in heads async for one in check.shard(head)] == []
    async with store.database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT count(*), count(DISTINCT id), max(number) FROM ledger_entry")
        count, ids, last = rows.one()
    assert count == ids == last + 1 == heads[-1].size
    return int(count)


async def test_of_two_workers_one_leads_and_the_other_takes_over(serve: Serve, postgresql: str) -> None:
    async with (
        serve("--workers", "2", database_url=postgresql, drain_s=1, listening=2) as serving,
        beside(serving) as store,
    ):
        assert await sequenced(store, await append(store, 20)) < WITHIN_S
        (leader,) = await leading(serving)
        serving.workers()[int(leader)].kill()
        assert await sequenced(store, await append(store, 20)) < WITHIN_S
        async with asyncio.timeout(WITHIN_S):
            while len(await leading(serving)) != 1:  # the dead one's place is taken, and one of the two leads
                await asyncio.sleep(0.05)
        assert await sound(store) >= 40


async def test_of_two_replicas_one_leads_and_the_other_takes_over(serve: Serve, postgresql: str) -> None:
    given = {"database_url": postgresql, "ledger_origin": "ledger.example/log"}
    async with serve(**given) as first, serve(**given) as second, beside(second) as store:
        assert await sequenced(store, await append(store, 20)) < WITHIN_S
        assert (await leading(first), await leading(second)) == ([""], [])
        first.process.kill()
        await first.process.wait()
        assert await sequenced(store, await append(store, 20)) < WITHIN_S
        assert await leading(second) == [""]
        assert await sound(store) >= 40
        assert second.log.count('"event":"ledger_led"') == 1


async def test_a_stopped_leader_is_overtaken_and_writes_nothing_more(serve: Serve, postgresql: str) -> None:
    given = {"database_url": postgresql, "ledger_origin": "ledger.example/log"}
    async with serve(**given) as first, serve(**given) as second, beside(second) as store:
        await sequenced(store, await append(store, 5))
        first.signal(signal.SIGSTOP)
        ids = await append(store, 5)
        assert await sequenced(store, ids) < WITHIN_S
        first.signal(signal.SIGCONT)
        await sequenced(store, await append(store, 5))
        async with asyncio.timeout(WITHIN_S):
            while await leading(first):
                await asyncio.sleep(0.05)
        assert await leading(second) == [""]
        assert await sound(store) >= 15
