"""What is kept of checkpoints and witnesses, and what halts the log, on both databases."""

from __future__ import annotations

import orjson
import pytest
import sqlalchemy as sa

from gateway.services.ledger.ports import Exhibit, LedgerHalted, WitnessHealth
from gateway.store import Store
from gateway.store.ids import to_us
from gateway.store.tables import alert
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_cosignature,
    ledger_exhibit,
    ledger_outbox,
    ledger_shard,
    ledger_witness,
)
from ledger.checkpoint import Checkpoint
from ledger.note import sign_note, verify_note
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.ledger.appending import NAME, YEAR, append, checkpoint, rows, sequence_all, waiting

pytestmark = pytest.mark.anyio


async def test_another_entry_under_an_id_that_is_taken_halts_the_log(leader: Store) -> None:
    (row,), (other,) = waiting(1), waiting(1)
    await append(leader.database, [row])
    await sequence_all(leader.log)
    await append(leader.database, [other | {"id": row["id"]}])
    with pytest.raises(LedgerHalted):
        await sequence_all(leader.log)
    assert await leader.log.halted.reason() == "ENTRY_DOUBLED"


async def test_a_checkpoint_is_kept_once_and_verifies(leader: Store) -> None:
    await append(leader.database, waiting(5))
    await sequence_all(leader.log)
    kept = await checkpoint(leader.log)
    assert await checkpoint(leader.log) == kept
    assert kept.note.text == Checkpoint(f"{NAME}/{YEAR}", 5, kept.root).text
    verify_note(kept.note, [signer.key for signer in await leader.log.signers()])
    assert len(await rows(leader, sa.select(ledger_checkpoint))) == 1


async def test_a_note_of_another_tree_is_not_kept(leader: Store) -> None:
    tree = await leader.log.tree()
    note = sign_note(Checkpoint(tree.origin, 1, bytes(32)).text, await leader.log.signers())
    with pytest.raises(ValueError, match="another tree"):
        await leader.log.keep_checkpoint(tree, note)


async def test_another_root_of_a_size_that_was_signed_halts_and_both_notes_are_kept(leader: Store) -> None:
    await append(leader.database, waiting(1))
    await sequence_all(leader.log)
    kept = await checkpoint(leader.log)
    async with leader.database.write() as connection:
        await connection.execute(sa.update(ledger_checkpoint).values(root=bytes(32)))
    with pytest.raises(LedgerHalted):
        await checkpoint(leader.log)
    assert await leader.log.halted.reason() == "SPLIT"
    (exhibit,) = await rows(leader, sa.select(ledger_exhibit))
    assert (exhibit.kind, exhibit.about) == ("SPLIT", f"{NAME}/{YEAR}")
    assert orjson.loads(exhibit.documents) == {"kept": bytes(kept.note).decode(), "signed": bytes(kept.note).decode()}
    (alarm,) = await rows(leader, sa.select(alert))
    assert (alarm.type, alarm.severity, alarm.about) == ("A13_LEDGER_BREAK", "S1", "SYSTEM")


async def test_a_root_or_frontier_or_tail_that_was_changed_halts_before_anything_is_signed(leader: Store) -> None:
    await append(leader.database, waiting(3))
    await sequence_all(leader.log)
    async with leader.database.write() as connection:
        await connection.execute(sa.update(ledger_shard).values(root=bytes(32)))
    with pytest.raises(LedgerHalted):
        await leader.log.tree()
    assert await leader.log.halted.reason() == "TREE_DIFFERS"
    with pytest.raises(LedgerHalted):
        await leader.log.sequence(1)


@pytest.mark.parametrize("fault", ["DELETE FROM ledger_entry WHERE number = 2", "UPDATE ledger_shard SET size = 2"])
async def test_a_tail_that_was_cut_off_halts(leader: Store, fault: str) -> None:
    await append(leader.database, waiting(3))
    await sequence_all(leader.log)
    async with leader.database.write() as connection:
        await connection.execute(sa.text(fault))
    with pytest.raises(LedgerHalted):
        await leader.log.tree()


