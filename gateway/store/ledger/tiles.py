"""Tiles as the store holds them: level 0 and bundles from the entries' rows, the levels above from `ledger_tile`.

A full tile never changes, so what was read once is kept, up to some megabytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.store.engine import Database
from gateway.store.errors import LedgerLost
from gateway.store.tables.ledger import ledger_checkpoint, ledger_entry, ledger_tile
from ledger.encoding import HASH_BYTES
from ledger.tiles import ENTRIES, HEIGHT, WIDTH, Tile, encode_bundle

_MOST_BYTES = 32 << 20
_Key = tuple[str, int, int]  # shard, level, n


class StoredTiles:
    """Reads tiles of every level. `most_bytes`: of full ones that are kept in memory."""

    def __init__(self, database: Database, *, most_bytes: int = _MOST_BYTES) -> None:
        self._database, self._most = database, most_bytes
        self._full: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0
        self._reach: dict[str, int] = {}

    async def read(self, shard: str, tile: Tile) -> bytes | None:
        """As wide as asked; None where no kept checkpoint reaches so far. Raises StoreUnavailable,
        LedgerLost."""
        below = HEIGHT * max(tile.level, 0)
        needed = (tile.n * WIDTH + tile.width) << below
        if needed >= 1 << 63 or not await self._reaches(shard, needed):
            return None
        if tile.level == ENTRIES:
            return await self._bundle(shard, tile)
        return (await self.hashes(shard, [tile]))[tile.level, tile.n]

    async def hashes(self, shard: str, wanted: Sequence[Tile]) -> Mapping[tuple[int, int], bytes]:
        """Hash tiles by level and n, each once among `wanted` and as wide as asked, in two statements at most.

        Raises StoreUnavailable; LedgerLost where the tree does not hold so much: whoever asks knows its size.
        """
        found = {(tile.level, tile.n): self._remembered((shard, tile.level, tile.n)) for tile in wanted}
        missing = [tile for tile in wanted if found[tile.level, tile.n] is None]
        lowest, upper = [tile for tile in missing if not tile.level], [tile for tile in missing if tile.level]
        async with self._database.read() as connection:
            if lowest:
                rows = (await connection.execute(_leaves(shard, lowest))).all()
                leaves = {row.number: row.leaf_hash for row in rows}
                found |= {(0, tile.n): b"".join(leaves.get(one, b"") for one in _numbers(tile)) for tile in lowest}
            if upper:
                rows = (await connection.execute(_stored(shard, upper))).all()
                found |= {(row.level, row.n): bytes(row.hashes) for row in rows}
        return {(tile.level, tile.n): self._cut(shard, tile, found[tile.level, tile.n]) for tile in wanted}

    def _cut(self, shard: str, tile: Tile, hashes: bytes | None) -> bytes:
        if hashes is None or len(hashes) < tile.width * HASH_BYTES:
            raise damaged()
        if len(hashes) == WIDTH * HASH_BYTES:
            self._remember((shard, tile.level, tile.n), hashes)
        return hashes[: tile.width * HASH_BYTES]

    async def _bundle(self, shard: str, tile: Tile) -> bytes:
        if (kept := self._remembered((shard, ENTRIES, tile.n))) is not None and tile.width == WIDTH:
            return kept
        first = tile.n * WIDTH
        query = sa.select(ledger_entry.c.entry).where(*_between(shard, first, tile.width))
        async with self._database.read() as connection:
            entries = (await connection.scalars(query.order_by(ledger_entry.c.number))).all()
        if len(entries) != tile.width:
            raise damaged()
        bundle = encode_bundle(entries)
        if tile.width == WIDTH:
            self._remember((shard, ENTRIES, tile.n), bundle)
        return bundle

    async def _reaches(self, shard: str, size: int) -> bool:
        """Whether a kept checkpoint covers `size` entries; there is no way back, so the answer yes holds for ever."""
        if self._reach.get(shard, 0) < size:
            query = sa.select(sa.func.max(ledger_checkpoint.c.size)).where(ledger_checkpoint.c.shard == shard)
            async with self._database.read() as connection:
                found = await connection.scalar(query)
            if found is None:
                return False
            self._reach[shard] = found
        return self._reach[shard] >= size

    def _remembered(self, key: _Key) -> bytes | None:
        found = self._full.get(key)
        if found is not None:
            self._full.move_to_end(key)
        return found

    def _remember(self, key: _Key, data: bytes) -> None:
        if key not in self._full:
            self._bytes += len(data)
        self._full[key] = data
        while self._bytes > self._most:
            self._bytes -= len(self._full.popitem(last=False)[1])


def damaged() -> LedgerLost:
    return LedgerLost("the ledger does not hold what it committed to; run: yimen ledger fsck --full")


def _numbers(tile: Tile) -> range:
    return range(tile.n * WIDTH, tile.n * WIDTH + tile.width)


def _between(shard: str, first: int, count: int) -> tuple[sa.ColumnElement[bool], ...]:
    number = ledger_entry.c.number
    return ledger_entry.c.shard == shard, number >= first, number < first + count


def _leaves(shard: str, tiles: Sequence[Tile]) -> sa.CompoundSelect[Any]:
    """One range each: joined by OR, SQLite might read the whole shard instead."""
    columns = sa.select(ledger_entry.c.number, ledger_entry.c.leaf_hash)
    return sa.union_all(*(columns.where(*_between(shard, tile.n * WIDTH, tile.width)) for tile in tiles))


def _stored(shard: str, tiles: Sequence[Tile]) -> sa.CompoundSelect[Any]:
    table = ledger_tile.c
    columns = sa.select(table.level, table.n, table.hashes).where(table.shard == shard)
    return sa.union_all(*(columns.where(table.level == tile.level, table.n == tile.n) for tile in tiles))
