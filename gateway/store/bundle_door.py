"""Who may have evidence of an access, a change or an alert: one statement, the same for what is not there and for what belongs to others."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.ledger.bundles import OWN_DOING, Reach, Role
from gateway.store.alert_log import seen_by
from gateway.store.change_log import shown
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables import access_event, access_event_subject, alert, change_event
from gateway.store.tables.identities import organisation


class StoredBundleDoor:
    """Implements `gateway.services.ledger.bundles.BundleDoor`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def officer(self, entry_id: str, reach: Reach) -> Role | None:
        """See the port. Whoever watches does not watch themselves."""
        query = sa.union_all(_access(entry_id, reach), _change(entry_id, reach), _alert(entry_id, reach))
        async with self._database.read() as connection:
            found = await connection.scalar(query)
        if found is None:
            return None
        return Role.ASKER if found else Role.WATCHER

    async def person(self, entry_id: str, subject_id: str) -> bool:
        """See the port."""
        event, about, change = access_event.c, access_event_subject.c, change_event.c
        visible = sa.or_(event.visible_from_us.is_(None), event.visible_from_us <= to_us(self._clock.now()))
        access = (
            sa.select(event.id)
            .join(access_event_subject, about.event_id == event.id)
            .where(about.subject_id == subject_id, about.event_id == entry_id, visible)
        )
        own = sa.select(change.id).where(change.id == entry_id, *_own_doing(subject_id, *OWN_DOING.values()))
        async with self._database.read() as connection:
            return await connection.scalar(sa.union_all(access, own)) is not None

    async def of_consent(self, consent_id: str, subject_id: str, kind: str) -> str | None:
        """See the port."""
        change = change_event.c
        query = sa.select(sa.func.max(change.id)).where(change.object_id == consent_id, *_own_doing(subject_id, kind))
        async with self._database.read() as connection:
            found: str | None = await connection.scalar(query)
        return found

    async def was_read(self, reading: Change) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await record_change(connection, self._clock.now(), reading)


def _own_doing(subject_id: str, *kinds: str) -> list[sa.ColumnElement[bool]]:
    change = change_event.c
    return [change.subject_id == subject_id, change.actor_user == "person", change.kind.in_(kinds)]


def _access(entry_id: str, reach: Reach) -> sa.Select[bool]:
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
    return (
        sa.select(own.label("own"))
        .select_from(access_event)
        .join(organisation, organisation.c.org_id == event.actor_org, isouter=True)
        .where(event.id == entry_id, sa.or_(own, watched))
    )


def _change(entry_id: str, reach: Reach) -> sa.Select[bool]:
    change = change_event.c
    own = sa.and_(change.actor_user == reach.user_id, change.actor_org == reach.org_id)
    watched = sa.false() if reach.changes is None else sa.and_(*shown(reach.changes, reach.user_id))
    return sa.select(own.label("own")).where(change.id == entry_id, sa.or_(own, watched))


def _alert(entry_id: str, reach: Reach) -> sa.Select[bool]:
    watched = sa.false() if reach.alerts is None else sa.and_(*seen_by(reach.alerts))
    return sa.select(sa.false().label("own")).where(alert.c.id == entry_id, watched)
