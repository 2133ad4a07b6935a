"""What tests append, and how they look at what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.services.ledger.ports import KeptCheckpoint
from gateway.store import Store
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds
from gateway.store.ledger.log import StoredLog
from gateway.store.tables.ledger import ledger_entry, ledger_outbox, ledger_shard, ledger_tile
from ledger.checkpoint import Checkpoint
from ledger.entry import Entry
from ledger.merkle import Node, leaf_hash, root_of
from ledger.note import sign_note
from ledger.tiles import WIDTH

NAME, YEAR = "yimen.example/ledger", "2026"
_new_id = OrderedIds()


def waiting(count: int, *, due_at_us: int = 0) -> list[dict[str, Any]]:
    """Rows of the outbox; each entry is different."""
    rows = []
    for _ in range(count):
        id_ = _new_id(1_700_000_000_000_000)
        entry = Entry("query", "org-1", datetime(2026, 11, 23, tzinfo=UTC), id_.encode()[-32:])
        rows.append({"id": id_, "due_at_us": due_at_us, "entry": bytes(entry)})
    return rows


async def append(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    async with database.write() as connection:
        await connection.execute(sa.insert(ledger_outbox), list(rows))


async def sequence_all(log: StoredLog, most: int = 1000) -> int:
    total = 0
    while count := await log.sequence(most):
        total += count
    return total


async def checkpoint(log: StoredLog) -> KeptCheckpoint:
    tree = await log.tree()
    return await log.keep_checkpoint(
        tree, sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await log.signers())
    )


async def sound(store: Store, shard: str = YEAR) -> list[str]:
    """The ids in order, after checking that the shard is what RFC 6962 says of its entries: without a gap, each hashed
    right, root, frontier and every tile."""
    async with store.database.read() as connection:
        entries = (
            await connection.execute(
                sa.select(ledger_entry).where(ledger_entry.c.shard == shard).order_by(ledger_entry.c.number)
            )
        ).all()
        head = (await connection.execute(sa.select(ledger_shard).where(ledger_shard.c.shard == shard))).one()
        tiles = (await connection.execute(sa.select(ledger_tile).where(ledger_tile.c.shard == shard))).all()
    leaves = [leaf_hash(bytes(one.entry)) for one in entries]
    assert [one.number for one in entries] == list(range(head.size))
    assert [bytes(one.leaf_hash) for one in entries] == leaves
    assert bytes(head.root) == root_of(leaves)
    assert len(head.frontier) == 32 * head.size.bit_count()
    assert {(one.level, one.n): bytes(one.hashes) for one in tiles} == _tiles(leaves)
    return [one.id for one in entries]


def _tiles(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Levels 1 and up by their definition: hash i of level L is the root over 256^L entries."""
    found: dict[tuple[int, int], bytes] = {}
    level, width = 1, WIDTH
    while len(leaves) >= width:
        for number in range(len(leaves) // width):
            node = Node(8 * level, number)
            hash_ = root_of(leaves[node.number * width : (node.number + 1) * width])
            key = (level, number // WIDTH)
            found[key] = found.get(key, b"") + hash_
        level, width = level + 1, width * WIDTH
    return found


async def rows(store: Store, query: Any) -> list[Any]:
    async with store.database.read() as connection:
        return list((await connection.execute(query)).all())
