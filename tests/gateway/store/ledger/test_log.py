"""Sequencing and leading, on both databases."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
import sqlalchemy as sa

from gateway.services.ledger.ports import NotLeading
from gateway.store import Store
from gateway.store.errors import StoreUnavailable
from gateway.store.ids import to_us
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_outbox,
    ledger_shard,
    ledger_tile,
)
from ledger.checkpoint import Checkpoint
from ledger.merkle import EMPTY_ROOT
from ledger.note import sign_note
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.events import event
from tests.gateway.store.ledger.appending import NAME, YEAR, append, rows, sequence_all, sound, waiting

pytestmark = pytest.mark.anyio


async def test_the_first_start_makes_an_empty_log_with_a_key_of_its_name(store: Store, open_replica: OpenStore) -> None:
    shard = await store.log.open(NAME, YEAR)
    again = await (await open_replica()).log.open(NAME, "2027")
    (signer,) = await store.log.signers()
    tree = await store.log.tree()
    assert (shard.origin, shard.size, shard.active, shard.halted) == (f"{NAME}/{YEAR}", 0, True, None)
    assert again == shard
    assert signer.name == shard.origin
    assert (tree.size, tree.root) == (0, EMPTY_ROOT)


async def test_replicas_that_start_together_make_one_log(open_replica: OpenStore) -> None:
    stores = [await open_replica() for _ in range(3)]
    shards = await asyncio.gather(*(one.log.open(NAME, YEAR) for one in stores))
    assert len(set(shards)) == 1
    assert len(await stores[0].log.signers()) == 1


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 700])
async def test_what_waits_is_numbered_in_the_order_of_its_ids(leader: Store, count: int) -> None:
    records = waiting(count)
    await append(leader.database, records)
    assert await sequence_all(leader.log, 300) == count
    assert await sound(leader) == [row["id"] for row in records]
    assert await rows(leader, sa.select(ledger_outbox)) == []
    assert (await leader.log.tree()).size == count


async def test_what_was_recorded_in_haste_is_numbered_though_nobody_has_looked_at_it(leader: Store) -> None:
    receipts = [await leader.evidence.record(event()) for _ in range(3)]
    assert await leader.log.sequence(1000) == 3
    assert await sound(leader) == [one.id for one in receipts]


async def test_tiles_of_the_second_level_are_made_of_full_tiles_of_the_first(leader: Store) -> None:
    async with leader.database.write() as connection:
        for _ in range(7):
            await connection.execute(sa.insert(ledger_outbox), waiting(10_000))
    assert await sequence_all(leader.log, 16_000) == 70_000
    await sound(leader)
    levels = await rows(leader, sa.select(ledger_tile.c.level, ledger_tile.c.n, sa.func.length(ledger_tile.c.hashes)))
    assert sorted(map(tuple, levels)) == [(1, 0, 256 * 32), (1, 1, 17 * 32), (2, 0, 32)]


async def test_nothing_waits_nothing_is_written(leader: Store) -> None:
    assert await leader.log.sequence(10) == 0
    await append(leader.database, waiting(3))
    assert await leader.log.sequence(2) == 2
    assert await leader.log.sequence(2) == 1
    assert await leader.log.sequence(2) == 0


async def test_what_is_not_due_waits_and_keeps_nobody_waiting(leader: Store, clock: HandClock) -> None:
    later = to_us(clock.now()) + 60_000_000
    (delayed,), (prompt,) = waiting(1, due_at_us=later), waiting(1)
    await append(leader.database, [delayed, prompt])
    assert await sequence_all(leader.log) == 1
    clock.forward(60)
    assert await sequence_all(leader.log) == 1
    assert await sound(leader) == [prompt["id"], delayed["id"]]


@pytest.mark.parametrize("jump_s", [-40 * 365 * 86400, -1, 40 * 365 * 86400])
async def test_a_clock_that_jumps_stops_nothing(leader: Store, clock: HandClock, jump_s: float) -> None:
    await append(leader.database, waiting(1))
    await append(leader.database, waiting(1, due_at_us=to_us(clock.now())))
    clock.forward(jump_s)
    await append(leader.database, waiting(1))
    await sequence_all(leader.log)
    clock.forward(2)
    await sequence_all(leader.log)
    assert len(await sound(leader)) == 3


async def test_a_record_is_numbered_at_once_even_when_the_clock_went_back(leader: Store, clock: HandClock) -> None:
    await leader.evidence.record(event())
    clock.forward(-300)
    assert await leader.log.sequence(10) == 1


async def test_what_is_written_once_more_after_it_was_numbered_is_not_numbered_twice(leader: Store) -> None:
    records = waiting(3)
    await append(leader.database, records[:2])
    await sequence_all(leader.log)
    await append(leader.database, [records[1], records[2]])
    assert await sequence_all(leader.log) == 1
    assert await sound(leader) == [row["id"] for row in records]


async def test_one_leads_and_another_takes_over_when_it_steps_down(open_replica: OpenStore) -> None:
    first, second = await open_replica(), await open_replica()
    await first.log.open(NAME, YEAR)
    assert await first.log.lead()
    assert await first.log.lead()
    assert not await second.log.lead()
    with pytest.raises(NotLeading):
        await second.log.sequence(1)
    await first.log.step_down()
    assert await second.log.lead()
    with pytest.raises(NotLeading):
        await first.log.sequence(1)
    assert not await first.log.lead()
    await second.log.step_down()
    assert await first.log.lead()


async def test_nobody_leads_before_there_is_a_log(store: Store) -> None:
    assert not await store.log.lead()
    await store.log.open(NAME, YEAR)
    assert await store.log.lead()


async def test_a_leader_that_was_overtaken_writes_nothing(leader: Store) -> None:
    """The lock is advice on a file, or a session's; the fence is not."""
    await append(leader.database, waiting(2))
    tree = await leader.log.tree()
    note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await leader.log.signers())
    async with leader.database.write() as connection:
        await connection.execute(sa.update(ledger_shard).values(fence=ledger_shard.c.fence + 1))
    with pytest.raises(NotLeading):
        await leader.log.keep_checkpoint(tree, note)
    with pytest.raises(NotLeading):
        await leader.log.turn_year(NAME, "2027")
    with pytest.raises(NotLeading):
        await leader.log.sequence(10)
    assert await sound(leader) == []
    assert await rows(leader, sa.select(ledger_checkpoint)) == []
    assert await leader.log.lead()
    assert await leader.log.sequence(10) == 2


