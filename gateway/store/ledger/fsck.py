"""The ledger's tables as they are, for whoever checks them: nothing is believed, nothing remembered."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.services.ledger.checkpoint_check import CheckpointRow, Head
from gateway.services.ledger.tree_check import EntryRow
from gateway.store.engine import Database
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_cosignature,
    ledger_entry,
    ledger_key,
    ledger_shard,
    ledger_tile,
)
from ledger.note import parse_vkey

_entry = ledger_entry.c
_IN_ORDER = (
    sa.select(_entry.number, _entry.id, _entry.leaf_hash, _entry.entry)
    .where(
        _entry.shard == sa.bindparam("of"), _entry.number >= sa.bindparam("start"), _entry.number < sa.bindparam("end")
    )
    .order_by(_entry.number)
)


class StoredRows:
    """Implements `gateway.services.ledger.fsck.LedgerRows`. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self) -> Sequence[Head]:
        """See the port."""
        checkpoint, shard, key = ledger_checkpoint.c, ledger_shard.c, ledger_key.c
        signed = sa.select(checkpoint.shard, sa.func.max(checkpoint.size)).group_by(checkpoint.shard)
        async with self._database.read() as connection:
            largest = {row[0]: row[1] for row in (await connection.execute(signed)).all()}
            keys = (await connection.execute(sa.select(key.shard, key.vkey).order_by(key.at_us))).all()
            rows = (await connection.execute(sa.select(ledger_shard).order_by(shard.began_at_us, shard.shard))).all()
        return [
            Head(
                row.shard, row.origin, row.size, bytes(row.root), bytes(row.frontier), largest.get(row.shard, 0),
                tuple(parse_vkey(one.vkey) for one in keys if one.shard == row.shard),
            )
            for row in rows
        ]  # fmt: skip

    async def entries(self, shard: str, start: int, end: int) -> Sequence[EntryRow]:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.execute(_IN_ORDER, {"of": shard, "start": start, "end": end})
            return [EntryRow._make(row) for row in found.all()]

    async def beyond(self, shard: str, size: int) -> tuple[int, str] | None:
        """See the port."""
        below = sa.select(_entry.number, _entry.id).where(_entry.shard == shard, _entry.number < 0)
        above = sa.select(_entry.number, _entry.id).where(_entry.shard == shard, _entry.number >= size)
        async with self._database.read() as connection:
            now = await connection.scalar(sa.select(ledger_shard.c.size).where(ledger_shard.c.shard == shard))
            for query in (below, above.where(_entry.number >= (now or 0))):  # the log may have grown meanwhile
                row = (await connection.execute(query.order_by(_entry.number).limit(1))).first()
                if row is not None and (row.number < 0 or now == size):
                    return row.number, row.id
        return None

    async def doubled(self, shard: str) -> Sequence[tuple[int, int, str]]:
        """See the port: the database sorts, on its disk where they are many."""
        number = _entry.number
        twice = (
            sa.select(_entry.leaf_hash, sa.func.min(number).label("first"), sa.func.max(number).label("second"))
            .where(_entry.shard == shard)
            .group_by(_entry.leaf_hash)
            .having(sa.func.count() > 1)
            .subquery()
        )
        query = (
            sa.select(twice.c.first, twice.c.second, _entry.id)
            .join(ledger_entry, sa.and_(_entry.shard == shard, number == twice.c.second))
            .order_by(twice.c.first)
        )
        async with self._database.read() as connection:
            return [(row.first, row.second, row.id) for row in (await connection.execute(query)).all()]

    async def tile(self, shard: str, level: int, n: int) -> bytes:
        """See the port."""
        table = ledger_tile.c
        query = sa.select(table.hashes).where(table.shard == shard, table.level == level, table.n == n)
        async with self._database.read() as connection:
            return bytes(await connection.scalar(query) or b"")

    async def checkpoints(self, shard: str, above: int, upto: int, limit: int) -> Sequence[CheckpointRow]:
        """See the port."""
        table, line = ledger_checkpoint.c, ledger_cosignature.c
        query = sa.select(ledger_checkpoint).where(table.shard == shard, table.size > above, table.size <= upto)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(table.size).limit(limit))).all()
            theirs = sa.select(line.size, line.witness, line.line).where(
                line.shard == shard, line.size > above, line.size <= (rows[-1].size if rows else above)
            )
            lines: dict[int, dict[str, str]] = {}
            for one in (await connection.execute(theirs)).all():
                lines.setdefault(one.size, {})[one.witness] = one.line
        return [
            CheckpointRow(
                row.size, bytes(row.root), bytes(row.note), row.sealed_at_us is not None, lines.get(row.size, {})
            )
            for row in rows
        ]
