"""The ledger read back from the store gives what `ledger` works out from the entries alone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import StoreUnavailable
from gateway.store.engine import Database, open_database
from gateway.store.ids import from_us
from gateway.store.ledger.reader import LOOKED_AT, StoredLedgerReader
from gateway.store.ledger.tiles import StoredTiles
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_entry,
    ledger_exhibit,
    ledger_outbox,
    ledger_shard,
    ledger_tile,
    ledger_witness,
)
from ledger.errors import InvalidProof
from ledger.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from ledger.note import verify_note
from ledger.tiles import ENTRIES, Tile, bundles_of, encode_bundle, split_hashes, tiles_of
from tests.gateway.store.ledger.filling import ACTORS, Filled, an_entry, signer

pytestmark = pytest.mark.anyio
SIZE = 66_000  # three levels


@dataclass
class Opened:
    """As much of a `Store` as the reading side needs."""

    database: Database
    ledger: StoredLedgerReader


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Opened]:
    database = open_database(settings)
    yield Opened(database, StoredLedgerReader(database))
    await database.close()


async def test_every_tile_of_a_tree_of_three_levels_is_what_its_entries_make_it(store: Opened) -> None:
    filled = await Filled(SIZE, [SIZE]).into(store.database)
    levels = [filled.leaves, split_hashes(filled.tiles[1, 0] + filled.tiles[1, 1]), split_hashes(filled.tiles[2, 0])]
    for tile in tiles_of(SIZE):
        expected = b"".join(levels[tile.level][tile.n * 256 : tile.n * 256 + tile.width])
        assert await store.ledger.tile("2026", tile) == expected
    last = list(bundles_of(SIZE))[-1]
    for tile in (Tile(ENTRIES, 0), last, Tile(ENTRIES, 3, 7)):
        first = tile.n * 256
        assert await store.ledger.tile("2026", tile) == encode_bundle(filled.entries[first : first + tile.width])


async def test_a_tile_is_as_narrow_as_asked_whatever_is_stored_by_now(store: Opened) -> None:
    filled = await Filled(SIZE, [SIZE]).into(store.database)
    for width in (1, 255, 256):
        ledger = StoredLedgerReader(store.database)  # which has nothing in memory yet
        for again in range(2):  # from the database, then from memory
            told = await ledger.tile("2026", Tile(0, 3, width))
            assert told == b"".join(filled.leaves[768 : 768 + width]), (width, again)
            assert await ledger.tile("2026", Tile(1, 0, width)) == filled.tiles[1, 0][: 32 * width]
            bundle = await ledger.tile("2026", Tile(ENTRIES, 3, width))
            assert bundle == encode_bundle(filled.entries[768 : 768 + width])
            for full in (Tile(0, 3), Tile(ENTRIES, 3)):  # now in memory, and still cut
                assert await ledger.tile("2026", full) is not None


async def test_no_tile_shows_more_than_the_largest_kept_checkpoint(store: Opened) -> None:
    filled = await Filled(1300, [700]).into(store.database)
    assert await store.ledger.tile("2026", Tile(0, 2, 700 - 512)) is not None
    await store.ledger.inclusion("2026", 600, 1300)  # reads the full tile, and remembers it
    for beyond in (Tile(0, 2, 189), Tile(0, 2), Tile(ENTRIES, 2, 189), Tile(1, 0, 3), Tile(2, 0, 1), Tile(0, 5, 1)):
        assert await store.ledger.tile("2026", beyond) is None
    assert await store.ledger.tile("2026", Tile(1, 0, 2)) == filled.tiles[1, 0][:64]
    assert await store.ledger.tile("2026", Tile(63, 1 << 40, 1)) is None
    assert await store.ledger.tile("2025", Tile(0, 0, 1)) is None
    async with store.database.write() as connection:
        await connection.execute(sa.insert(ledger_checkpoint).values(filled.checkpoint_row(1300)))
    assert await store.ledger.tile("2026", Tile(0, 2)) == b"".join(filled.leaves[512:768])


async def test_memory_for_tiles_is_bounded(store: Opened) -> None:
    filled = await Filled(2560, [2560]).into(store.database)
    tiles = StoredTiles(store.database, most_bytes=3 * 8192)
    for n in (0, 1, 2, 3, 4, 0, 9):
        assert await tiles.read("2026", Tile(0, n)) == b"".join(filled.leaves[n * 256 : n * 256 + 256])
    assert len(tiles._full) == 3


async def test_proofs_verify_at_every_small_size(store: Opened) -> None:
    filled = await Filled(20).into(store.database)
    roots = [root_of(filled.leaves[:size]) for size in range(21)]
    for size in range(1, 21):
        for number in range(size):
            path = await store.ledger.inclusion("2026", number, size)
            verify_inclusion(filled.leaves[number], number, size, path, roots[size])
        for old in range(size + 1):
            proof = await store.ledger.consistency("2026", old, size)
            verify_consistency(old, size, roots[old], roots[size], proof)


async def test_proofs_verify_across_levels(store: Opened) -> None:
    filled = await Filled(SIZE, [SIZE]).into(store.database)
    chance = random.Random(4)
    sizes = [255, 256, 257, 511, 512, 65_535, 65_536, 65_537, SIZE, *(chance.randrange(1, SIZE) for _ in range(12))]
    roots = {size: filled.frontier(size).root() for size in sizes}
    for size in sizes:
        for number in {0, size - 1, chance.randrange(size), size & ~255 if size & 255 else 0}:
            path = await store.ledger.inclusion("2026", number, size)
            verify_inclusion(filled.leaves[number], number, size, path, roots[size])
        for old in (old for old in sizes if old <= size):
            proof = await store.ledger.consistency("2026", old, size)
            verify_consistency(old, size, roots[old], roots[size], proof)


async def test_a_proof_costs_few_statements_and_few_entries(store: Opened) -> None:
    await Filled(SIZE, [SIZE]).into(store.database)
    with counted(store) as statements:
        await store.ledger.inclusion("2026", 40_000, SIZE)
    assert len(statements) <= 3
    with counted(store) as statements:
        await store.ledger.consistency("2026", 12_345, SIZE)
    assert len(statements) <= 3


@pytest.mark.parametrize(("number", "size"), [(0, 0), (5, 5), (0, 21), (-1, 4)])
async def test_there_is_no_proof_beyond_what_is_committed(store: Opened, number: int, size: int) -> None:
    await Filled(20).into(store.database)
    with pytest.raises(InvalidProof):
        await store.ledger.inclusion("2026", number, size)
    with pytest.raises(InvalidProof):
        await store.ledger.consistency("2026", 4, 21)
    with pytest.raises(InvalidProof):
        await store.ledger.consistency("2026", 8, 4)


async def test_a_store_that_lost_entries_says_so_and_invents_nothing(store: Opened) -> None:
    await Filled(1300, [1300]).into(store.database)
    async with store.database.write() as connection:
        await connection.execute(sa.delete(ledger_entry).where(ledger_entry.c.number == 300))
        await connection.execute(sa.update(ledger_tile).values(hashes=b""))
    for tile in (Tile(0, 1), Tile(ENTRIES, 1), Tile(1, 0, 2)):
        with pytest.raises(StoreUnavailable, match="fsck"):
            await store.ledger.tile("2026", tile)
    with pytest.raises(StoreUnavailable, match="fsck"):
        await store.ledger.inclusion("2026", 299, 1300)


async def test_an_entry_is_found_where_it_stands(store: Opened) -> None:
    filled = await Filled(7, [5]).into(store.database)
    waiting = bytes(an_entry(99))
    async with store.database.write() as connection:
        await connection.execute(sa.insert(ledger_outbox).values(id="waiting", due_at_us=0, entry=waiting))
    placed = await store.ledger.find(filled.ids[6])
    assert placed is not None
    assert (placed.shard, placed.number, placed.entry) == ("2026", 6, filled.entries[6])
    assert placed.leaf_hash == filled.leaves[6]
    durable = await store.ledger.find("waiting")
    assert durable is not None
    assert (durable.shard, durable.number, durable.leaf_hash) == (None, None, leaf_hash(waiting))
    assert await store.ledger.find("nobody") is None


async def test_entries_come_newest_first_and_by_kind_and_actor(store: Opened) -> None:
    await Filled(1500).into(store.database)

    async def numbers(**asked: Any) -> list[int | None]:
        given = {"before": None, "limit": 4, "kind": None, "actor": None} | asked
        return [one.number for one in await store.ledger.entries("2026", **given)]

    assert await numbers() == [1499, 1498, 1497, 1496]
    assert await numbers(before=3) == [2, 1, 0]
    assert await numbers(before=0) == []
    assert await numbers(kind="consent") == [1499, 1496, 1493, 1490]
    assert await numbers(actor="person", kind="refusal", before=1000) == [994, 988, 982, 976]
    assert await numbers(kind="quer") == []
    assert await numbers(actor=ACTORS[0][:3]) == []
    assert len(await numbers(limit=1200)) == 1200


async def test_a_filter_looks_at_no_more_than_it_says(store: Opened) -> None:
    size = LOOKED_AT + 10
    entries = [bytes(an_entry(0)) if number < 10 else bytes(an_entry(1)) for number in range(size)]
    await Filled(size, entries=entries).into(store.database)
    asked = {"limit": 5, "kind": "query", "actor": None}
    assert not await store.ledger.entries("2026", before=None, **asked)
    found = await store.ledger.entries("2026", before=size - LOOKED_AT, **asked)
    assert [one.number for one in found] == [9, 8, 7, 6, 5]


async def test_checkpoints_are_found_by_what_they_cover(store: Opened) -> None:
    filled = await Filled(300, [10, 100, 300]).into(store.database)
    table = ledger_checkpoint
    async with store.database.write() as connection:
        await connection.execute(sa.update(table).where(table.c.size == 100).values(sealed_at_us=None))
        await connection.execute(
            sa.update(table).where(table.c.size == 300).values(sealed_at_us=None, published_at_us=None)
        )
    kept = await store.ledger.checkpoint("2026", at_least=11)
    assert kept is not None
    assert (kept.size, kept.root, bytes(kept.note)) == (100, filled.frontier(100).root(), bytes(filled.note(100)))
    assert kept.cosignatures.keys() == {"GA", "JCY"}
    assert kept.sealed_at is None
    assert verify_note(kept.note, [signer(filled.origin).key])
    sealed = await store.ledger.checkpoint("2026", sealed=True)
    assert sealed is not None
    assert (sealed.size, sealed.sealed_at) == (10, from_us(filled.checkpoint_row(10)["at_us"]))
    assert await store.ledger.checkpoint("2026", at_least=11, sealed=True) is None
    assert await store.ledger.checkpoint("2026", at_least=301) is None
    published = await store.ledger.published("2026")
    assert published is not None
    assert published.size == 100
    assert await store.ledger.published("2025") is None
    assert [one.size for one in await store.ledger.checkpoints("2026", before=None, limit=2)] == [300, 100]
    assert [one.size for one in await store.ledger.checkpoints("2026", before=100, limit=2)] == [10]


async def test_shards_keys_witnesses_and_exhibits(store: Opened) -> None:
    filled = await Filled(3).into(store.database)
    other = await Filled(1, shard="2027", ids=["other"]).into(store.database)
    async with store.database.write() as connection:
        change = {"state": "CLOSED", "halted": "WITNESS_AHEAD"}
        await connection.execute(sa.update(ledger_shard).where(ledger_shard.c.shard == "2026").values(change))
        await connection.execute(
            sa.update(ledger_shard)
            .where(ledger_shard.c.shard == "2027")
            .values(began_at_us=ledger_shard.c.began_at_us + 1)
        )
        health = {"witness": "GA", "shard": "2026", "size": 2, "seen_at_us": 5, "fault": "GARBAGE"}
        await connection.execute(sa.insert(ledger_witness).values(health))
        for number in (1, 2):
            exhibit = {"id": f"e{number}", "shard": "2026", "at_us": number, "kind": "GARBAGE", "about": "GA"}
            await connection.execute(sa.insert(ledger_exhibit).values(exhibit | {"documents": '{"answer":"一"}'}))
    shards = await store.ledger.shards()
    assert [(one.shard, one.origin, one.active, one.size, one.halted) for one in shards] == [
        ("2027", other.origin, True, 1, None),
        ("2026", filled.origin, False, 3, "WITNESS_AHEAD"),
    ]
    assert await store.ledger.keys("2026") == [signer(filled.origin).key]
    (witness,) = await store.ledger.witnesses()
    assert (witness.witness, witness.size, witness.seen_at, witness.fault) == ("GA", 2, from_us(5), "GARBAGE")
    assert witness.failing_since is None
    newest, _ = await store.ledger.exhibits(2)
    assert (newest[0], newest[1], newest[2].documents) == ("e2", from_us(2), {"answer": "一"})
    assert len(await store.ledger.exhibits(1)) == 1


@contextmanager
def counted(store: Opened) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_1: Any, _2: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = store.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
