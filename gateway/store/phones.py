"""The phones persons were enrolled with: one live per person, sealed, found by the person only."""

from __future__ import annotations

import hmac
from datetime import datetime

import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.identities import EnrolledPhone
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import SubjectErased
from gateway.store.ids import from_us, random_id, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.subject_keys.columns import PersonalColumns, is_personal
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.tables import subject
from gateway.store.tables.identities import person_phone


class StoredPhones:
    """Implements `gateway.services.identities.Phones` and `gateway.services.enrol_person.Enrolments`."""

    def __init__(self, database: Database, keys: Keys, ring: SubjectKeys, clock: Clock) -> None:
        self._database, self._columns, self._clock = database, PersonalColumns(keys, ring), clock
        self._hmac_key = keys.derive("person_phone/hmac/v1")

    async def phone_of(self, subject_id: str) -> EnrolledPhone | None:
        """See the port. One that was sealed before there were persons' keys is sealed anew on the way."""
        live = (person_phone.c.subject_id == subject_id, person_phone.c.ended_at_us.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(person_phone).where(*live))).one_or_none()
        if row is None:
            return None
        phone = await self._columns.unseal(subject_id, _place(row.id), Sealed(row.phone_ct, row.key_id, row.alg_id))
        if not is_personal(row.alg_id):
            (sealed,) = await self._columns.seal(subject_id, (_place(row.id), phone))
            change = sa.update(person_phone).where(person_phone.c.id == row.id)
            async with self._database.write() as connection:
                await connection.execute(
                    change.values(phone_ct=sealed.ciphertext, key_id=sealed.key_id, alg_id=sealed.alg_id)
                )
        return EnrolledPhone(row.id, subject_id, phone.decode(), from_us(row.at_us), row.enrolled_by, row.enrolled_org)

    async def enrol(self, subject_id: str, phone: str, *, by: str, org: str, at: datetime) -> str:
        """The new phone's id; the one before ends in the same transaction, and both are evidenced. Raises SubjectErased.

        Of two officers who enrol one person at once the later commit's phone lives: they take turns on the person.
        """
        if not self._columns.ring.exists(subject_id):
            raise SubjectErased("this person was erased")
        phone_id, at_us = random_id(), to_us(at)
        (sealed,) = await self._columns.seal(subject_id, (_place(phone_id), phone.encode()))
        phone_hmac = hmac.digest(self._hmac_key, phone.encode(), "sha256")
        row = {
            "id": phone_id, "subject_id": subject_id, "phone_ct": sealed.ciphertext, "phone_hmac": phone_hmac,
            "key_id": sealed.key_id, "alg_id": sealed.alg_id, "enrolled_by": by, "enrolled_org": org, "at_us": at_us,
        }  # fmt: skip
        lock = sa.select(subject.c.subject_id).where(subject.c.subject_id == subject_id).with_for_update()
        live = (person_phone.c.subject_id == subject_id, person_phone.c.ended_at_us.is_(None))
        end = sa.update(person_phone).where(*live).values(ended_at_us=at_us)
        others = sa.select(sa.func.count(sa.distinct(person_phone.c.subject_id))).where(
            person_phone.c.phone_hmac == phone_hmac,
            person_phone.c.subject_id != subject_id,
            person_phone.c.ended_at_us.is_(None),
        )
        async with self._database.write() as connection:
            await connection.execute(lock)
            ended = (await connection.execute(end.returning(person_phone.c.id, person_phone.c.phone_hmac))).all()
            await connection.execute(sa.insert(person_phone).values(row))
            detail = {
                "replaces": [one.id for one in ended],
                "same_number": any(bytes(one.phone_hmac) == phone_hmac for one in ended),
                # Not refused: a refusal would tell whoever tries numbers whose they are. Supervisors see it here.
                "shared_with": await connection.scalar(others),
            }
            await record_change(connection, at, Change("PERSON_ENROLLED", phone_id, org, by, subject_id, detail))
        return phone_id


def _place(phone_id: str) -> Place:
    return Place("person_phone", "phone_ct", phone_id)
