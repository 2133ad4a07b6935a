"""Whatever is done to the ledger's tables by hand is found and named."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.services.ledger.faults import Fault, Finding
from gateway.services.ledger.fsck import Fsck
from gateway.settings import Settings
from gateway.store.engine import Database, open_database
from gateway.store.ledger.fsck import StoredRows
from gateway.store.ledger.signing import log_entry
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_cosignature,
    ledger_entry,
    ledger_key,
    ledger_shard,
    ledger_tile,
)
from ledger.checkpoint import Checkpoint
from ledger.encoding import b64
from ledger.errors import Inconsistent
from ledger.merkle import leaf_hash
from ledger.note import COSIGNATURE, sign_note
from ledger.policy import Policy, parse_policy
from tests.gateway.store.conftest import START
from tests.gateway.store.ledger.filling import Filled, an_entry, signer

pytestmark = pytest.mark.anyio
SIZE, SIGNED = 1300, (1, 100, 200, 256, 300, 700, 1024, 1290, 1300)
ENTRY, TILE, CHECKPOINT = ledger_entry.c, ledger_tile.c, ledger_checkpoint.c


def policy(needed: int = 2) -> Policy:
    lines = [f"witness {name} {signer(f'{name}.example/w', COSIGNATURE).key}" for name in ("GA", "JCY")]
    return parse_policy("\n".join([*lines, f"group Q {needed} GA JCY", "quorum Q", ""]))


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings)
    yield database
    await database.close()


@pytest.fixture
async def filled(database: Database) -> Filled:
    return await Filled(SIZE, SIGNED).into(database)


async def check(database: Database, last: int | None = None) -> list[Finding]:
    fsck = Fsck(StoredRows(database), policy())
    return [one for head in await fsck.heads() async for one in fsck.shard(head, last=last)]


async def run(database: Database, *statements: Any) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(statement)


def at(number: int) -> Any:
    return sa.update(ledger_entry).where(ENTRY.number == number)


def rewritten(number: int, entry: bytes) -> Any:
    """Bytes and hash both: a careful hand."""
    return at(number).values(entry=entry, leaf_hash=leaf_hash(entry))


def told(found: Sequence[Finding]) -> list[tuple[Any, ...]]:
    return [(one.fault, one.index, one.last) for one in found]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1300, 66_000])
async def test_what_nobody_touched_is_whole(database: Database, size: int) -> None:
    await Filled(size, sorted({max(1, size // 2), size})[-min(size, 2) :] if size else []).into(database)
    assert await check(database) == []
    assert await check(database, last=300) == []


@pytest.mark.parametrize("number", [0, 99, 150, 255, 256, 512, 1023, 1024, 1295, 1299])
async def test_an_edited_entry_is_named(database: Database, filled: Filled, number: int) -> None:
    await run(database, at(number).values(entry=bytes(an_entry(5000))))
    assert await check(database) == [
        Finding(Fault.EDITED_ENTRY, "2026", number, number, filled.ids[number]),
    ]


@pytest.mark.parametrize("number", [0, 150, 255, 1024, 1299])
async def test_an_edited_hash_beside_an_entry_is_named(database: Database, filled: Filled, number: int) -> None:
    await run(database, at(number).values(leaf_hash=bytes(32)))
    assert await check(database) == [Finding(Fault.EDITED_LEAF_HASH, "2026", number, number, filled.ids[number])]


@pytest.mark.parametrize(
    ("number", "first", "last"), [(0, 0, 0), (150, 100, 199), (255, 200, 255), (600, 300, 699), (1295, 1290, 1299)]
)
async def test_an_entry_rewritten_with_its_hash_is_between_two_roots(
    database: Database, filled: Filled, number: int, first: int, last: int
) -> None:
    await run(database, rewritten(number, bytes(an_entry(5000))))
    (found,) = await check(database)
    assert told([found]) == [(Fault.REWRITTEN_ENTRIES, first, last)]
    assert found.entry_id in (filled.ids[first], None)


async def test_what_is_wrong_before_hides_nothing_that_is_wrong_later(database: Database, filled: Filled) -> None:
    await run(
        database,
        rewritten(150, bytes(an_entry(5000))),
        at(600).values(entry=bytes(an_entry(5001))),
        at(1100).values(leaf_hash=bytes(32)),
    )
    assert told(await check(database)) == [
        (Fault.REWRITTEN_ENTRIES, 100, 199),
        (Fault.EDITED_ENTRY, 600, 600),
        (Fault.EDITED_LEAF_HASH, 1100, 1100),
    ]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (130, 130), (255, 260), (1299, 1299), (700, 1299)])
async def test_deleted_entries_are_named(database: Database, filled: Filled, first: int, last: int) -> None:
    await run(database, sa.delete(ledger_entry).where(ENTRY.number.between(first, last)))
    assert told(await check(database)) == [(Fault.MISSING_ENTRY, first, last)]


@pytest.mark.parametrize(("left", "right"), [(110, 180), (0, 0), (250, 255), (1295, 1298)])
async def test_entries_that_changed_places_are_named(database: Database, filled: Filled, left: int, right: int) -> None:
    if left == right:
        left, right = 101, 102
    await run(
        database,
        at(left).values(number=-1),
        at(right).values(number=left),
        sa.update(ledger_entry).where(ENTRY.number == -1).values(number=right),
    )
    (found,) = await check(database)
    assert told([found]) == [(Fault.REORDERED_ENTRIES, left, right)]
    assert found.entry_id == filled.ids[right]  # whose place it is not


async def test_a_doubled_entry_is_named(database: Database, filled: Filled) -> None:
    await run(database, rewritten(180, filled.entries[110]))
    assert told(await check(database)) == [(Fault.REWRITTEN_ENTRIES, 100, 199), (Fault.DOUBLED_ENTRY, 110, 180)]


async def test_an_entry_that_is_none_is_named(database: Database, filled: Filled) -> None:
    await run(database, rewritten(1298, b"{}"))
    found = await check(database)
    assert Finding(Fault.NOT_AN_ENTRY, "2026", 1298, 1298, filled.ids[1298]) in found


async def test_an_entry_beyond_the_tree_is_named(database: Database, filled: Filled) -> None:
    entry = bytes(an_entry(5000))
    row = {"shard": "2026", "number": SIZE + 3, "id": "more", "entry": entry, "leaf_hash": leaf_hash(entry)}
    await run(database, sa.insert(ledger_entry).values(row))
    assert await check(database) == [Finding(Fault.EXTRA_ENTRY, "2026", SIZE + 3, entry_id="more")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (lambda hashes: hashes[:32] + bytes(32) + hashes[64:], [(Fault.SWAPPED_TILE, 256, 511)]),
        (lambda hashes: hashes[32:64] + hashes[:32] + hashes[64:], [(Fault.SWAPPED_TILE, 0, 255), (Fault.SWAPPED_TILE, 256, 511)]),
        (lambda hashes: hashes[:-32], [(Fault.LOST_TILE, 1024, 1279)]),
    ],
)  # fmt: skip
async def test_a_tile_that_was_changed_is_named(database: Database, filled: Filled, values: Any, expected: Any) -> None:
    await run(database, sa.update(ledger_tile).where(TILE.level == 1).values(hashes=values(filled.tiles[1, 0])))
    found = await check(database)
    assert sorted(told(found)) == expected
    assert {one.about for one in found} == {"tile/1/000"}


async def test_tiles_of_upper_levels_are_checked(database: Database) -> None:
    filled = await Filled(66_000, [66_000]).into(database)
    await run(database, sa.update(ledger_tile).where(TILE.level == 2).values(hashes=filled.tiles[1, 0][:32]))
    assert told(await check(database)) == [(Fault.SWAPPED_TILE, 0, 65_535)]
    await run(database, sa.delete(ledger_tile).where(TILE.level == 2))
    assert told(await check(database)) == [(Fault.LOST_TILE, 0, 65_535)]


async def test_a_checkpoint_that_was_changed_is_named(database: Database, filled: Filled) -> None:
    change = sa.update(ledger_checkpoint).where(CHECKPOINT.size == 300)
    for values, fault in (
        ({"root": bytes(32)}, Fault.REWRITTEN_ROOT),
        ({"note": bytes(filled.note(200))}, Fault.BAD_CHECKPOINT),
        ({"note": b"none", "root": filled.frontier(300).root()}, Fault.BAD_CHECKPOINT),
        ({"note": bytes(sign_note(filled.note(300).text, [signer("other")]))}, Fault.BAD_CHECKPOINT),
    ):
        await run(database, change.values(values))
        assert Finding(fault, "2026", about="300") in await check(database)


async def test_a_checkpoint_of_another_tree_with_our_signature_is_a_split_view(
    database: Database, filled: Filled
) -> None:
    other = Checkpoint(filled.origin, 300, bytes(32))
    note = bytes(sign_note(other.text, [signer(filled.origin)]))
    await run(database, sa.update(ledger_checkpoint).where(CHECKPOINT.size == 300).values(root=other.root, note=note))
    assert Finding(Fault.SPLIT_VIEW, "2026", about="300") in await check(database)


async def test_cosignatures_are_verified(database: Database, filled: Filled) -> None:
    line = str(signer("GA.example/w", COSIGNATURE).sign(filled.note(200).text, 1))
    table = ledger_cosignature.c
    await run(database, sa.update(ledger_cosignature).where(table.size == 300, table.witness == "GA").values(line=line))
    assert await check(database) == [
        Finding(Fault.BAD_COSIGNATURE, "2026", about="300 GA"),
        Finding(Fault.UNSEALED, "2026", about="300"),
    ]


async def test_a_table_that_was_rolled_back_is_told_by_what_was_signed(database: Database, filled: Filled) -> None:
    before = filled.frontier(1200)
    head = {"size": 1200, "root": before.root(), "frontier": b"".join(before.hashes)}
    await run(
        database, sa.delete(ledger_entry).where(ENTRY.number >= 1200), sa.update(ledger_shard).values(head),
        sa.update(ledger_tile).values(hashes=filled.tiles[1, 0]),
    )  # fmt: skip
    assert await check(database) == [Finding(Fault.ROLLED_BACK, "2026", 1200, 1299, about="1300")]


@pytest.mark.parametrize("values", [{"root": bytes(32)}, {"frontier": b""}, {"frontier": bytes(32 * 3)}])
async def test_a_head_that_was_changed_is_named(database: Database, filled: Filled, values: Any) -> None:
    await run(database, sa.update(ledger_shard).values(values))
    assert await check(database) == [Finding(Fault.EDITED_HEAD, "2026", about="ledger_shard")]


async def test_a_history_that_was_rewritten_whole_is_not_what_was_signed(database: Database, filled: Filled) -> None:
    """Entries, hashes, tiles and head, without the key."""
    await run(database, *(sa.delete(table) for table in (ledger_entry, ledger_tile, ledger_shard, ledger_cosignature)))
    kept = await _rows(database)
    await run(database, sa.delete(ledger_checkpoint), sa.text("DELETE FROM ledger_key"))
    entries = [*filled.entries[:450], bytes(an_entry(5000)), *filled.entries[451:]]
    await Filled(SIZE, entries=entries, ids=filled.ids).into(database)
    await run(database, sa.insert(ledger_checkpoint).values([dict(row._mapping) for row in kept]))
    found = [one for one in await check(database) if one.grave]
    assert told(found) == [(Fault.REWRITTEN_ENTRIES, 300, 699)]


async def test_the_tail_is_checked_without_reading_the_rest(database: Database, filled: Filled) -> None:
    await run(database, at(10).values(entry=b"-"), at(1250).values(entry=bytes(an_entry(5000))))
    assert told(await check(database, last=400)) == [(Fault.EDITED_ENTRY, 1250, 1250)]
    with pytest.raises(Inconsistent, match="EDITED_ENTRY") as raised:
        await Fsck(StoredRows(database), None).tail_check(last=400)()
    assert raised.value.index == 1250


async def test_a_shard_begins_with_what_was_signed_of_the_one_before(database: Database, filled: Filled) -> None:
    def begun(size: int, root: bytes, origin: str = filled.origin) -> bytes:
        previous = {"origin": origin, "size": size, "root": b64(root), "note": None}
        return log_entry(START, {"previous": previous})

    right = begun(300, filled.frontier(300).root())
    begins = {"began_at_us": ledger_shard.c.began_at_us + 1}
    for entry, good in (
        (right, True), (begun(0, bytes(32)), True), (begun(SIZE + 5, bytes(32)), True),
        (begun(300, bytes(32)), False), (begun(299, filled.frontier(299).root()), False),
        (begun(300, filled.frontier(300).root(), "other"), False), (bytes(an_entry(1)), False),
        (log_entry(START, {"previous": None}), False),
    ):  # fmt: skip
        await Filled(1, [1], shard="2027", entries=[entry], ids=["first"]).into(database)
        await run(database, sa.update(ledger_shard).where(ledger_shard.c.shard == "2027").values(begins))
        expected = [] if good else [Finding(Fault.BROKEN_CHAIN, "2027", 0, 0)]
        assert await check(database) == expected
        for table in (ledger_entry, ledger_shard, ledger_checkpoint, ledger_cosignature, ledger_key):
            await run(database, sa.delete(table).where(table.c.shard == "2027"))


async def test_progress_is_told(database: Database, filled: Filled) -> None:
    fsck, seen = Fsck(StoredRows(database), policy()), list[tuple[int, int]]()
    (head,) = await fsck.heads()
    assert [one async for one in fsck.shard(head, progress=lambda done, of: seen.append((done, of)))] == []
    assert seen[-1] == (SIZE, SIZE)


async def _rows(database: Database) -> Sequence[Any]:
    async with database.read() as connection:
        return (await connection.execute(sa.select(ledger_checkpoint))).all()


def test_examples_differ() -> None:
    assert len({hashlib.sha256(bytes(an_entry(number))).digest() for number in range(SIZE)}) == SIZE
