"""What erasing a person does to the database; each step is one transaction and harmless when done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.services.erase_person import Erasure
from gateway.store.changes import record_change
from gateway.store.credentials.erasing import erase_credentials
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import SubjectUnknown
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys
from gateway.store.revocations import revoke
from gateway.store.subject_keys.stored import StoredSubjectKeys
from gateway.store.subject_keys.tree import leaf_of
from gateway.store.tables import subject
from gateway.store.tables.case_facts import break_glass
from gateway.store.tables.consents import (
    consent,
    consent_event,
    person_allowance,
    person_device,
    person_link,
    person_session,
)
from gateway.store.tables.identities import device, person_phone
from gateway.store.tables.subject_keys import subject_erasure as table
from gateway.store.tables.subject_keys import subject_key_destroyed

_GIVEN, _ENDED = 2, 3


class StoredErasures:
    """Implements `gateway.services.erase_person.Erasures`."""

    def __init__(
        self, database: Database, keys: Keys, subject_keys: StoredSubjectKeys, pid: Callable[[str, str], str]
    ) -> None:
        self._database, self._keys, self._subject_keys, self._pid = database, keys, subject_keys, pid

    async def begin(self, subject_id: str, change: Change, at: datetime) -> Erasure:
        """See the port. That the key is to be destroyed stands in the same transaction."""
        at_us = to_us(at)
        known = sa.select(subject.c.subject_id).where(subject.c.subject_id == subject_id).with_for_update()
        async with self._database.write() as connection:
            if await connection.scalar(known) is None:
                raise SubjectUnknown("no subject of this id")
            before = (await connection.execute(sa.select(table).where(table.c.subject_id == subject_id))).one_or_none()
            if before is not None:
                return _erasure(before)
            change_id = await record_change(connection, at, change)
            row = {"subject_id": subject_id, "change_id": change_id, "begun_at_us": at_us}
            await connection.execute(sa.insert(table).values(row))
            leaf = {"leaf": f"{leaf_of(subject_id):x}", "at_us": at_us}
            destroyed = self._database.insert(subject_key_destroyed).values(leaf).on_conflict_do_nothing()
            await connection.execute(destroyed)
        return Erasure(subject_id, change_id, from_us(at_us))

    async def destroy_key(self, subject_id: str) -> None:
        await self._subject_keys.destroy(subject_id)

    async def clear(self, subject_id: str, at: datetime) -> Mapping[str, int]:
        """See the port."""
        nothing = {"id_no_ct": None, "name_ct": None, "key_id": None, "alg_id": None}
        removed: dict[str, int] = {"key": 1}
        async with self._database.write() as connection:
            mine = sa.and_(subject.c.subject_id == subject_id, subject.c.id_no_ct.is_not(None))
            removed["identity"] = await _count(connection, sa.update(subject).where(mine).values(nothing))
            for name, one in (
                ("phones", person_phone),
                ("links", person_link),
                ("sessions", person_session),
                ("devices", person_device),
                ("allowances", person_allowance),
            ):
                removed[name] = await _count(connection, sa.delete(one).where(one.c.subject_id == subject_id))
            removed["devices_bound"] = await self._unbind(connection, subject_id, at)
            removed["consents"] = await self._end_consents(connection, subject_id, at)
            removed["reasons"] = await self._empty_reasons(connection, subject_id)
            removed |= await erase_credentials(connection, subject_id, at)
        return removed

    async def finish(self, subject_id: str, at: datetime) -> Erasure:
        """See the port; the first end stays."""
        open_ = sa.and_(table.c.subject_id == subject_id, table.c.done_at_us.is_(None))
        async with self._database.write() as connection:
            await connection.execute(sa.update(table).where(open_).values(done_at_us=to_us(at)))
            return _erasure((await connection.execute(sa.select(table).where(table.c.subject_id == subject_id))).one())

    async def by_pid(self, pid: str, org_id: str) -> str | None:
        """The subject a body knows under this pid: looks at everybody, as nothing is kept that leads back."""
        async with self._database.read() as connection:
            for subject_id in await connection.scalars(sa.select(subject.c.subject_id)):
                if self._pid(subject_id, org_id) == pid:
                    return str(subject_id)
        return None

    async def unfinished(self) -> Sequence[Erasure]:
        async with self._database.read() as connection:
            return [
                _erasure(row) for row in await connection.execute(sa.select(table).where(table.c.done_at_us.is_(None)))
            ]

    async def _unbind(self, connection: AsyncConnection, subject_id: str, at: datetime) -> int:
        mine = sa.update(device).where(device.c.subject_id == subject_id)
        ended = sa.func.coalesce(device.c.bound_to_us, to_us(at))
        return await _count(connection, mine.values(subject_id=None, bound_to_us=ended))

    async def _end_consents(self, connection: AsyncConnection, subject_id: str, at: datetime) -> int:
        """Those in force end like any other, with their tokens; what is left of all of them are terms without a person."""
        mine = sa.select(consent.c.consent_id).where(consent.c.subject_id == subject_id)
        ids: list[str] = list(await connection.scalars(mine))
        given = sa.select(consent_event.c.consent_id).where(
            consent_event.c.consent_id.in_(ids), consent_event.c.seq == _GIVEN, consent_event.c.state == "given"
        )
        for consent_id in list(await connection.scalars(given)):
            event = {
                "consent_id": consent_id, "seq": _ENDED, "state": "withdrawn", "at_us": to_us(at), "done_by": "system",
                "method": "erasure",
            }  # fmt: skip
            add = self._database.insert(consent_event).values(event).on_conflict_do_nothing()
            if await connection.scalar(add.returning(consent_event.c.seq)) is not None:
                await record_change(connection, at, Change("CONSENT_WITHDRAWN", consent_id, "", "person"))
                await revoke(connection, "consent", consent_id, at)
        no_receipt = {"receipt_ct": None, "key_id": None, "alg_id": None}
        await connection.execute(sa.update(consent_event).where(consent_event.c.consent_id.in_(ids)).values(no_receipt))
        no_person = {"subject_id": None, "person_ct": None, "key_id": None, "alg_id": None}
        await connection.execute(sa.update(consent).where(consent.c.consent_id.in_(ids)).values(no_person))
        return len(ids)

    async def _empty_reasons(self, connection: AsyncConnection, subject_id: str) -> int:
        ids = list(await connection.scalars(sa.select(break_glass.c.id).where(break_glass.c.subject_id == subject_id)))
        for one in ids:
            (empty,) = await self._keys.seal((Place("break_glass", "reason_ct", one), b""))
            values = {"reason_ct": empty.ciphertext, "key_id": empty.key_id, "alg_id": empty.alg_id}
            await connection.execute(sa.update(break_glass).where(break_glass.c.id == one).values(values))
        return len(ids)


async def _count(connection: AsyncConnection, statement: Any) -> int:
    return int((await connection.execute(statement)).rowcount)


def _erasure(row: sa.Row[Any]) -> Erasure:
    done = None if row.done_at_us is None else from_us(row.done_at_us)
    return Erasure(row.subject_id, row.change_id, from_us(row.begun_at_us), done)
