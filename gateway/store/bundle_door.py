"""Who may have evidence of an access: one statement, the same for what is not there and for what belongs to others."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.ledger.bundles import Reach, Role
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables import access_event, access_event_subject
from gateway.store.tables.identities import organisation


class StoredBundleDoor:
    """Implements `gateway.services.ledger.bundles.BundleDoor`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def officer(self, entry_id: str, reach: Reach) -> Role | None:
        """See the port. Whoever watches does not watch themselves."""
        event = access_event.c
        own = sa.and_(event.actor_user == reach.user_id, event.actor_org == reach.org_id)
        whose: sa.ColumnElement[bool] = sa.false()
        if reach.watches_org:
            whose = event.actor_org == reach.watches_org
        elif reach.watches_jurisdiction:
            whose = sa.and_(
                organisation.c.kind.in_(sorted(reach.org_kinds)),
                organisation.c.jurisdiction.startswith(reach.watches_jurisdiction, autoescape=True),
            )
        watched = sa.and_(event.actor_user != reach.user_id, event.consent_id.is_(None), whose)
        query = (
            sa.select(own.label("own"))
            .select_from(access_event)
            .join(organisation, organisation.c.org_id == event.actor_org, isouter=True)
            .where(event.id == entry_id, sa.or_(own, watched))
        )
        async with self._database.read() as connection:
            found = await connection.scalar(query)
        if found is None:
            return None
        return Role.ASKER if found else Role.WATCHER

    async def person(self, entry_id: str, subject_id: str) -> bool:
        """See the port."""
        event, about = access_event.c, access_event_subject.c
        shown = sa.or_(event.visible_from_us.is_(None), event.visible_from_us <= to_us(self._clock.now()))
        query = (
            sa.select(event.id)
            .join(access_event_subject, about.event_id == event.id)
            .where(about.subject_id == subject_id, about.event_id == entry_id, shown)
        )
        async with self._database.read() as connection:
            return await connection.scalar(query) is not None

    async def was_read(self, reading: Change) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await record_change(connection, self._clock.now(), reading)
