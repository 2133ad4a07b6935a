"""Alerts: opened once, counted when they repeat, never lost."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Alert
from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, to_us
from gateway.store.recording.outbox import outbox_of, put
from gateway.store.tables import alert as table


class StoredAlerts:
    """Implements `gateway.caller.Alerts`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._new_id = OrderedIds()

    async def raise_alert(self, alert: Alert) -> str:
        """See the port."""
        async with self._database.write() as connection:
            return await self.raise_within(connection, alert)

    async def raise_within(self, connection: AsyncConnection, alert: Alert) -> str:
        """The same, as part of a `Database.write()` of the caller's."""
        now_us = to_us(self._clock.now())
        if not self._database.is_sqlite:  # two replicas raising the same alert take turns
            await connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
                {"key": f"alert/{alert.type}/{alert.about_id}"},
            )
        same = sa.select(table).where(
            table.c.type == alert.type,
            table.c.about_id == alert.about_id,
            table.c.subject_id.is_(None) if alert.subject_id is None else table.c.subject_id == alert.subject_id,
            table.c.closed_at_us.is_(None),
        )
        found = (await connection.execute(same.order_by(table.c.id).limit(1))).one_or_none()
        if found is not None:
            detail: dict[str, Any] = orjson.loads(found.detail)
            detail["repeats"] = int(detail.get("repeats", 1)) + 1
            change = sa.update(table).where(table.c.id == found.id).values(detail=orjson.dumps(detail).decode())
            await connection.execute(change)
            return str(found.id)
        alert_id = self._new_id(now_us)
        row = {
            "id": alert_id, "type": alert.type, "severity": alert.severity, "about": alert.about,
            "about_id": alert.about_id, "org_id": alert.org_id, "subject_id": alert.subject_id,
            "detail": orjson.dumps(dict(alert.detail)).decode(), "opened_at_us": now_us,
            "due_at_us": None if alert.due_at is None else to_us(alert.due_at),
        }  # fmt: skip
        seed_ct, waiting = outbox_of(connection).alert(row)
        await connection.execute(sa.insert(table).values(row | {"seed_ct": seed_ct}))
        await put(connection, waiting)
        return alert_id
