"""The ledger read back: shards, tiles, entries, checkpoints, proofs, witnesses, exhibits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.ledger.ports import LOOKED_AT, Exhibit, KeptCheckpoint, Placed, Shard, WitnessHealth
from gateway.store.engine import Database
from gateway.store.ids import from_us
from gateway.store.ledger.proofs import read_proof
from gateway.store.ledger.tiles import StoredTiles
from gateway.store.ledger.writing import instant, kept_of
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_cosignature,
    ledger_entry,
    ledger_exhibit,
    ledger_key,
    ledger_outbox,
    ledger_shard,
    ledger_witness,
)
from ledger.entry import parse_entry
from ledger.errors import InvalidProof
from ledger.merkle import Range, consistency_ranges, inclusion_ranges, leaf_hash
from ledger.note import VerifierKey, parse_vkey
from ledger.tiles import Tile

_PAGE = 512


class StoredLedgerReader:
    """Implements `gateway.services.ledger.ports.LedgerReader`. All of it raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tiles = StoredTiles(database)
        self._reading: dict[tuple[str, int, int], asyncio.Task[Sequence[bytes]]] = {}

    async def shards(self) -> Sequence[Shard]:
        """See the port."""
        table = ledger_shard.c
        query = sa.select(ledger_shard).order_by(table.began_at_us.desc(), table.shard.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Shard(row.shard, row.origin, row.state == "ACTIVE", row.size, row.halted) for row in rows]

    async def keys(self, shard: str) -> Sequence[VerifierKey]:
        """See the port; retired ones too, the oldest first."""
        table = ledger_key.c
        query = sa.select(table.vkey).where(table.shard == shard).order_by(table.at_us, table.key_id)
        async with self._database.read() as connection:
            return [parse_vkey(vkey) for vkey in (await connection.scalars(query)).all()]

    async def tile(self, shard: str, tile: Tile) -> bytes | None:
        """See the port. Nothing is shown beyond the largest kept checkpoint."""
        return await self._tiles.read(shard, tile)

    async def find(self, entry_id: str) -> Placed | None:
        """See the port. One statement, so that an entry on its way from the outbox to the log is seen."""
        waiting, done = ledger_outbox.c, ledger_entry.c
        nowhere = sa.null().cast(sa.String), sa.null().cast(sa.BigInteger)
        query = sa.union_all(
            sa.select(done.entry, done.shard, done.number).where(done.id == entry_id),
            sa.select(waiting.entry, *nowhere).where(waiting.id == entry_id),
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _placed(entry_id, *row)

    async def entries(
        self, shard: str, *, before: int | None, limit: int, kind: str | None, actor: str | None
    ) -> Sequence[Placed]:
        """See the port."""
        table, found = ledger_entry.c, list[Placed]()
        async with self._database.read() as connection:
            size = await _size(connection, shard)
            end = size if before is None else min(before, size)
            stop = max(0, end - LOOKED_AT)
            while end > stop and len(found) < limit:
                start = max(stop, end - (_PAGE if kind or actor else min(_PAGE, limit - len(found))))
                query = sa.select(ledger_entry).where(table.shard == shard, table.number >= start, table.number < end)
                rows = (await connection.execute(query.order_by(table.number.desc()))).all()
                found += [_placed(row.id, row.entry, shard, row.number) for row in rows if _is(row.entry, kind, actor)]
                end = start
        return found[:limit]

    async def checkpoint(self, shard: str, *, at_least: int = 0, sealed: bool = False) -> KeptCheckpoint | None:
        """See the port."""
        table = ledger_checkpoint.c
        query = sa.select(ledger_checkpoint).where(table.shard == shard, table.size >= at_least)
        if sealed:
            query = query.where(table.sealed_at_us.is_not(None))
        return await self._first(query.order_by(table.size))

    async def published(self, shard: str) -> KeptCheckpoint | None:
        """See the port."""
        table = ledger_checkpoint.c
        query = sa.select(ledger_checkpoint).where(table.shard == shard, table.published_at_us.is_not(None))
        return await self._first(query.order_by(table.size.desc()))

    async def checkpoints(self, shard: str, *, before: int | None, limit: int) -> Sequence[KeptCheckpoint]:
        """See the port."""
        table = ledger_checkpoint.c
        query = sa.select(ledger_checkpoint).where(table.shard == shard)
        if before is not None:
            query = query.where(table.size < before)
        return await self._kept(query.order_by(table.size.desc()).limit(limit))

    async def unsealed_since(self, shard: str) -> datetime | None:
        """See the port. What is not due yet waits for nobody."""
        kept, entry, waiting = ledger_checkpoint.c, ledger_entry.c, ledger_outbox.c
        sealed = sa.select(sa.func.coalesce(sa.func.max(kept.size), 0)).where(
            kept.shard == shard, kept.sealed_at_us.is_not(None)
        )
        first = sa.select(entry.entry).where(entry.shard == shard, entry.number == sealed.scalar_subquery())
        due = sa.select(waiting.entry).where(waiting.due_at_us == 0).order_by(waiting.id).limit(1)
        async with self._database.read() as connection:
            data = await connection.scalar(first) or await connection.scalar(due)
        return None if data is None else parse_entry(bytes(data)).time

    async def inclusion(self, shard: str, number: int, size: int) -> Sequence[bytes]:
        """See the port. Raises InvalidProof where the committed tree has no such entry or size."""
        return await self._proof(shard, size, inclusion_ranges(number, size))

    async def consistency(self, shard: str, old: int, new: int) -> Sequence[bytes]:
        """See the port. Raises InvalidProof where the committed tree has no such size. Whoever asks for what is being read
        for another waits for that: five witnesses want the same at once."""
        asked = shard, old, new
        if (reading := self._reading.get(asked)) is None:
            reading = asyncio.create_task(self._proof(shard, new, consistency_ranges(old, new)))
            self._reading[asked] = reading
            reading.add_done_callback(lambda _: self._reading.pop(asked, None))
        return await asyncio.shield(reading)

    async def witnesses(self) -> Sequence[WitnessHealth]:
        """See the port; by name, newest shard first."""
        table = ledger_witness.c
        query = sa.select(ledger_witness).order_by(table.witness, table.shard.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            WitnessHealth(
                row.witness, row.shard, row.size, instant(row.seen_at_us), instant(row.failing_since_us), row.fault
            )
            for row in rows
        ]

    async def exhibits(self, limit: int) -> Sequence[tuple[str, datetime, Exhibit]]:
        """See the port."""
        table = ledger_exhibit.c
        query = sa.select(ledger_exhibit).order_by(table.at_us.desc(), table.id.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            (row.id, from_us(row.at_us), Exhibit(row.shard, row.kind, row.about, orjson.loads(row.documents)))
            for row in rows
        ]

    async def _proof(self, shard: str, size: int, ranges: Sequence[Range]) -> Sequence[bytes]:
        async with self._database.read() as connection:
            if size > await _size(connection, shard):
                raise InvalidProof("the committed tree is not of this size")
        return await read_proof(self._tiles, shard, ranges) if ranges else []

    async def _first(self, query: sa.Select[Any]) -> KeptCheckpoint | None:
        return next(iter(await self._kept(query.limit(1))), None)

    async def _kept(self, query: sa.Select[Any]) -> list[KeptCheckpoint]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            lines: dict[tuple[str, int], dict[str, str]] = {(row.shard, row.size): {} for row in rows}
            table = ledger_cosignature.c
            for shard in {row.shard for row in rows}:
                sizes = [row.size for row in rows if row.shard == shard]
                theirs = sa.select(ledger_cosignature).where(table.shard == shard, table.size.in_(sizes))
                for one in (await connection.execute(theirs.order_by(table.witness))).all():
                    lines[shard, one.size][one.witness] = one.line
        return [_checkpoint_of(row, lines[row.shard, row.size]) for row in rows]


def _checkpoint_of(row: sa.Row[Any], cosignatures: dict[str, str]) -> KeptCheckpoint:
    """Raises Malformed where the note is none."""
    columns = row.size, row.root, row.note, row.at_us, row.published_at_us, row.sealed_at_us
    return kept_of(row.shard, columns, list(cosignatures.items()))


async def _size(connection: AsyncConnection, shard: str) -> int:
    """Read before the rows it speaks of: they were committed with it."""
    return await connection.scalar(sa.select(ledger_shard.c.size).where(ledger_shard.c.shard == shard)) or 0


def _placed(entry_id: str, entry: bytes, shard: str | None, number: int | None) -> Placed:
    return Placed(entry_id, bytes(entry), leaf_hash(entry), shard, number)


def _is(entry: bytes, kind: str | None, actor: str | None) -> bool:
    """Whether a canonical entry is of this kind and actor: both stand before anything that could look like them."""
    return (actor is None or entry.startswith(b'{"actor":"' + actor.encode() + b'",')) and (
        kind is None or entry.partition(b'","kind":"')[2].startswith(kind.encode() + b'"')
    )
