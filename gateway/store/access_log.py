"""Access events read back: by the person they are about, and by those who watch over officers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Change, Decision
from gateway.clock import Clock
from gateway.services.access_history import LoggedAccess, OfficerLog
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.tables import access_event, access_event_subject
from gateway.store.tables.identities import organisation


class StoredAccessLog:
    """Implements `gateway.services.access_history.AccessLog`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def of_subject(self, subject_id: str, *, before: str | None, limit: int) -> Sequence[LoggedAccess]:
        """See the port."""
        now_us = to_us(self._clock.now())
        query = (
            sa.select(access_event)
            .join(access_event_subject, access_event_subject.c.event_id == access_event.c.id)
            .where(
                access_event_subject.c.subject_id == subject_id,
                sa.or_(access_event.c.visible_from_us.is_(None), access_event.c.visible_from_us <= now_us),
            )
            .order_by(access_event_subject.c.event_id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(access_event_subject.c.event_id < before)
        async with self._database.read() as connection:
            return [_logged(row, ()) for row in (await connection.execute(query)).all()]

    async def of_officers(self, asked: OfficerLog, reader: Change) -> Sequence[LoggedAccess]:
        """See the port. What was read, and that it was read, are one transaction."""
        query = sa.select(access_event).where(access_event.c.actor_user != reader.actor_user)
        if asked.org_id is not None:
            query = query.where(access_event.c.actor_org == asked.org_id)
        else:
            query = query.join(organisation, organisation.c.org_id == access_event.c.actor_org).where(
                organisation.c.kind.in_(sorted(asked.org_kinds)),
                organisation.c.jurisdiction.startswith(asked.jurisdiction, autoescape=True),
            )
        if asked.officer is not None:
            query = query.where(access_event.c.actor_user == asked.officer)
        if asked.starts_at is not None:
            query = query.where(access_event.c.at_us >= to_us(asked.starts_at))
        if asked.ends_at is not None:
            query = query.where(access_event.c.at_us < to_us(asked.ends_at))
        if asked.after is not None:
            query = query.where(access_event.c.id > asked.after)
        query = query.where(access_event.c.consent_id.is_(None)).order_by(access_event.c.id).limit(asked.limit)
        async with self._database.write() as connection:
            rows = (await connection.execute(query)).all()
            whose = sa.select(access_event_subject).where(access_event_subject.c.event_id.in_([row.id for row in rows]))
            subjects: dict[str, list[str]] = {}
            for pair in (await connection.execute(whose.order_by(access_event_subject.c.subject_id))).all():
                subjects.setdefault(pair.event_id, []).append(pair.subject_id)
            await record_change(connection, self._clock.now(), reader)
        return [_logged(row, subjects.get(row.id, ())) for row in rows]


def _logged(row: sa.Row[Any], subjects: Sequence[str]) -> LoggedAccess:
    visible: datetime | None = None if row.visible_from_us is None else from_us(row.visible_from_us)
    return LoggedAccess(
        id=row.id,
        at=from_us(row.at_us),
        actor_org=row.actor_org,
        actor_user=row.actor_user,
        client_id=row.client_id,
        purpose=row.purpose,
        case_no=row.case_no,
        reference=row.reference,
        subjects=tuple(subjects),
        fields=tuple(orjson.loads(row.fields)),
        decision=Decision(row.decision),
        rule_ids=tuple(orjson.loads(row.rule_ids)),
        inner_rule_ids=tuple(orjson.loads(row.inner_rule_ids)),
        legal_basis=tuple(orjson.loads(row.legal_basis)),
        policy_version=row.policy_version,
        level=row.level,
        visible_from=visible,
        repeats=row.repeats,
        upstream=() if row.upstream is None else tuple(orjson.loads(row.upstream)),
    )