async def test_a_connection_cut_in_the_middle_loses_and_doubles_nothing(leader: Store) -> None:
    if leader.database.is_sqlite:
        pytest.skip("SQLite has no connection to cut")
    records = waiting(2000)
    await append(leader.database, records)
    cuts = 0

    async def cut() -> None:
        nonlocal cuts
        arguments = leader.database.connect_arguments()
        async with await psycopg.AsyncConnection.connect(**arguments, autocommit=True) as connection:
            while cuts < 8:
                ended = await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database())"
                )
                cuts += ended.rowcount
                await asyncio.sleep(0.005)

    async def sequence() -> None:
        done = 0
        while done < 2000 or cuts < 8:
            try:
                await leader.log.lead()
                await leader.log.sequence(7)
            except (NotLeading, Exception) as error:
                assert type(error).__name__ in ("NotLeading", "StoreUnavailable")  # noqa: PT017
            (counted,) = await rows(leader, sa.text("SELECT size FROM ledger_shard"))
            done = counted[0]

    await asyncio.gather(cut(), sequence())
    assert sorted(await sound(leader)) == [row["id"] for row in records]


async def test_a_leader_that_says_nothing_for_too_long_is_dismissed_by_the_server(
    open_replica: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await open_replica(), await open_replica()
    if first.database.is_sqlite:
        pytest.skip("a file lock has no end but its process's")
    monkeypatch.setattr("gateway.store.ledger.postgres_sequencer._IDLE_S", 0.2)
    await first.log.open(NAME, YEAR)
    assert await first.log.lead()
    await append(first.database, waiting(3))
    async with asyncio.timeout(10):
        while not await second.log.lead():
            await asyncio.sleep(0.02)
    assert await second.log.sequence(1) == 1
    with pytest.raises((NotLeading, StoreUnavailable)):
        await first.log.sequence(1)
    assert len(await sound(second)) == 1
