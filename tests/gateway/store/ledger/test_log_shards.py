"""Keys that follow one another, and logs that do, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.services.ledger.ports import Exhibit, LedgerHalted, NotLeading
from gateway.store import Store
from gateway.store.errors import StoreRefused
from gateway.store.ledger.signing import announcement_id
from gateway.store.tables import change_event
from gateway.store.tables.ledger import ledger_entry, ledger_key, ledger_shard
from ledger.checkpoint import Checkpoint
from ledger.encoding import b64, unb64
from ledger.entry import canonical, commit, parse_entry
from ledger.errors import InvalidSignature, LedgerError
from ledger.note import ED25519, Signer, parse_vkey, sign_note, verify_note
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

pytestmark = pytest.mark.anyio


async def _public(store: Store, shard: str, number: int) -> dict[str, Any]:
    """What an entry of kind `log` says, after checking that its commitment is to just that."""
    c = ledger_entry.c
    (row,) = await rows(store, sa.select(c.entry).where(c.shard == shard, c.number == number))
    entry = parse_entry(bytes(row.entry))
    assert (entry.kind, entry.actor) == ("log", "yimen")
    assert entry.public is not None
    assert entry.commitment == commit(bytes(32), canonical(entry.public))
    return dict(entry.public)


async def _given_out(store: Store) -> Any:
    await sequence_all(store.log)
    kept = await checkpoint(store.log)
    await store.log.publish(kept.shard, kept.size)
    return kept


async def test_a_new_key_is_announced_then_both_sign_then_the_old_one_is_retired(leader: Store) -> None:
    (old,) = await leader.log.signers()
    await append(leader.database, waiting(2))
    new_vkey = await leader.log.keys.begin_rotation()
    kept = await _given_out(leader)
    assert await _public(leader, YEAR, 0) == {"vkey": new_vkey, "retires": str(old.key)}
    for vkey in (str(old.key), new_vkey):
        verify_note(kept.note, [parse_vkey(vkey)])
    assert await leader.log.keys.finish_rotation() == str(old.key)
    kept = await _given_out(leader)
    assert await _public(leader, YEAR, 3) == {"vkey": new_vkey, "retired": str(old.key)}
    verify_note(kept.note, [parse_vkey(new_vkey)])
    with pytest.raises(InvalidSignature):
        verify_note(kept.note, [old.key])
    assert len(await rows(leader, sa.select(ledger_key))) == 2


async def test_a_rotation_goes_step_by_step(leader: Store) -> None:
    with pytest.raises(StoreRefused):
        await leader.log.keys.finish_rotation()
    await leader.log.keys.begin_rotation()
    with pytest.raises(StoreRefused):
        await leader.log.keys.begin_rotation()
    with pytest.raises(StoreRefused):  # not in the log yet
        await leader.log.keys.finish_rotation()
    await sequence_all(leader.log)
    await checkpoint(leader.log)
    with pytest.raises(StoreRefused):  # signed, but nobody has seen it
        await leader.log.keys.finish_rotation()
    assert len(await leader.log.signers()) == 2


async def test_secrets_lie_sealed_and_open_in_their_own_place_only(leader: Store) -> None:
    (signer,) = await leader.log.signers()
    (row,) = await rows(leader, sa.select(ledger_key))
    secret = signer.secret().split("+", 4)[4]
    assert secret.encode() not in bytes(row.secret_ct)
    assert unb64(secret)[1:] not in bytes(row.secret_ct)
    async with leader.database.write() as connection:
        await connection.execute(sa.update(ledger_key).values(key_id="00000000"))
    with pytest.raises(Exception, match=r"ledger_key\.secret_ct does not open"):
        await leader.log.signers()


async def test_a_year_ends_and_the_next_log_begins_with_the_last_sealed_checkpoint(leader: Store) -> None:
    await append(leader.database, waiting(3))
    await sequence_all(leader.log)
    sealed = await checkpoint(leader.log)
    await leader.log.keep_cosignatures(YEAR, 3, {"ga": "line"}, sealed=True)
    await append(leader.database, waiting(1))
    await sequence_all(leader.log)
    await checkpoint(leader.log)
    await append(leader.database, waiting(2))
    shard = await leader.log.turn_year(NAME, "2027")
    assert (shard.origin, shard.size) == (f"{NAME}/2027", 1)
    assert await _public(leader, "2027", 0) == {
        "previous": {"origin": f"{NAME}/2026", "size": 3, "root": b64(sealed.root), "note": bytes(sealed.note).decode()}
    }
    assert await sequence_all(leader.log) == 2  # still led, and what waited goes on
    kept = await checkpoint(leader.log)
    assert kept.note.text.startswith(f"{NAME}/2027\n3\n")
    assert len(await sound(leader, "2027")) == 3
    assert len(await sound(leader, "2026")) == 4


async def test_a_year_turns_once_and_never_back(leader: Store) -> None:
    first = await leader.log.turn_year(NAME, "2027")
    assert await leader.log.turn_year(NAME, "2027") == first
    assert await leader.log.turn_year(NAME, "2026") == first
    assert len(await rows(leader, sa.select(ledger_shard))) == 2


async def test_the_next_years_key_is_announced_before_it_signs(leader: Store) -> None:
    vkey = await leader.log.shards.announce(NAME, "2027")
    assert await leader.log.shards.announce(NAME, "2027") == vkey
    await sequence_all(leader.log)
    assert await _public(leader, YEAR, 0) == {"next": {"origin": f"{NAME}/2027", "vkey": vkey}}
    assert [signer.name for signer in await leader.log.signers()] == [f"{NAME}/2026"]
    await leader.log.turn_year(NAME, "2027")
    assert [str(signer.key) for signer in await leader.log.signers()] == [vkey]
    (row,) = await rows(leader, sa.select(ledger_entry.c.id).where(ledger_entry.c.shard == YEAR))
    assert row.id == announcement_id(vkey)


async def test_a_ledger_renamed_after_the_announcement_signs_under_its_new_name_alone(leader: Store) -> None:
    await leader.log.announce(NAME, "2027")
    vkey = await leader.log.announce("renamed.example/ledger", "2027")
    shard = await leader.log.turn_year("renamed.example/ledger", "2027")
    (signer,) = await leader.log.signers()
    assert (shard.origin, str(signer.key)) == (signer.name, vkey)
    await sequence_all(leader.log)
    kept = await checkpoint(leader.log)
    verify_note(kept.note, await leader.ledger.keys("2027"))


async def test_a_halted_log_does_not_turn_its_year(leader: Store) -> None:
    await leader.log.halt("TREE_DIFFERS", Exhibit(YEAR, "TREE_DIFFERS", "x", {}))
    with pytest.raises(LedgerHalted):
        await leader.log.turn_year(NAME, "2027")


async def test_an_operator_begins_anew_after_a_halt_with_what_a_witness_holds(
    leader: Store, open_replica: OpenStore
) -> None:
    """The restored database knows two entries; a witness cosigned five."""
    await append(leader.database, waiting(2))
    await sequence_all(leader.log)
    (signer,) = await leader.log.signers()
    ahead = Checkpoint(f"{NAME}/{YEAR}", 5, bytes(range(32)))
    note = sign_note(ahead.text, [signer])
    await leader.log.halt("WITNESS_AHEAD", Exhibit(YEAR, "WITNESS_AHEAD", "ga", {"theirs": bytes(note).decode()}))
    await append(leader.database, waiting(1))
    operator = await open_replica()
    shard = await operator.log.shards.begin_shard(
        NAME, reason="restored from yesterday", actor_user="op", witnessed=bytes(note)
    )
    assert (shard.shard, shard.halted) == ("2026b", None)
    assert await _public(operator, "2026b", 0) == {
        "previous": {"origin": ahead.origin, "size": 5, "root": b64(ahead.root), "note": bytes(note).decode()}
    }
    with pytest.raises(NotLeading):
        await leader.log.sequence(10)
    assert await leader.log.lead()
    assert await leader.log.sequence(10) >= 1
    assert (await leader.log.turn_year(NAME, "2026")).shard == "2026b"
    assert (await leader.log.turn_year(NAME, "2027")).shard == "2027"
    kinds = await rows(leader, sa.select(change_event.c.kind, change_event.c.actor_user))
    assert ("LEDGER_SHARD_BEGUN", "op") in [tuple(kind) for kind in kinds]


async def test_a_checkpoint_that_this_log_did_not_sign_is_no_beginning(leader: Store) -> None:
    own, forged = await leader.log.signers(), Signer(f"{NAME}/{YEAR}", ED25519, bytes(32))
    for text, signers in (
        (Checkpoint(f"{NAME}/{YEAR}", 5, bytes(32)).text, [forged]),
        (Checkpoint(f"{NAME}/2025", 5, bytes(32)).text, own),
    ):
        note = bytes(sign_note(text, signers))
        with pytest.raises(LedgerError):
            await leader.log.shards.begin_shard(NAME, reason="", actor_user="op", witnessed=note)
    with pytest.raises(LedgerError):
        await leader.log.shards.begin_shard(NAME, reason="", actor_user="op", witnessed=b"no note")
    assert len(await rows(leader, sa.select(ledger_shard))) == 1


async def test_shards_of_one_year_are_told_apart_by_letters(leader: Store) -> None:
    names = [(await leader.log.shards.begin_shard(NAME, reason="again", actor_user="op")).shard for _ in range(3)]
    assert names == ["2026b", "2026c", "2026d"]
    assert (await _public(leader, "2026b", 0))["previous"]["size"] == 0
