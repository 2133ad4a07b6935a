"""Killed at every step, killed at random, stopped and resumed, without space: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import Store
from gateway.store.errors import StoreUnavailable
from gateway.store.tables.ledger import ledger_checkpoint, ledger_entry, ledger_outbox, ledger_shard
from ledger.checkpoint import parse_checkpoint
from ledger.merkle import Frontier
from ledger.note import parse_note, verify_note
from tests.gateway.store.conftest import OpenStore
from tests.gateway.store.ledger.appending import (
    NAME,
    YEAR,
    append,
    checkpoint,
    rows,
    sequence_all,
    sound,
    waiting,
)
from tests.gateway.store.ledger.dying import OVERTAKEN, STEPS

pytestmark = pytest.mark.anyio


def _command(**given: object) -> list[str]:
    return [sys.executable, "-m", "tests.gateway.store.ledger.dying", json.dumps(given)]


async def _run(**given: object) -> dict[str, int]:
    done = await asyncio.to_thread(subprocess.run, _command(**given), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


async def _survived(store: Store, memory: Path) -> int:
    """How many entries there are, after checking them against what the world outside remembers."""
    said = [line.split() for line in memory.read_text().splitlines()]
    acknowledged = [id_ for kind, *ids in said if kind == "ack" for id_ in ids]
    waits = [row.id for row in await rows(store, sa.select(ledger_outbox.c.id))]
    numbered = await sound(store)
    assert len(set(numbered)) == len(numbered)
    assert not set(numbered) & set(waits)
    assert set(acknowledged) <= set(numbered) | set(waits)
    await _consistent(store, [bytes.fromhex(words[0]) for kind, *words in said if kind == "note"])
    return len(numbered)


async def _consistent(store: Store, notes: list[bytes]) -> None:
    """Every checkpoint that was kept, and every note that was ever signed, is of this one tree."""
    leaves = await rows(store, sa.select(ledger_entry.c.leaf_hash).order_by(ledger_entry.c.number))
    kept = await rows(store, sa.select(ledger_checkpoint).order_by(ledger_checkpoint.c.size))
    keys = [signer.key for signer in await store.log.signers()]
    roots, tree = {0: Frontier().root()}, Frontier()
    for (leaf,) in leaves:
        tree = tree.extended([bytes(leaf)])
        roots[tree.size] = tree.root()
    for note in [parse_note(one) for one in (*notes, *(bytes(row.note) for row in kept))]:
        verify_note(note, keys)
        said = parse_checkpoint(note.text)
        assert roots[said.size] == said.root
    assert all(roots[row.size] == bytes(row.root) for row in kept)


async def test_killed_at_every_step(store: Store, settings: Settings, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    steps = [step for step in STEPS if store.database.is_sqlite or step != "sequence/entered"]
    ended = await _run(url=settings.database_url, memory=str(memory), at=[(step, n) for step in steps for n in (1, 3)])
    assert ended == dict.fromkeys(steps, 2)
    before = await _survived(store, memory)
    assert before > 0
    await store.log.open(NAME, YEAR)
    await _leads(store)
    await sequence_all(store.log)
    await checkpoint(store.log)
    assert await _survived(store, memory) >= before
    assert await rows(store, sa.select(ledger_outbox)) == []


async def test_killed_at_random_two_hundred_times(store: Store, settings: Settings, tmp_path: Path) -> None:
    """As often as fits into 25 seconds on a slow machine, 200 times on any other."""
    memory = tmp_path / "memory"
    given = {"rounds": 200, "most_s": 25, "longest_s": 0.2, "seed": 4}
    ended = await _run(url=settings.database_url, memory=str(memory), **given)
    assert ended["random"] >= 30
    assert await _survived(store, memory) > 0
    await _leads(store)
    await sequence_all(store.log)
    await checkpoint(store.log)
    await _survived(store, memory)


async def _leads(store: Store) -> None:
    async with asyncio.timeout(10):  # a server takes a moment to notice that a client died
        while not await store.log.lead():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("step", ["sequence/found", "sequence/taken", "sequence/grown", "checkpoint/signed"])
async def test_a_leader_that_was_stopped_and_overtaken_writes_nothing_when_it_goes_on(
    store: Store, settings: Settings, tmp_path: Path, step: str
) -> None:
    if store.database.is_sqlite and step in ("sequence/taken", "sequence/grown"):
        pytest.skip("on SQLite it holds the only write lock there is: nobody overtakes it")
    memory = tmp_path / "memory"
    command = _command(url=settings.database_url, memory=str(memory), stop_at=step)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stopped:
        assert stopped.stdin is not None
        assert stopped.stdout is not None
        assert await asyncio.to_thread(stopped.stdout.readline) == "stopped\n"
        await _end_its_lock(store)
        if not store.database.is_sqlite:
            await _leads(store)
            await sequence_all(store.log)
            await checkpoint(store.log)
        before = await rows(store, sa.select(ledger_shard)), await rows(store, sa.select(ledger_checkpoint))
        stopped.stdin.write("go on\n")
        stopped.stdin.flush()
        assert json.loads(await asyncio.to_thread(stopped.stdout.readline)) == OVERTAKEN
    assert before == (await rows(store, sa.select(ledger_shard)), await rows(store, sa.select(ledger_checkpoint)))
    await _survived(store, memory)


async def _end_its_lock(store: Store) -> None:
    if store.database.is_sqlite:  # as if the file lock had been lost: on a network file system, say
        async with store.database.write() as connection:
            await connection.execute(sa.update(ledger_shard).values(fence=ledger_shard.c.fence + 1))
        return
    async with await psycopg.AsyncConnection.connect(**store.database.connect_arguments(), autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def test_many_append_while_leaders_compete(open_replica: OpenStore) -> None:
    stores = [await open_replica() for _ in range(3)]
    await stores[0].log.open(NAME, YEAR)
    done, appended = asyncio.Event(), []

    async def appends(store: Store) -> None:
        for count in (1, 2, 30, 1, 100, 5, 300, 1):
            records = waiting(count)
            await append(store.database, records)
            appended.extend(row["id"] for row in records)

    async def competes(store: Store) -> None:
        turns = 0
        while not done.is_set():
            if await store.log.lead():
                turns += 1
                await store.log.sequence(50)
                if turns % 3 == 0:
                    await checkpoint(store.log)
                    await store.log.step_down()
            await asyncio.sleep(0.002)

    leaders = [asyncio.create_task(competes(store)) for store in stores]
    await asyncio.gather(*(appends(stores[number % 3]) for number in range(8)))
    async with asyncio.timeout(30):
        while await rows(stores[0], sa.select(ledger_outbox.c.id).limit(1)):
            await asyncio.sleep(0.02)
    done.set()
    await asyncio.gather(*leaders)
    assert sorted(await sound(stores[0])) == sorted(appended)
    await _consistent(stores[0], [])


async def test_without_space_nothing_is_acknowledged_and_with_space_it_goes_on(leader: Store) -> None:
    if not leader.database.is_sqlite:
        pytest.skip("the server's disk is not ours to fill")
    acknowledged, failed = [], 0

    async def one_more() -> None:
        records = waiting(50)
        await append(leader.database, records)
        acknowledged.extend(row["id"] for row in records)
        await leader.log.lead()
        await leader.log.sequence(50)

    await one_more()
    path, (soft, hard) = Path(str(leader.database.engine.url.database)), resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 200_000, hard))
    try:
        for _ in range(1000):
            try:
                await one_more()
            except StoreUnavailable:
                failed += 1
                if failed == 5:
                    break
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed == 5
    await leader.log.tree()
    await one_more()
    await sequence_all(leader.log)
    assert sorted(await sound(leader)) == sorted(acknowledged)
