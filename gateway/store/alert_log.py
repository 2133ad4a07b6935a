"""Alerts read back, taken on and closed, by those whose business they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Caller, Change
from gateway.clock import Clock
from gateway.services.alerts import StoredAlert, Watch
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.ledger.halting import SYSTEM_ORG
from gateway.store.tables import alert
from gateway.store.tables.case_facts import break_glass
from gateway.store.tables.identities import organisation


class StoredAlertLog:
    """Implements `gateway.services.alerts.AlertLog`. Every change is one conditional statement, and recorded."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def of_watch(
        self, watch: Watch, reader: Change, *, open_only: bool, after: str | None, limit: int
    ) -> Sequence[StoredAlert]:
        """See the port. What was read, and that it was read, are one transaction."""
        query = sa.select(alert).where(*seen_by(watch))
        if open_only:
            query = query.where(alert.c.closed_at_us.is_(None))
        if after is not None:
            query = query.where(alert.c.id > after)
        async with self._database.write() as connection:
            rows = (await connection.execute(query.order_by(alert.c.id).limit(limit))).all()
            await record_change(connection, self._clock.now(), reader)
        return [_alert(row) for row in rows]

    async def acknowledge(self, watch: Watch, alert_id: str, caller: Caller) -> bool:
        """See the port."""
        values = {"ack_by": caller.user_id, "ack_at_us": to_us(self._clock.now())}
        return await self._change(watch, alert_id, caller, "ALERT_ACKNOWLEDGED", values, alert.c.ack_by.is_(None))

    async def close_alert(self, watch: Watch, alert_id: str, caller: Caller, outcome: str) -> bool:
        """See the port."""
        values = {"outcome": outcome, "closed_at_us": to_us(self._clock.now())}
        return await self._change(watch, alert_id, caller, "ALERT_CLOSED", values)

    async def _change(
        self,
        watch: Watch,
        alert_id: str,
        caller: Caller,
        kind: str,
        values: dict[str, Any],
        *also: sa.ColumnElement[bool],
    ) -> bool:
        at = self._clock.now()
        mine = (alert.c.id == alert_id, alert.c.closed_at_us.is_(None), *also, *seen_by(watch))
        async with self._database.write() as connection:
            query = sa.update(alert).where(*mine).values(values).returning(alert.c.type, alert.c.subject_id)
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return False
            if "outcome" in values:  # a review closes the grant with it: nothing more is read on it
                reviewed = {"reviewed_by": caller.user_id, "reviewed_at_us": to_us(at), "outcome": values["outcome"]}
                grant = break_glass.c.alert_id == alert_id, break_glass.c.outcome.is_(None)
                await connection.execute(sa.update(break_glass).where(*grant).values(reviewed))
            detail = {"type": row.type} | ({"outcome": values["outcome"]} if "outcome" in values else {})
            change = Change(kind, alert_id, caller.org_id, caller.user_id, row.subject_id, detail)
            await record_change(connection, at, change)
        return True


def seen_by(watch: Watch) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [alert.c.about_id != watch.not_about]
    if watch.partners:
        return [*found, alert.c.about == "PARTNER"]
    found.append(alert.c.about != "PARTNER")
    everybodys = alert.c.org_id == SYSTEM_ORG  # a broken ledger is hidden from nobody who watches
    if watch.org_id is not None:
        return [*found, sa.or_(alert.c.org_id == watch.org_id, everybodys)]
    within = sa.select(organisation.c.org_id).where(
        organisation.c.kind.in_(sorted(watch.org_kinds)),
        organisation.c.jurisdiction.startswith(watch.jurisdiction, autoescape=True),
    )
    return [*found, sa.or_(alert.c.org_id.in_(within), everybodys)]


def _alert(row: sa.Row[Any]) -> StoredAlert:
    return StoredAlert(
        row.id,
        row.type,
        row.severity,
        row.about,
        row.about_id,
        row.org_id,
        row.subject_id,
        orjson.loads(row.detail),
        from_us(row.opened_at_us),
        None if row.due_at_us is None else from_us(row.due_at_us),
        row.ack_by,
        None if row.ack_at_us is None else from_us(row.ack_at_us),
        row.outcome,
        None if row.closed_at_us is None else from_us(row.closed_at_us),
    )
