"""Receipts other gateways gave us, read out of our own events, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.services.upstream_receipts import OVER, Found, Kept
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables import access_event
from gateway.store.tables.upstream import upstream_proof

_PAGE = 500
_OVER = [one.value for one in OVER]
_FOREVER = 1 << 62


class StoredReceipts:
    """Implements `gateway.services.upstream_receipts.KeptReceipts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, *, since: datetime, most: int, unseen_since: datetime | None = None, without: Collection[str] = ()
    ) -> Sequence[Kept]:
        """See the port."""
        found: list[Kept] = []
        before: str | None = None
        event = access_event.c
        while len(found) < most:
            query = sa.select(event.id, event.recorded_at_us, event.upstream).where(event.upstream.is_not(None))
            query = query.where(event.recorded_at_us >= to_us(since)).order_by(event.id.desc()).limit(_PAGE)
            if before is not None:
                query = query.where(event.id < before)
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).all()
                kept = [
                    (row.recorded_at_us, one)
                    for row in rows
                    for one in _receipts(row.id, row.upstream)
                    if one.id and one.source not in without
                ]
                over = await self._over(connection, [one.id for _, one in kept], unseen_since)
            found += [one for at_us, one in kept if at_us > over.get((one.source, one.id), -1)]
            if len(rows) < _PAGE:
                break
            before = rows[-1].id
        return found[:most]

    async def keep(self, found: Found, at: datetime) -> None:
        """See the port."""
        row = {
            "source": found.kept.source, "receipt_id": found.kept.id, "verdict": found.verdict.value,
            "level": found.level, "proof": found.proof, "checked_at_us": to_us(at),
        }  # fmt: skip
        put = self._database.insert(upstream_proof).values(row)
        changed = {name: row[name] for name in ("verdict", "level", "proof", "checked_at_us")}
        async with self._database.write() as connection:
            await connection.execute(put.on_conflict_do_update(index_elements=["source", "receipt_id"], set_=changed))

    async def events_of(self, receipt_id: str) -> Sequence[Kept]:
        """See the port."""
        event = access_event.c
        query = sa.select(event.id, event.upstream).where(
            event.upstream.is_not(None), event.upstream.contains(f'"{receipt_id}"', autoescape=True)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(event.id))).all()
        return [one for row in rows for one in _receipts(row.id, row.upstream) if one.id == receipt_id]

    async def good(self, *, since: datetime) -> int:
        """See the port."""
        proof = upstream_proof.c
        query = sa.select(sa.func.count()).where(proof.verdict.in_(_OVER), proof.checked_at_us >= to_us(since))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def _over(
        self, connection: Any, ids: Sequence[str], unseen_since: datetime | None
    ) -> dict[tuple[str, str], int]:
        """Until when what was recorded need not be asked for."""
        proof = upstream_proof.c
        query = sa.select(proof.source, proof.receipt_id, proof.verdict, proof.checked_at_us)
        unseen_us = _FOREVER if unseen_since is None else to_us(unseen_since)
        over: dict[tuple[str, str], int] = {}
        for row in (await connection.execute(query.where(proof.receipt_id.in_(ids)))).all():
            if row.checked_at_us > unseen_us:
                over[row.source, row.receipt_id] = _FOREVER
            elif row.verdict in _OVER:
                over[row.source, row.receipt_id] = row.checked_at_us
        return over


def _receipts(event_id: str, upstream: str) -> list[Kept]:
    return [Kept(event_id, one) for one in orjson.loads(upstream) if isinstance(one, dict)]
