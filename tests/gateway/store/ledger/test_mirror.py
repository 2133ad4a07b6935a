"""A mirror is a log for any static server, goes on where it was, and holds the store to what it showed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.services.ledger.faults import Fault, Finding
from gateway.services.ledger.mirror import Export, MirrorRefused, against_mirror
from gateway.settings import Settings
from gateway.store.engine import Database, open_database
from gateway.store.ledger.fsck import StoredRows
from gateway.store.ledger.reader import StoredLedgerReader
from gateway.store.tables.ledger import ledger_checkpoint, ledger_entry, ledger_shard
from ledger.audit.source import Directory, read_bundle, read_tile
from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.merkle import leaf_hash
from ledger.note import COSIGNATURE, parse_note, sign_note, verify_note
from ledger.tiles import bundles_of, decode_bundle, tiles_of
from tests.gateway.store.ledger.filling import Filled, an_entry, signer

pytestmark = pytest.mark.anyio
CHECKPOINT = ledger_checkpoint.c


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings)
    yield database
    await database.close()


async def export(database: Database, folder: Path) -> int | None:
    reader = StoredLedgerReader(database)
    (shard,) = await reader.shards()
    return await Export(reader, folder)(shard)


async def run(database: Database, *statements: sa.Executable) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(statement)


async def compare(database: Database, folder: Path) -> list[Finding]:
    rows = StoredRows(database)
    (head,) = await rows.heads()
    return [one async for one in against_mirror(rows, head, Directory(folder / head.shard))]


def whole(filled: Filled, folder: Path, size: int) -> None:
    """What an auditor would read is there and is right."""
    source = Directory(folder / "2026")
    note = parse_note((folder / "2026" / "checkpoint").read_bytes())
    assert parse_checkpoint(note.text).size == size
    keys = [signer(filled.origin).key, *(signer(f"{name}.example/w", COSIGNATURE).key for name in filled.witnesses)]
    assert len(verify_note(note, keys)) == 3
    for tile in bundles_of(size):
        entries = decode_bundle(read_bundle(source, tile.n, tile.width), tile.width)
        assert entries == filled.entries[tile.n * 256 :][: tile.width]
    for tile in tiles_of(size):
        if tile.level == 0:
            assert read_tile(source, tile) == b"".join(filled.leaves[tile.n * 256 :][: tile.width])
        else:
            assert read_tile(source, tile) == filled.tiles[tile.level, tile.n][: 32 * tile.width]


async def test_a_mirror_grows_with_what_is_published(database: Database, tmp_path: Path) -> None:
    filled = await Filled(1300, [300, 700, 1300]).into(database)
    later = sa.update(ledger_checkpoint)
    await run(database, later.where(CHECKPOINT.size > 300).values(published_at_us=None))
    assert await export(database, tmp_path) == 300
    whole(filled, tmp_path, 300)
    first = tmp_path / "2026" / "tile" / "entries" / "000"
    written = first.stat().st_mtime_ns
    await run(database, later.where(CHECKPOINT.size <= 700).values(published_at_us=1))
    assert await export(database, tmp_path) == 700
    whole(filled, tmp_path, 700)
    assert first.stat().st_mtime_ns == written  # not written again
    assert not (tmp_path / "2026" / "tile" / "0" / "001.p").exists()  # the full one is there
    await run(database, later.values(published_at_us=1))
    assert await export(database, tmp_path) == 1300
    assert await export(database, tmp_path) == 1300
    whole(filled, tmp_path, 1300)
    assert not list(tmp_path.rglob("*.new"))
    assert await compare(database, tmp_path) == []


async def test_an_export_that_died_goes_on(database: Database, tmp_path: Path) -> None:
    filled = await Filled(1300, [1300]).into(database)
    await export(database, tmp_path)
    (tmp_path / "2026" / "checkpoint").unlink()
    for lost in ("tile/0/001", "tile/entries/003", "tile/1/000.p/5"):
        (tmp_path / "2026" / lost).unlink()
    await export(database, tmp_path)
    whole(filled, tmp_path, 1300)


async def test_nothing_is_exported_before_something_is_published(database: Database, tmp_path: Path) -> None:
    await Filled(10).into(database)
    assert await export(database, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_of_another_history_is_left_alone(database: Database, tmp_path: Path) -> None:
    filled = await Filled(300, [200, 300]).into(database)
    (tmp_path / "2026").mkdir()
    place = tmp_path / "2026" / "checkpoint"
    key = signer(filled.origin)
    larger = sign_note(Checkpoint(filled.origin, 301, bytes(32)).text, [key])
    other = sign_note(Checkpoint(filled.origin, 200, bytes(32)).text, [key])
    stranger = sign_note(filled.note(200).text, [signer("gw.example/other")])
    for note in (bytes(larger), bytes(other), bytes(stranger), b"none"):
        place.write_bytes(note)
        with pytest.raises(MirrorRefused):
            await export(database, tmp_path)
        assert place.read_bytes() == note
        assert [one.name for one in (tmp_path / "2026").iterdir()] == ["checkpoint"]


async def test_what_was_changed_since_the_mirror_was_made_is_named(database: Database, tmp_path: Path) -> None:
    filled = await Filled(700, [700]).into(database)
    await export(database, tmp_path)
    for number in (3, 600):
        entry = bytes(an_entry(5000 + number))
        values = {"entry": entry, "leaf_hash": leaf_hash(entry)}
        await run(database, sa.update(ledger_entry).where(ledger_entry.c.number == number).values(values))
    await run(database, sa.delete(ledger_entry).where(ledger_entry.c.number == 300))
    assert await compare(database, tmp_path) == [
        Finding(Fault.MIRROR_DIFFERS, "2026", 3, 3, filled.ids[3]),
        Finding(Fault.MIRROR_DIFFERS, "2026", 300, 300),
        Finding(Fault.MIRROR_DIFFERS, "2026", 600, 600, filled.ids[600]),
    ]


async def test_a_mirror_that_has_more_says_that_data_was_lost(database: Database, tmp_path: Path) -> None:
    await Filled(700, [700]).into(database)
    await export(database, tmp_path)
    await run(database, sa.update(ledger_shard).values(size=600))
    assert await compare(database, tmp_path) == [Finding(Fault.MIRROR_AHEAD, "2026", 600, 699, about="700")]


async def test_another_tree_signed_for_the_mirror_is_named(database: Database, tmp_path: Path) -> None:
    filled = await Filled(300, [300]).into(database)
    await export(database, tmp_path)
    note = sign_note(Checkpoint(filled.origin, 300, bytes(32)).text, [signer(filled.origin)])
    (tmp_path / "2026" / "checkpoint").write_bytes(bytes(note))
    assert await compare(database, tmp_path) == [Finding(Fault.MIRROR_DIFFERS, "2026", about="checkpoint 300")]


async def test_a_mirror_that_cannot_be_read_proves_nothing(database: Database, tmp_path: Path) -> None:
    await Filled(300, [300]).into(database)
    (found,) = await compare(database, tmp_path)
    assert (found.fault, found.grave) == (Fault.MIRROR_UNREADABLE, False)
    await export(database, tmp_path)
    (tmp_path / "2026" / "tile" / "entries" / "000").write_bytes(b"\0")
    (tmp_path / "2026" / "tile" / "entries" / "001.p" / "44").unlink()
    found_two = await compare(database, tmp_path)
    assert [(one.fault, one.index) for one in found_two] == [
        (Fault.MIRROR_DIFFERS, 0), (Fault.MIRROR_UNREADABLE, 256),
    ]  # fmt: skip
