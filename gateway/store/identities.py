"""Reads who there is. What changes it stands in `identity_changes`, the phones in `phones`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.services.identities import OfficerRecord, Organisation, fold_login
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.tables.identities import officer, officer_post, organisation, post

_OFFICER = sa.select(
    officer,
    organisation.c.kind.label("org_kind"),
    organisation.c.jurisdiction,
    organisation.c.active.label("org_active"),
).join(organisation, organisation.c.org_id == officer.c.org_id)
_POSTS = sa.select(
    officer_post.c.code,
    post.c.roles,
    post.c.purposes,
    officer_post.c.from_us,
    officer_post.c.to_us,
    post.c.from_us.label("post_from_us"),
    post.c.to_us.label("post_to_us"),
).join(post, sa.and_(post.c.org_id == officer_post.c.org_id, post.c.code == officer_post.c.code))


class StoredIdentities:
    """Implements `gateway.services.identities.Officers` and `Organisations`, live: nothing is remembered."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock

    async def officer_by_login(self, login: str) -> OfficerRecord | None:
        """See the port."""
        if "\0" in login:  # no text to PostgreSQL, and no fault of the database's
            return None
        return await self._one(officer.c.login == fold_login(login))

    async def officer_by_external_id(self, external_id: str) -> OfficerRecord | None:
        """See the port."""
        return await self._one(officer.c.external_id == external_id)

    async def officer(self, user_id: str) -> OfficerRecord | None:
        """See the port."""
        return await self._one(officer.c.user_id == user_id)

    async def officers(self, org_id: str | None = None) -> Sequence[OfficerRecord]:
        """All of them, or those of one organisation, by login. For lists, not for requests."""
        asked = _OFFICER.order_by(officer.c.login)
        if org_id is not None:
            asked = asked.where(officer.c.org_id == org_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(asked)).all()
            return [await self._record(connection, row) for row in rows]

    async def organisation(self, org_id: str) -> Organisation | None:
        """See the port."""
        async with self._database.read() as connection:
            query = sa.select(organisation).where(organisation.c.org_id == org_id)
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else organisation_of(row)

    async def organisations(self) -> Sequence[Organisation]:
        """See the port."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(organisation).order_by(organisation.c.org_id))).all()
        return [organisation_of(row) for row in rows]

    async def _one(self, which: sa.ColumnElement[bool]) -> OfficerRecord | None:
        async with self._database.read() as connection:
            row = (await connection.execute(_OFFICER.where(which))).one_or_none()
            return None if row is None else await self._record(connection, row)

    async def _record(self, connection: AsyncConnection, row: sa.Row[Any]) -> OfficerRecord:
        held = _POSTS.where(officer_post.c.user_id == row.user_id, officer_post.c.org_id == row.org_id)
        rows = (await connection.execute(held)).all()
        now_us = to_us(self._clock.now())
        posts = [one for one in rows if _holds(one, now_us)]
        edges = [
            edge
            for one in rows
            for edge in (one.from_us, one.to_us, one.post_from_us, one.post_to_us)
            if edge is not None and edge > now_us
        ]
        roles = frozenset(orjson.loads(row.roles)).union(*(orjson.loads(one.roles) for one in posts))
        sealed = Sealed(row.name_ct, row.key_id, row.alg_id)
        return OfficerRecord(
            user_id=row.user_id,
            login=row.login,
            org_id=row.org_id,
            org_kind=row.org_kind,
            jurisdiction=row.jurisdiction,
            name=(await self._keys.unseal(name_place(row.user_id), sealed)).decode(),
            roles=roles,
            posts=frozenset(one.code for one in posts),
            purposes=frozenset[str]().union(*(orjson.loads(one.purposes) for one in posts)),
            active=bool(row.active and row.org_active),
            subject_id=row.subject_id,
            until=from_us(min(edges)) if edges else None,
        )


def _holds(row: Any, now_us: int) -> bool:
    """Whether the post exists and is held now. `to` is the first instant it is not."""
    begun = all(edge is None or edge <= now_us for edge in (row.from_us, row.post_from_us))
    return begun and all(edge is None or now_us < edge for edge in (row.to_us, row.post_to_us))


def organisation_of(row: sa.Row[Any]) -> Organisation:
    return Organisation(
        org_id=row.org_id,
        name_zh=row.name_zh,
        kind=row.kind,
        name_en=row.name_en,
        uscc=row.uscc,
        jurisdiction=row.jurisdiction,
        parent_id=row.parent_id,
        agency_keys=orjson.loads(row.agency_keys),
        purposes=frozenset(orjson.loads(row.purposes)),
        active=bool(row.active),
    )


def name_place(user_id: str) -> Place:
    return Place("officer", "name_ct", user_id)