@pytest.mark.parametrize("fault", ["DELETE FROM ledger_tile", "UPDATE ledger_tile SET hashes = '\\x00'"])
async def test_a_tile_that_was_changed_in_length_halts_when_it_grows(leader: Store, fault: str) -> None:
    if leader.database.is_sqlite:
        fault = fault.replace("'\\x00'", "x'00'")
    await append(leader.database, waiting(300))
    await sequence_all(leader.log)
    async with leader.database.write() as connection:
        await connection.execute(sa.text(fault))
    await append(leader.database, waiting(300))
    with pytest.raises(LedgerHalted):
        await leader.log.sequence(1000)
    (outbox,) = await rows(leader, sa.select(sa.func.count()).select_from(ledger_outbox))
    assert outbox[0] >= 300  # the alarm waits there, too


async def test_a_halt_is_seen_by_every_process_and_the_first_reason_stays(
    leader: Store, open_replica: OpenStore
) -> None:
    other = await open_replica()
    await append(leader.database, waiting(2))
    tree = await leader.log.tree()
    note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await leader.log.signers())
    exhibit = Exhibit(YEAR, "WITNESS_AHEAD", "ga", {"theirs": "a note"})
    await other.log.halt("WITNESS_AHEAD", exhibit)
    await other.log.halt("LATER", exhibit)
    assert await other.log.halted.reason() == await leader.log.halted.reason() == "WITNESS_AHEAD"
    for refused in (leader.log.sequence(1), leader.log.tree(), leader.log.keep_checkpoint(tree, note)):
        with pytest.raises(LedgerHalted, match="WITNESS_AHEAD"):
            await refused
    assert (await leader.log.open(NAME, YEAR)).halted == "WITNESS_AHEAD"
    assert len(await rows(leader, sa.select(ledger_exhibit))) == 1


async def test_an_exhibit_alone_raises_the_alarm_and_halts_nothing(leader: Store) -> None:
    lie = Exhibit(YEAR, "WITNESS_LIES", "ga", {"answer": "409 1000000"})
    await leader.log.keep_exhibit(lie)
    await leader.log.keep_exhibit(lie)
    await leader.log.keep_exhibit(Exhibit(YEAR, "WITNESS_LIES", "ga", {"answer": "409 2000000"}))
    assert len(await rows(leader, sa.select(ledger_exhibit))) == 2
    assert len(await rows(leader, sa.select(alert))) == 1
    assert await leader.log.halted.reason() is None
    await leader.log.tree()


async def test_cosignatures_are_kept_by_witness_and_a_seal_stays(leader: Store, clock: HandClock) -> None:
    await append(leader.database, waiting(1))
    await sequence_all(leader.log)
    kept = await checkpoint(leader.log)
    await leader.log.keep_cosignatures(YEAR, 1, {"ga": "line ga"}, sealed=False)
    assert (await checkpoint(leader.log)).sealed_at is None
    clock.forward(1)
    await leader.log.keep_cosignatures(YEAR, 1, {"ga": "another", "fy": "line fy"}, sealed=True)
    sealed = await checkpoint(leader.log)
    clock.forward(1)
    await leader.log.keep_cosignatures(YEAR, 1, {}, sealed=True)
    await leader.log.keep_cosignatures(YEAR, 1, {"jy": "line jy"}, sealed=False)
    now = await checkpoint(leader.log)
    assert dict(now.cosignatures) == {"ga": "line ga", "fy": "line fy", "jy": "line jy"}
    assert now.sealed_at == sealed.sealed_at is not None
    assert now.note == kept.note
    assert len(await rows(leader, sa.select(ledger_cosignature))) == 3


async def test_only_a_larger_checkpoint_is_published_after_another(leader: Store) -> None:
    for _ in range(3):
        await append(leader.database, waiting(1))
        await leader.log.sequence(1)
        await checkpoint(leader.log)
    await leader.log.publish(YEAR, 2)
    await leader.log.publish(YEAR, 1)
    await leader.log.publish(YEAR, 3)
    await leader.log.publish(YEAR, 4)
    c = ledger_checkpoint.c
    given_out = await rows(leader, sa.select(c.size).where(c.published_at_us.is_not(None)).order_by(c.size))
    assert [row.size for row in given_out] == [2, 3]


async def test_how_a_witness_does_is_kept_by_shard(leader: Store, clock: HandClock) -> None:
    await leader.log.keep_witness(WitnessHealth("ga", YEAR, 5, clock.now()))
    await leader.log.keep_witness(WitnessHealth("ga", YEAR, 5, clock.now(), clock.now(), "UNREACHABLE"))
    (row,) = await rows(leader, sa.select(ledger_witness))
    assert (row.size, row.fault, row.failing_since_us) == (5, "UNREACHABLE", to_us(clock.now()))
