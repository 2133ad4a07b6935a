"""Links, codes, sessions and devices of persons: hashes only, and each use one statement."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.consent.persons import CODE_TRIES, PersonLink, PersonSession
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys
from gateway.store.tables.consents import person_allowance, person_device, person_link, person_session


class StoredPersonAccess:
    """Implements `gateway.consent.persons.PersonAccess`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._code_key = keys.derive("person/one-time-code/v1")

    async def make_link(self, link: PersonLink) -> str:
        """See the port. What has run out is cleared away on the way."""
        token = secrets.token_urlsafe(32)
        row = {
            "token_hash": _hash(token), "subject_id": link.subject_id, "enrolment_id": link.enrolment_id,
            "consent_id": link.consent_id, "expires_at_us": to_us(link.expires_at),
        }  # fmt: skip
        past = sa.delete(person_link).where(person_link.c.expires_at_us <= self._now_us())
        async with self._database.write() as connection:
            await connection.execute(past)
            await connection.execute(sa.insert(person_link).values(row))
        return token

    async def link(self, token: str) -> PersonLink | None:
        """See the port."""
        live = (person_link.c.token_hash == _hash(token), person_link.c.expires_at_us > self._now_us())
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(person_link).where(*live))).one_or_none()
        if row is None:
            return None
        return PersonLink(row.subject_id, row.enrolment_id, row.consent_id, from_us(row.expires_at_us))

    async def set_code(self, token: str, code: str, until: datetime) -> bool:
        """See the port."""
        live = (person_link.c.token_hash == _hash(token), person_link.c.expires_at_us > self._now_us())
        change = {"code_hash": self._code(token, code), "code_expires_at_us": to_us(until), "code_tries": 0}
        async with self._database.write() as connection:
            done = await connection.execute(sa.update(person_link).where(*live).values(change))
        return bool(done.rowcount)

    async def spend_code(self, token: str, code: str) -> bool:
        """See the port."""
        here = person_link.c.token_hash == _hash(token)
        count = (
            sa.update(person_link)
            .where(
                here,
                person_link.c.expires_at_us > self._now_us(),
                person_link.c.code_hash.is_not(None),
                person_link.c.code_expires_at_us > self._now_us(),
                person_link.c.code_tries < CODE_TRIES,
            )
            .values(code_tries=person_link.c.code_tries + 1)
            .returning(person_link.c.code_hash)
        )
        async with self._database.write() as connection:
            kept = await connection.scalar(count)
        if kept is None or not hmac.compare_digest(bytes(kept), self._code(token, code)):
            return False
        take = sa.update(person_link).where(
            here, person_link.c.code_hash == kept
        )  # of equal codes at once, one is first
        async with self._database.write() as connection:
            done = await connection.execute(take.values(code_hash=None, code_expires_at_us=None))
        return bool(done.rowcount)

    async def open_session(self, session: PersonSession) -> str:
        """See the port. What has run out is cleared away on the way."""
        token = secrets.token_urlsafe(32)
        row = {
            "token_hash": _hash(token), "subject_id": session.subject_id, "enrolment_id": session.enrolment_id,
            "method": session.method, "expires_at_us": to_us(session.expires_at),
        }  # fmt: skip
        now_us = self._now_us()
        async with self._database.write() as connection:
            for table in (person_session, person_device):
                mine = (table.c.subject_id == session.subject_id, table.c.expires_at_us <= now_us)
                await connection.execute(sa.delete(table).where(*mine))
            await connection.execute(sa.insert(person_session).values(row))
        return token

    async def session(self, token: str) -> PersonSession | None:
        """See the port."""
        live = (person_session.c.token_hash == _hash(token), person_session.c.expires_at_us > self._now_us())
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(person_session).where(*live))).one_or_none()
        if row is None:
            return None
        return PersonSession(row.subject_id, row.enrolment_id, row.method, from_us(row.expires_at_us))

    async def close_session(self, token: str) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(person_session).where(person_session.c.token_hash == _hash(token)))

    async def remember_device(self, subject_id: str, enrolment_id: str, until: datetime) -> str:
        """See the port."""
        token = secrets.token_urlsafe(32)
        row = {
            "token_hash": _hash(token), "subject_id": subject_id, "enrolment_id": enrolment_id,
            "expires_at_us": to_us(until),
        }  # fmt: skip
        async with self._database.write() as connection:
            await connection.execute(sa.insert(person_device).values(row))
        return token

    async def knows_device(self, token: str, subject_id: str, enrolment_id: str) -> bool:
        """See the port."""
        known = sa.select(person_device.c.subject_id).where(
            person_device.c.token_hash == _hash(token),
            person_device.c.subject_id == subject_id,
            person_device.c.enrolment_id == enrolment_id,
            person_device.c.expires_at_us > self._now_us(),
        )
        async with self._database.read() as connection:
            return await connection.scalar(known) is not None

    async def forget_device(self, token: str) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(person_device).where(person_device.c.token_hash == _hash(token)))

    async def spend_message(self, subject_id: str, kind: str, *, span_s: int, most: int) -> bool:
        """See the port."""
        span = self._now_us() // (span_s * 1_000_000)
        row = {"subject_id": subject_id, "kind": kind, "span": span, "spent": 1}
        spend = self._database.insert(person_allowance).values(row)
        spend = spend.on_conflict_do_update(
            index_elements=["subject_id", "kind", "span"],
            set_={"spent": person_allowance.c.spent + 1},
            where=person_allowance.c.spent < most,
        )
        past = (person_allowance.c.subject_id == subject_id, person_allowance.c.span < span)
        async with self._database.write() as connection:
            await connection.execute(sa.delete(person_allowance).where(*past, person_allowance.c.kind == kind))
            return await connection.scalar(spend.returning(person_allowance.c.spent)) is not None

    def _code(self, token: str, code: str) -> bytes:
        """Keyed, and bound to its link: six digits are nothing to try out for whoever has stolen the table."""
        return hmac.digest(self._code_key, f"{token}\0{code}".encode(), "sha256")

    def _now_us(self) -> int:
        return to_us(self._clock.now())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
