"""Which access events have yet to become alerts; each becomes them once, in one transaction, in whichever replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from gateway.caller import Alert
from gateway.services.alarms import AlarmingEvent
from gateway.services.release import ALARM
from gateway.store.alerts import StoredAlerts
from gateway.store.engine import Database
from gateway.store.ids import from_us
from gateway.store.tables import access_event, access_event_subject
from gateway.store.tables.case_facts import alarm_seen

_LATEST_MS = 600_000
"""A replica's record may become visible after a later one; none takes longer than this."""

# Asked every second, so made once: a statement with an EXISTS is a circle, of some 2.5 kB, that only the collector undoes.
_LAST = sa.select(sa.func.max(alarm_seen.c.event_id))
_UNSEEN = (
    sa.select(access_event)
    .where(
        access_event.c.inner_rule_ids != sa.literal_column("'[]'"),  # as in the partial index
        access_event.c.inner_rule_ids.contains(f'"{ALARM}', autoescape=True),
        access_event.c.id > sa.bindparam("after"),
        ~sa.exists().where(alarm_seen.c.event_id == access_event.c.id),
    )
    .order_by(access_event.c.id)
    .limit(sa.bindparam("most"))
)
_WHOSE = (
    sa.select(access_event_subject)
    .where(access_event_subject.c.event_id.in_(sa.bindparam("events", expanding=True)))
    .order_by(access_event_subject.c.subject_id)
)


class StoredAlarms:
    """Implements `gateway.services.alarms.Alarms`."""

    def __init__(self, database: Database, alerts: StoredAlerts) -> None:
        self._database, self._alerts = database, alerts

    async def waiting(self, most: int) -> Sequence[AlarmingEvent]:
        """See the port. Looks back ten minutes from the last one settled; without one, from the beginning."""
        async with self._database.read() as connection:
            after = _before(await connection.scalar(_LAST))
            rows = (await connection.execute(_UNSEEN, {"after": after, "most": most})).all()
            if not rows:
                return []
            whose = await connection.execute(_WHOSE, {"events": [row.id for row in rows]})
            subjects: dict[str, list[str]] = {}
            for pair in whose.all():
                subjects.setdefault(pair.event_id, []).append(pair.subject_id)
        return [_event(row, subjects.get(row.id, [])) for row in rows]

    async def settle(self, event: AlarmingEvent, alerts: Sequence[Alert]) -> bool:
        """See the port."""
        mine = (
            self._database.insert(alarm_seen)
            .values(event_id=event.id)
            .on_conflict_do_nothing()
            .returning(alarm_seen.c.event_id)
        )
        async with self._database.write() as connection:
            if await connection.scalar(mine) is None:
                return False
            for alert in alerts:
                await self._alerts.raise_within(connection, alert)
        return True


def _before(event_id: str | None) -> str:
    """The first id there could be ten minutes before `event_id`: ids begin with their milliseconds."""
    if event_id is None:
        return ""
    milliseconds = max((UUID(event_id).int >> 80) - _LATEST_MS, 0)
    return str(UUID(int=milliseconds << 80))


def _event(row: sa.Row[Any], subjects: Sequence[str]) -> AlarmingEvent:
    return AlarmingEvent(
        row.id,
        from_us(row.at_us),
        row.actor_org,
        row.actor_user,
        row.decision,
        row.purpose,
        row.case_no,
        subjects,
        orjson.loads(row.inner_rule_ids),
    )
