"""Change events read back, page by page, by those who answer for them; that they were read is one of them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.change_history import ChangesAsked, LoggedChange
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.tables import alert, change_event
from gateway.store.tables.identities import organisation


class StoredChangeLog:
    """Implements `gateway.services.change_history.ChangeLog`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def read(self, asked: ChangesAsked, reader: Change) -> Sequence[LoggedChange]:
        """See the port. What was read, and that it was read, are one transaction."""
        query = sa.select(change_event).where(*shown(asked, reader.actor_user))
        async with self._database.write() as connection:
            rows = (await connection.execute(query.order_by(change_event.c.id).limit(asked.limit))).all()
            await record_change(connection, self._clock.now(), reader)
        return [
            LoggedChange(
                row.id, from_us(row.at_us), row.actor_org, row.actor_user, row.kind, row.object_id, row.subject_id,
                orjson.loads(row.detail),
            )
            for row in rows
        ]  # fmt: skip

    async def newest(self, object_id: str) -> str | None:
        """The id of the latest change of this object, which is its ledger entry's, too."""
        query = sa.select(sa.func.max(change_event.c.id)).where(change_event.c.object_id == object_id)
        async with self._database.read() as connection:
            found: str | None = await connection.scalar(query)
        return found


def shown(asked: ChangesAsked, user_id: str) -> list[sa.ColumnElement[bool]]:
    """Which rows of `change_event` that is, for this reader."""
    return [*_within(asked), *_wanted(asked), _not_ones_own_alerts(user_id)]


def _within(asked: ChangesAsked) -> list[sa.ColumnElement[bool]]:
    by_whom = change_event.c.actor_org
    if asked.everybody:
        return []
    if asked.org_id is not None:
        return [by_whom.in_({asked.org_id, ""} if asked.nobodys else {asked.org_id})]
    within = sa.select(organisation.c.org_id).where(
        organisation.c.kind.in_(sorted(asked.org_kinds)),
        organisation.c.jurisdiction.startswith(asked.jurisdiction, autoescape=True),
    )
    return [sa.or_(by_whom.in_(within), by_whom == "") if asked.nobodys else by_whom.in_(within)]


def _wanted(asked: ChangesAsked) -> list[sa.ColumnElement[bool]]:
    found = [sa.not_(change_event.c.kind.startswith(one, autoescape=True)) for one in asked.without]
    if asked.kind is not None:
        found.append(change_event.c.kind == asked.kind)
    if asked.object_id is not None:
        found.append(change_event.c.object_id == asked.object_id)
    if asked.starts_at is not None:
        found.append(change_event.c.at_us >= to_us(asked.starts_at))
    if asked.ends_at is not None:
        found.append(change_event.c.at_us < to_us(asked.ends_at))
    if asked.after is not None:
        found.append(change_event.c.id > asked.after)
    return found


def _not_ones_own_alerts(user_id: str) -> sa.ColumnElement[bool]:
    """Whom an alert is about never learns of it, nor that somebody took it on."""
    about_them = sa.select(alert.c.id).where(alert.c.about_id == user_id)
    return change_event.c.object_id.not_in(about_them)
