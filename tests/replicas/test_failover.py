"""The database dies under two replicas, and its standby takes over: what was answered is there, what was not was refused in
words, and a standby that lost something is found out by the witnesses before anything else is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.store import Store
from tests.flows.faults_ledger.scene import until
from tests.flows.faults_ledger.serving import manifests
from tests.flows.faults_ledger.test_killed import one_history
from tests.flows.sealed_house import Five, five
from tests.gateway.bootstrap.conftest import Serve, Serving
from tests.gateway.bootstrap.test_serving import get
from tests.replicas.replicas import Replicas
from tests.replicas.standby import Pair, pair
from tests.replicas.whole import whole

pytestmark = pytest.mark.anyio
TAKES_OVER_S = 30.0
IN_WORDS = {"503 STORE_UNAVAILABLE", "503 EVIDENCE_UNAVAILABLE", "200 STORE_UNAVAILABLE", "200 EVIDENCE_UNAVAILABLE"}


@pytest.fixture
async def servers() -> AsyncIterator[Pair]:
    async with pair("yimen", "persons") as found:
        yield found


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


@pytest.fixture
async def replicas(serve: Serve, servers: Pair, witnesses: Five) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Replicas.balancer())
        urls = {"database_url": servers.url("yimen"), "subject_keys_url": servers.url("persons")}
        await witnesses.introduce(**urls)
        given = witnesses.settings(**urls) | {
            "manifests_dir": manifests(witnesses.folder), "public_url": balancer.url, "dpop_nonces": "off", "drain_s": 1,
        }  # fmt: skip
        yield Replicas(serve, given, balancer, stack)


async def test_a_standby_takes_over_and_nothing_that_was_answered_is_lost(
    replicas: Replicas, servers: Pair, witnesses: Five
) -> None:
    await replicas.start_all(2)
    await servers.wait_for_each_other()
    load = await replicas.load(4)
    load.begin(replicas.direct())
    await load.more(100)

    before = set(load.answered)
    await asyncio.to_thread(servers.primary.kill)
    died = time.monotonic()
    await until(lambda: refused(load.failed))
    await until(lambda: ready(replicas.running, False))
    await asyncio.to_thread(servers.standby.promote)
    promoted = time.monotonic()
    await load.more(1, within_s=TAKES_OVER_S)
    answers = time.monotonic()
    await load.more(100)
    await until(lambda: ready(replicas.running, True))
    await load.end()

    assert set(load.failed) <= IN_WORDS, load.failed
    await whole(await replicas.store(), load, witnesses)
    print(
        f"failover: {answers - died:.2f} s without an answer, {answers - promoted:.2f} s of it after the standby was "
        f"promoted; {len(before)} answers before, {len(load.answered) - len(before)} after, lost 0; refused in words: "
        f"{dict(load.failed)}"
    )


async def test_a_standby_that_lost_commits_is_found_out_by_the_witnesses(
    replicas: Replicas, servers: Pair, witnesses: Five
) -> None:
    await replicas.start_all(2)
    load = await replicas.load(2)
    load.begin(replicas.direct())
    await load.more(20)
    await asyncio.to_thread(servers.standby.stop)  # cut off from here on; nobody waits for it
    store = await replicas.store()
    (shard,) = await store.ledger.shards()
    await until(lambda: seen(store, shard.size + 20))  # the witnesses saw what the standby did not

    signed = await checkpoints(store, shard.shard)
    await store.close()

    await asyncio.to_thread(servers.primary.kill)
    await asyncio.to_thread(servers.standby.start)
    await asyncio.to_thread(servers.standby.promote)
    died = time.monotonic()
    await until(lambda: halted(replicas.running), TAKES_OVER_S)
    noticed = time.monotonic()
    had = len(load.answered)
    await asyncio.sleep(1.0)
    await load.end()
    assert len(load.answered) == had, "nothing is answered from a log that is behind its witnesses"
    assert any("WITNESS_AHEAD" in one.log for one in replicas.running)
    store = await replicas.store()
    assert (await checkpoints(store, shard.shard)).items() <= signed.items(), (
        "nothing is signed before the witnesses are asked"
    )
    await store.close()
    one_history(witnesses)
    print(f"a standby that lost commits: halted {noticed - died:.2f} s after its promotion")


async def seen(store: Store, size: int) -> bool:
    """A quorum of the witnesses stands behind a log of at least this size."""
    (shard,) = await store.ledger.shards()
    return await store.ledger.checkpoint(shard.shard, at_least=size, sealed=True) is not None


async def checkpoints(store: Store, shard: str) -> dict[int, bytes]:
    return {one.size: one.root for one in await store.ledger.checkpoints(shard, before=None, limit=10_000)}


async def refused(failed: dict[str, int]) -> bool:
    return sum(failed.values()) > 0


async def ready(running: list[Serving], wanted: bool) -> bool:
    said = await asyncio.gather(*map(get, running))
    return all((status == 200) is wanted for status, _ in said)


async def halted(running: list[Serving]) -> bool:
    said = await asyncio.gather(*map(get, running))
    return all(status == 503 and "ledger" in text for status, text in said)
