"""Floods of equal refusals: counted durably while they last, handed to one replica when their span is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from gateway.caller import AccessEvent, Receipt
from gateway.clock import Clock
from gateway.services.flood_evidence import Flood, as_json, from_json
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.limits import refusal_flood

_MOST = 200
_MICROSECOND = timedelta(microseconds=1)


class StoredFloods:
    """Implements `gateway.services.flood_evidence.Floods`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, key: bytes, span: timedelta, event: AccessEvent, receipt: Receipt, count: int) -> None:
        """See the port. One upsert; a row that is being recorded takes no more: what comes late begins another."""
        now_us = to_us(self._clock.now())
        length_us = span // _MICROSECOND
        start_us = now_us - now_us % length_us
        row = {
            "key": key, "span_us": start_us, "count": count, "event": as_json(event), "receipt_id": receipt.id,
            "receipt_at_us": to_us(receipt.recorded_at), "until_us": start_us + length_us, "taken_until_us": 0,
        }  # fmt: skip
        put = self._database.insert(refusal_flood)
        more = put.on_conflict_do_update(
            index_elements=["key", "span_us"],
            set_={"count": refusal_flood.c.count + count},
            where=refusal_flood.c.taken_until_us == 0,
        ).returning(refusal_flood.c.key)
        async with self._database.write() as connection:
            while (
                await connection.scalar(more, row) is None
            ):  # taken: it was late, or the process that took it is ending
                row["span_us"] = now_us = now_us + 1

    async def due(self, *, hold: timedelta, at_once: bool = False) -> Sequence[Flood]:
        """See the port."""
        now_us = to_us(self._clock.now())
        c = refusal_flood.c
        over = sa.true() if at_once else c.until_us <= now_us
        free = sa.select(c.key, c.span_us).where(over, c.taken_until_us <= now_us).order_by(c.until_us).limit(_MOST)
        if not self._database.is_sqlite:
            free = free.with_for_update(skip_locked=True)
        async with self._database.write() as connection:
            places = [(row.key, row.span_us) for row in await connection.execute(free)]
            if not places:
                return []
            take = (
                sa.update(refusal_flood)
                .where(sa.tuple_(c.key, c.span_us).in_(places))
                .values(taken_until_us=now_us + hold // _MICROSECOND)
                .returning(c.key, c.span_us, c.event, c.count.label("counted"))
            )
            rows = (await connection.execute(take)).all()
        return [Flood(bytes(row.key), row.span_us, from_json(row.event, row.counted)) for row in rows]

    async def done(self, floods: Sequence[Flood]) -> None:
        """See the port."""
        async with self._database.write() as connection:
            for flood in floods:
                which = (refusal_flood.c.key == flood.key, refusal_flood.c.span_us == flood.span_us)
                await connection.execute(sa.delete(refusal_flood).where(*which))
