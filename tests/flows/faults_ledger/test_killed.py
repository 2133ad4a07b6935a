"""`yimen serve` killed with -9 while it answers, again and again: what was answered is in the log, once, and is proven.

On SQLite, and on PostgreSQL with two replicas of which the leader dies; as many rounds as fit into some seconds, or
YIMEN_KILLS=200 of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo.serving import bind
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.tables.ledger import ledger_entry
from ledger.encoding import unb64
from tests.flows.faults_ledger.scene import covered
from tests.flows.faults_ledger.serving import Load, askers, auditor_of, manifests, proven
from tests.flows.sealed_house import Five, five
from tests.gateway.bootstrap.conftest import Serve, Serving
from tests.gateway.bootstrap.test_ledger_serving import sound

pytestmark = pytest.mark.anyio
KILLS = int(os.environ.get("YIMEN_KILLS", "0"))
LEAST, MOST, MOST_S = 4, 25, 20.0
CHANCE = random.Random(4)


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


def environment(witnesses: Five, port: int, **more: Any) -> dict[str, Any]:
    return {
        **witnesses.settings(**more), "manifests_dir": manifests(witnesses.folder), "port": port, "dpop_nonces": "off",
        "public_url": f"http://127.0.0.1:{port}", "drain_s": 1,
    }  # fmt: skip


def go_on(done: int, began: float) -> bool:
    if KILLS:
        return done < KILLS
    return done < LEAST or (done < MOST and time.monotonic() - began < MOST_S)


def free_port() -> int:
    with bind() as probe:
        return int(probe.getsockname()[1])


async def store_beside(serving: Serving) -> Store:
    return await open_store(Settings.load(dict(serving.environ), None), SystemClock())


async def lost_or_doubled(store: Store, load: Load) -> set[str]:
    """Which receipts are not in the log exactly once, with the hash that was told."""
    c = ledger_entry.c
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(c.id, c.leaf_hash))).all()
    held = {row.id: bytes(row.leaf_hash) for row in rows}
    assert len(held) == len(rows)
    return {id_ for id_, leaf in load.answered.items() if held.get(id_) != unb64(leaf)}


def one_history(witnesses: Five) -> None:
    """No witness was ever shown two."""
    for one in witnesses.witnesses.values():
        assert one.states.splits == []


async def test_one_process_is_killed_again_and_again(serve: Serve, witnesses: Five, tmp_path: Path) -> None:
    port, rounds = free_port(), 0
    given, began = environment(witnesses, port), time.monotonic()
    async with serve(**given) as serving:
        load = Load(await askers(serving, 6))
        store = await store_beside(serving)
        (shard,) = await store.ledger.shards()
        auditor = await auditor_of(witnesses, await store.ledger.keys(shard.shard), tmp_path / "auditor")
        await store.close()
        serving.process.kill()
    url = f"http://127.0.0.1:{port}"
    while go_on(rounds, began):
        number, rounds = rounds, rounds + 1
        async with serve(**given) as serving:
            asking = load.begin(url)
            audited = None
            if number:
                audited = asyncio.create_task(auditor.audit(f"{url}/ledger/{shard.shard}"))
                if number % 5 == 0:
                    await audited
            await asyncio.sleep(CHANCE.uniform(0.05, 0.8))
            if audited is not None:
                said = await audited
                assert [one for one in said.report["findings"] if one["fault"] != "MISSING_COSIGNATURES"] == [], (
                    said.report
                )
            serving.process.send_signal(signal.SIGKILL)
            await serving.process.wait()
            await asyncio.gather(*asking)
    async with serve(**given) as serving:
        store = await store_beside(serving)
        last = await covered(store)
        assert await lost_or_doubled(store, load) == set()
        assert await store.ledger.exhibits(10) == []
        await sound(store)
        await store.close()
        said = await auditor.audit(f"{url}/ledger/{shard.shard}")
        assert (said.code, said.report["size"] >= last.size) == (0, True), said.report
        some = dict(random.Random(1).sample(sorted(load.answered.items()), min(200, len(load.answered))))
        await proven(url, auditor, some)
    one_history(witnesses)
    assert len(load.answered) > rounds
    print(f"{rounds} kills, {len(load.answered)} answers, {load.refused} without, {time.monotonic() - began:.0f} s")
