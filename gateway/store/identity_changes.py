"""Changes to organisations, posts, officers and devices: one transaction, one at a time, each with its record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.identities import Organisation
from gateway.services.identity_plan import IdentityChange, Plan
from gateway.services.identity_records import DeviceEntry, OfficerEntry, PostRecord, Records
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.identities import name_place
from gateway.store.identity_state import read_state, words
from gateway.store.ids import random_id, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.oauth_clients import void_readings
from gateway.store.tables.identities import device, officer, officer_post, organisation, post

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('identities', 0))")


class StoredIdentityChanges:
    """Implements `gateway.services.import_identities.IdentityChanges`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock

    async def change(self, make: Callable[[Records], Plan], *, actor_org: str, actor_user: str, dry_run: bool) -> Plan:
        """See the port."""
        if dry_run:
            async with self._database.read() as connection:
                return make(await read_state(connection, self._keys))
        async with self._database.write() as connection:
            if not self._database.is_sqlite:  # SQLite's one writer is alone already
                await connection.execute(_LOCK)
            held = await read_state(connection, self._keys)
            plan = make(held)
            if plan.faults:
                return plan
            doing = _Doing(self._database, self._keys, connection, self._clock.now(), held)
            await doing.free_what_is_unique(plan)
            for one in plan.changes:
                object_id, subject_id = await doing.put(one)
                if isinstance(one.after, Organisation):
                    await void_readings(connection, one.after.org_id, doing.at)
                detail = one.detail() | doing.holder(one)
                change = Change(one.kind, object_id, actor_org, actor_user, subject_id, detail)
                await record_change(connection, doing.at, change)
        return plan

    async def was_read(self, reader: Change) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await record_change(connection, self._clock.now(), reader)


class _Doing:
    """One transaction's work."""

    def __init__(
        self, database: Database, keys: Keys, connection: AsyncConnection, at: datetime, held: Records
    ) -> None:
        self._insert = database.insert
        self._keys, self._connection, self.at = keys, connection, at
        self._at_us = to_us(at)
        self._user_ids = {login: one.user_id for login, one in held.officers.items()}

    async def free_what_is_unique(self, plan: Plan) -> None:
        """Two records may swap a code in one import; for a moment neither has it."""
        for one in plan.changes:
            if one.before is not None and "uscc" in one.changed:
                which = organisation.c.org_id == one.object_id
                await self._connection.execute(sa.update(organisation).where(which).values(uscc=None))
            if one.before is not None and "external_id" in one.changed:
                which = officer.c.login == one.object_id
                await self._connection.execute(sa.update(officer).where(which).values(external_id=None))

    async def put(self, change: IdentityChange) -> tuple[str, str | None]:
        """The opaque id the record is evidenced by, and the person it is about, if any."""
        match change.after:
            case Organisation():
                await self._organisation(change.after)
                return change.object_id, None
            case PostRecord():
                await self._post(change.after)
                return change.object_id, None
            case OfficerEntry():
                return await self._officer(change.after), None
            case DeviceEntry():
                await self._device(change.before, change.after)
                return change.object_id, change.after.subject_id
        raise TypeError(type(change.after).__name__)

    def holder(self, change: IdentityChange) -> dict[str, str]:
        """The officer who has the device now, by opaque id."""
        login = change.after.login if isinstance(change.after, DeviceEntry) else None
        return {} if login is None else {"officer": self._user_ids[login]}

    async def _organisation(self, one: Organisation) -> None:
        values = {
            "name_zh": one.name_zh, "name_en": one.name_en, "uscc": one.uscc, "kind": one.kind,
            "jurisdiction": one.jurisdiction, "parent_id": one.parent_id, "agency_keys": words(one.agency_keys),
            "purposes": words(one.purposes), "active": one.active, "updated_at_us": self._at_us,
        }  # fmt: skip
        put = self._insert(organisation).values(org_id=one.org_id, **values)
        await self._connection.execute(put.on_conflict_do_update(index_elements=["org_id"], set_=values))

    async def _post(self, one: PostRecord) -> None:
        values = {
            "title_zh": one.title_zh, "title_en": one.title_en, "roles": words(one.roles),
            "purposes": words(one.purposes), "from_us": _us(one.from_), "to_us": _us(one.to),
        }  # fmt: skip
        put = self._insert(post).values(org_id=one.org_id, code=one.code, **values)
        await self._connection.execute(put.on_conflict_do_update(index_elements=["org_id", "code"], set_=values))

    async def _officer(self, one: OfficerEntry) -> str:
        user_id = self._user_ids.setdefault(one.login, random_id())
        sealed: Sealed
        (sealed,) = await self._keys.seal((name_place(user_id), one.name.encode()))
        values = {
            "org_id": one.org_id, "login": one.login, "external_id": one.external_id, "subject_id": one.subject_id,
            "name_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id,
            "roles": words(one.roles), "active": one.active, "updated_at_us": self._at_us,
        }  # fmt: skip
        put = self._insert(officer).values(user_id=user_id, **values)
        await self._connection.execute(sa.delete(officer_post).where(officer_post.c.user_id == user_id))
        await self._connection.execute(put.on_conflict_do_update(index_elements=["user_id"], set_=values))
        for held in one.posts:
            row = {
                "user_id": user_id, "org_id": one.org_id, "code": held.code,
                "from_us": _us(held.from_), "to_us": _us(held.to),
            }  # fmt: skip
            await self._connection.execute(sa.insert(officer_post).values(row))
        return user_id

    async def _device(self, before: DeviceEntry | None, after: DeviceEntry) -> None:
        """A binding is never rewritten: the one before ends, another begins."""
        bound = (device.c.device_id == after.device_id, device.c.bound_to_us.is_(None))
        await self._connection.execute(sa.update(device).where(*bound).values(bound_to_us=self._at_us))
        if after.login is None and after.subject_id is None:
            return
        row = {
            "id": random_id(), "device_id": after.device_id, "kind": after.kind, "org_id": after.org_id,
            "user_id": self._user_ids.get(after.login) if after.login is not None else None,
            "subject_id": after.subject_id, "bound_from_us": self._at_us,
        }  # fmt: skip
        await self._connection.execute(sa.insert(device).values(row))


def _us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)
