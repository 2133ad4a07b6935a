"""Offers for many at once: who is to be offered something, and what came of each. Survives whoever works on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.clock import Clock
from gateway.services.credentials.bulk_offers import Bulk, BulkItem, Wishes
from gateway.services.credentials.ports import Acting
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.credentials import credential_bulk as table
from gateway.store.tables.credentials import credential_bulk_item as item

_CHUNK = 500


class StoredBulks:
    """Implements `gateway.services.credentials.bulk_offers.Bulks`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, bulk: Bulk, subjects: Sequence[str]) -> None:
        """All of it or nothing. Numbered from 0 in the order given."""
        row = {
            "bulk_id": bulk.bulk_id, "configuration_ids": orjson.dumps(list(bulk.configuration_ids)).decode(),
            "wishes": orjson.dumps(asdict(bulk.wishes)).decode(), "actor_user": bulk.actor_user,
            "created_at_us": to_us(self._clock.now()),
        }  # fmt: skip
        rows: list[dict[str, Any]] = [
            {"bulk_id": bulk.bulk_id, "n": n, "subject_id": subject_id} for n, subject_id in enumerate(subjects)
        ]
        async with self._database.write() as connection:
            await connection.execute(sa.insert(table).values(row))
            for start in range(0, len(rows), _CHUNK):
                await connection.execute(sa.insert(item), rows[start : start + _CHUNK])

    async def find(self, bulk_id: str) -> Bulk | None:
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(table).where(table.c.bulk_id == bulk_id))).one_or_none()
        return None if row is None else _bulk(row)

    async def recent(self, most: int) -> Sequence[Bulk]:
        """Newest first."""
        query = sa.select(table).order_by(table.c.created_at_us.desc()).limit(most)
        async with self._database.read() as connection:
            return [_bulk(row) for row in await connection.execute(query)]

    async def waiting(self, bulk_id: str, after: int, most: int) -> Sequence[BulkItem]:
        """Those without an outcome behind number `after`, in order."""
        which = (item.c.bulk_id == bulk_id, item.c.outcome.is_(None), item.c.n > after)
        query = sa.select(item).where(*which).order_by(item.c.n).limit(most)
        async with self._database.read() as connection:
            return [BulkItem(row.n, row.subject_id) for row in await connection.execute(query)]

    async def done(self, bulk_id: str, n: int, outcome: str, offer_id: str | None) -> bool:
        """False where somebody else wrote an outcome first, which stays."""
        mine = (item.c.bulk_id == bulk_id, item.c.n == n, item.c.outcome.is_(None))
        values = {"outcome": outcome, "offer_id": offer_id}
        async with self._database.write() as connection:
            return bool((await connection.execute(sa.update(item).where(*mine).values(values))).rowcount)

    async def finish(self, bulk_id: str) -> None:
        """The first end stays."""
        mine = (table.c.bulk_id == bulk_id, table.c.finished_at_us.is_(None))
        async with self._database.write() as connection:
            await connection.execute(sa.update(table).where(*mine).values(finished_at_us=to_us(self._clock.now())))

    async def counts(self, bulk_id: str) -> Mapping[str, int]:
        """Outcome -> how many; "" is still to come."""
        query = sa.select(item.c.outcome, sa.func.count()).where(item.c.bulk_id == bulk_id).group_by(item.c.outcome)
        async with self._database.read() as connection:
            return Counter({row[0] or "": row[1] for row in await connection.execute(query)})

    async def outcomes(self, bulk_id: str) -> Sequence[tuple[int, str | None, str | None]]:
        """(number, outcome, offer) in order."""
        query = sa.select(item.c.n, item.c.outcome, item.c.offer_id).where(item.c.bulk_id == bulk_id).order_by(item.c.n)
        async with self._database.read() as connection:
            return [(row.n, row.outcome, row.offer_id) for row in await connection.execute(query)]


def _bulk(row: sa.Row[Any]) -> Bulk:
    said = orjson.loads(row.wishes)
    wishes = Wishes(Acting(**said.pop("acting")), **said)
    return Bulk(row.bulk_id, tuple(orjson.loads(row.configuration_ids)), wishes, row.actor_user)
