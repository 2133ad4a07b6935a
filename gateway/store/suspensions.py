"""What an operator does about suspended clients and their figures; and what is swept away when its span is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.client_limits import SPANS_S
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.tables.limits import client_meter, client_subject, client_suspension, client_window

FIGURES = ("requests_per_minute", "cost_per_minute", "subjects_per_day")


@dataclass(frozen=True, slots=True)
class Suspension:
    """`pack` is the evidence: rule, thresholds, counts, times, ids of access events. No personal data."""

    suspension_id: str
    client_id: str
    org_id: str
    rule: str
    at: datetime
    pack: dict[str, Any] = field(repr=False)
    lifted_at: datetime | None = None
    lifted_by: str | None = None


class StoredSuspensions:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def all(self, client_id: str | None = None) -> Sequence[Suspension]:
        """Newest first."""
        query = sa.select(client_suspension).order_by(client_suspension.c.id.desc())
        if client_id is not None:
            query = query.where(client_suspension.c.client_id == client_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [_suspension(row) for row in rows]

    async def lift(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        """False where the client is not suspended. What was counted is forgotten: it begins anew, or it would be suspended
        again by its next question."""
        now = self._clock.now()
        live = (client_suspension.c.client_id == client_id, client_suspension.c.lifted_at_us.is_(None))
        change = sa.update(client_suspension).where(*live).values(lifted_at_us=to_us(now), lifted_by=actor_user)
        async with self._database.write() as connection:
            lifted = await connection.scalar(change.returning(client_suspension.c.id))
            if lifted is None:
                return False
            for table in (client_window, client_subject):
                await connection.execute(sa.delete(table).where(table.c.client_id == client_id))
            detail = {"suspension": lifted}
            record = Change("CLIENT_SUSPENSION_LIFTED", client_id, actor_org, actor_user, detail=detail)
            await record_change(connection, now, record)
        return True

    async def set_figures(
        self, client_id: str, figures: dict[str, int | None], *, actor_org: str, actor_user: str
    ) -> None:
        """The client's own figures, by the names in FIGURES; None = the deployment's again. Counts with the next request,
        and what was spoken for under the old ones is forgotten."""
        given = {name: figures[name] for name in FIGURES if name in figures}
        fresh = {**given, "request_tat_us": 0, "cost_tat_us": 0}
        put = self._database.insert(client_meter).values(client_id=client_id, **fresh)
        async with self._database.write() as connection:
            await connection.execute(put.on_conflict_do_update(index_elements=["client_id"], set_=fresh))
            record = Change("CLIENT_LIMITS_CHANGED", client_id, actor_org, actor_user, detail=dict(given))
            await record_change(connection, self._clock.now(), record)

    async def sweep(self) -> None:
        """Counters and tags of spans that no rule looks at any more."""
        now_us = to_us(self._clock.now())
        async with self._database.write() as connection:
            for table in (client_window, client_subject):
                for span_s in SPANS_S:
                    old = table.c.start_us < now_us - 3 * span_s * 1_000_000
                    await connection.execute(sa.delete(table).where(table.c.span_s == span_s, old))


def _suspension(row: Any) -> Suspension:
    lifted_at = None if row.lifted_at_us is None else from_us(row.lifted_at_us)
    return Suspension(
        row.id,
        row.client_id,
        row.org_id,
        row.rule,
        from_us(row.at_us),
        orjson.loads(row.pack),
        lifted_at,
        row.lifted_by,
    )
