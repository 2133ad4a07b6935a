"""The hands of whoever administers the database and has the log's signing key: he can change every table and sign anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.store import Store
from gateway.store.ids import to_us
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_cosignature,
    ledger_entry,
    ledger_shard,
    ledger_tile,
)
from ledger.checkpoint import Checkpoint
from ledger.entry import parse_entry
from ledger.merkle import Frontier, Node, leaf_hash
from ledger.note import sign_note

Rows = list[tuple[str, bytes]]
"""Id and bytes of each entry, in order."""


def another(entry: bytes) -> bytes:
    """An entry that says somebody else did it."""
    return bytes(replace(parse_entry(entry), actor="nobody"))


@dataclass
class Administrator:
    store: Store
    shard: str

    async def rows(self) -> Rows:
        c = ledger_entry.c
        async with self.store.database.read() as connection:
            found = await connection.execute(sa.select(c.id, c.entry).where(c.shard == self.shard).order_by(c.number))
            return [(row.id, bytes(row.entry)) for row in found]

    async def run(self, *statements: Any) -> None:
        async with self.store.database.write() as connection:
            for statement in statements:
                await connection.execute(statement)

    async def edit(self, number: int, *, hash_too: bool = False) -> None:
        entry = another((await self.rows())[number][1])
        values = {"entry": entry} | ({"leaf_hash": leaf_hash(entry)} if hash_too else {})
        await self.run(sa.update(ledger_entry).where(*self._at(number)).values(values))

    async def delete(self, number: int) -> None:
        await self.run(sa.delete(ledger_entry).where(*self._at(number)))

    async def swap(self, one: int, other: int) -> None:
        rows = await self.rows()
        pair = {one: rows[other], other: rows[one]}
        await self.run(
            sa.delete(ledger_entry).where(ledger_entry.c.shard == self.shard, ledger_entry.c.number.in_(pair)),
            sa.insert(ledger_entry).values([self._row(number, *row) for number, row in pair.items()]),
        )

    async def swap_tile(self) -> None:
        """Another hash in the tile above the first 256 entries."""
        c = ledger_tile.c
        await self.run(
            sa.update(ledger_tile).where(c.shard == self.shard, c.level == 1, c.n == 0).values(hashes=b"\7" * 32)
        )

    async def rewrite(self, change: Callable[[Rows], Rows], *, now: datetime | None = None) -> None:
        """Another history, whole: entries, hashes, tiles, head, and a checkpoint that the log's own key signed. What
        witnesses cosigned of the true one is swept away."""
        rows, c = change(await self.rows()), ledger_shard.c
        tiles: dict[tuple[int, int], bytes] = {}

        def completed(node: Node, top: bytes) -> None:
            at = node.height // 8, node.number // 256
            tiles[at] = tiles.get(at, b"") + top

        tree = Frontier().extended((leaf_hash(entry) for _, entry in rows), completed)
        async with self.store.database.read() as connection:
            origin = str(await connection.scalar(sa.select(c.origin).where(c.shard == self.shard)))
        note = sign_note(Checkpoint(origin, tree.size, tree.root()).text, await self.store.log.signers())
        at_us = to_us(now or datetime.now(UTC))
        mine = [
            sa.delete(table).where(table.c.shard == self.shard)
            for table in (ledger_cosignature, ledger_checkpoint, ledger_tile, ledger_entry)
        ]
        kept = {"size": tree.size, "root": tree.root(), "note": bytes(note), "at_us": at_us, "published_at_us": at_us}
        head = {"size": tree.size, "root": tree.root(), "frontier": b"".join(tree.hashes)}
        upper = [{"shard": self.shard, "level": level, "n": n, "hashes": one} for (level, n), one in tiles.items()]
        await self.run(
            *mine,
            sa.insert(ledger_entry).values([self._row(number, *row) for number, row in enumerate(rows)]),
            *([sa.insert(ledger_tile).values(upper)] if upper else []),
            sa.insert(ledger_checkpoint).values({"shard": self.shard} | kept),
            sa.update(ledger_shard).where(c.shard == self.shard).values(head),
        )

    def _at(self, number: int) -> tuple[sa.ColumnElement[bool], ...]:
        return ledger_entry.c.shard == self.shard, ledger_entry.c.number == number

    def _row(self, number: int, id_: str, entry: bytes) -> dict[str, Any]:
        return {
            "shard": self.shard, "number": number, "id": id_, "entry": entry, "leaf_hash": leaf_hash(entry)
        }  # fmt: skip
