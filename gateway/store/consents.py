"""Consents as append-only events. Whatever happens to one is one insert that one writer wins, evidenced beside it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.consent.consent import Consent, ConsentEvent, ConsentState, ReferenceTaken, Terms
from gateway.consent.ports import Answer, Asked, ConsentEnded, Unsettled
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import from_us, random_id, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.revocations import revoke
from gateway.store.tables.consents import consent, consent_event

ASKED, ANSWERED, ENDED = 1, 2, 3
"""`seq` of a consent's three possible events."""

_answered, _ended = consent_event.alias("answered"), consent_event.alias("ended")

IN_FORCE = (
    sa.select(consent)
    .join(_answered, sa.and_(_answered.c.consent_id == consent.c.consent_id, _answered.c.seq == ANSWERED))
    .outerjoin(_ended, sa.and_(_ended.c.consent_id == consent.c.consent_id, _ended.c.seq == ENDED))
    .where(_answered.c.state == ConsentState.GIVEN.value, _ended.c.seq.is_(None))
)
"""Given and not ended; `starts` and `until` are the reader's to compare."""

_UNANSWERED = (
    sa.select(consent)
    .outerjoin(_answered, sa.and_(_answered.c.consent_id == consent.c.consent_id, _answered.c.seq == ANSWERED))
    .where(_answered.c.seq.is_(None))
)
_EVENT = ("consent_id", "seq", "state", "at_us", "done_by", "method")


class StoredConsents:
    """Implements `gateway.consent.ports.Consents`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self._terms_key = keys.derive("consent/terms/v1")

    async def ask(self, terms: Terms, asked: Asked, answer_by: datetime) -> tuple[str, str]:
        """See the port."""
        now = self._clock.now()
        consent_id = random_id()
        person = orjson.dumps([asked.id_no, asked.name])
        (sealed,) = await self._keys.seal((_person_place(consent_id), person))
        digest = self._digest(terms, person)
        row = {
            "consent_id": consent_id, "request_id": random_id(), "person_ct": sealed.ciphertext,
            "key_id": sealed.key_id, "alg_id": sealed.alg_id, "client_id": terms.client_id, "org_id": terms.org_id,
            "purpose": terms.purpose, "items": orjson.dumps(terms.items).decode(), "from_us": to_us(terms.starts_at),
            "until_us": to_us(terms.until), "mode": terms.mode, "max_per_day": terms.max_per_day,
            "reference": terms.reference, "terms_digest": digest, "asked_at_us": to_us(now),
            "answer_by_us": to_us(answer_by),
        }  # fmt: skip
        make = self._database.insert(consent).values(row).on_conflict_do_nothing().returning(consent.c.request_id)
        same = sa.select(consent).where(consent.c.client_id == terms.client_id, consent.c.reference == terms.reference)
        async with self._database.write() as connection:
            made = await connection.scalar(make)
            if made is not None:
                event = _values(consent_id, ASKED, ConsentState.REQUESTED, now, "grantee", "api")
                await connection.execute(sa.insert(consent_event).values(event))
                await self._evidence(connection, now, "CONSENT_REQUESTED", consent_id, terms.org_id, terms.client_id)
                return str(made), consent_id
            found = (await connection.execute(same)).one()
        if not hmac.compare_digest(bytes(found.terms_digest), digest):
            raise ReferenceTaken
        return str(found.request_id), str(found.consent_id)

    async def unsettled(self, consent_id: str) -> Unsettled | None:
        """See the port."""
        async with self._database.read() as connection:
            query = sa.select(consent).where(consent.c.consent_id == consent_id)
            row = (await connection.execute(query)).one_or_none()
        if row is None or row.person_ct is None:
            return None
        sealed = Sealed(row.person_ct, row.key_id, row.alg_id)
        id_no, name = orjson.loads(await self._keys.unseal(_person_place(consent_id), sealed))
        return Unsettled(Asked(id_no, name), row.org_id, from_us(row.answer_by_us))

    async def settle(self, consent_id: str, subject_id: str | None) -> None:
        """See the port."""
        change = sa.update(consent).where(consent.c.consent_id == consent_id, consent.c.subject_id.is_(None))
        async with self._database.write() as connection:
            await connection.execute(change.values(subject_id=subject_id, person_ct=None, key_id=None, alg_id=None))

    async def who_agreed(self, client_id: str, subjects: Sequence[str]) -> frozenset[str]:
        """Implements `gateway.services.partner_limits.ConsentsHeld`."""
        now_us = to_us(self._clock.now())
        held = IN_FORCE.where(
            consent.c.client_id == client_id,
            consent.c.subject_id.in_(sorted(set(subjects))),
            consent.c.from_us <= now_us,
            consent.c.until_us > now_us,
        ).with_only_columns(consent.c.subject_id)
        async with self._database.read() as connection:
            return frozenset((await connection.scalars(held)).all())

    async def put_since(self, subject_id: str, org_id: str, since: datetime) -> tuple[int, int]:
        """See the port."""
        put = sa.select(consent.c.org_id).where(
            consent.c.subject_id == subject_id, consent.c.asked_at_us >= to_us(since)
        )
        async with self._database.read() as connection:
            found = (await connection.scalars(put)).all()
        return found.count(org_id), len(found)

    async def request(self, client_id: str, request_id: str) -> Consent | None:
        """See the port."""
        found = await self._read(consent.c.client_id == client_id, consent.c.request_id == request_id)
        return found[0] if found else None

    async def of_person(self, subject_id: str, consent_id: str) -> Consent | None:
        """See the port."""
        found = await self._read(consent.c.subject_id == subject_id, consent.c.consent_id == consent_id)
        return found[0] if found else None

    async def all_of(self, subject_id: str) -> Sequence[Consent]:
        """See the port."""
        return await self._read(consent.c.subject_id == subject_id)

    async def answer(self, consent: Consent, answer: Answer) -> Sequence[ConsentEnded] | None:
        """See the port."""
        now = self._clock.now()
        subject_id, terms = consent.subject_id, consent.terms
        if subject_id is None or not consent.open(now):
            return None
        event = _values(consent.consent_id, ANSWERED, answer.state, now, "principal", answer.method) | {
            "notice_version": answer.notice_version, "notice_sha256": answer.notice_sha256,
            "language": answer.language,
        }  # fmt: skip
        if answer.receipt is not None:
            (sealed,) = await self._keys.seal((_receipt_place(consent.consent_id), answer.receipt.encode()))
            event |= {"receipt_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id}
        add = self._database.insert(consent_event).values(event).on_conflict_do_nothing()
        async with self._database.write() as connection:
            await self._in_turn(connection, subject_id, terms)
            if await connection.scalar(add.returning(consent_event.c.seq)) is None:
                return None
            kind = f"CONSENT_{answer.state.name}"
            await self._evidence(connection, now, kind, consent.consent_id, "", "", subject_id)
            if answer.state is not ConsentState.GIVEN:
                return ()
            older = _older_than(consent.consent_id, subject_id, terms)
            return await self._end(connection, older, ConsentState.SUPERSEDED, "system", "newer_consent", now)

    async def withdraw(self, subject_id: str, consent_id: str, method: str) -> ConsentEnded | None:
        """See the port."""
        now = self._clock.now()
        mine = IN_FORCE.where(consent.c.subject_id == subject_id, consent.c.consent_id == consent_id)
        async with self._database.write() as connection:
            ended = await self._end(connection, mine, ConsentState.WITHDRAWN, "principal", method, now)
        return ended[0] if ended else None

    async def end_due(self) -> Sequence[ConsentEnded]:
        """See the port."""
        now = self._clock.now()
        past = IN_FORCE.where(consent.c.until_us <= to_us(now))
        unanswered = _UNANSWERED.where(sa.or_(consent.c.answer_by_us <= to_us(now), consent.c.until_us <= to_us(now)))
        async with self._database.read() as connection:  # nothing due costs two reads, not a write lock
            due = [await connection.scalar(query.limit(1)) for query in (past, unanswered)]
        if due == [None, None]:
            return ()
        async with self._database.write() as connection:
            for row in (await connection.execute(unanswered.order_by(consent.c.consent_id))).all():
                event = _values(row.consent_id, ANSWERED, ConsentState.EXPIRED, now, "system", "clock")
                add = self._database.insert(consent_event).values(event).on_conflict_do_nothing()
                if await connection.scalar(add.returning(consent_event.c.seq)) is not None:
                    await self._evidence(connection, now, "CONSENT_EXPIRED", row.consent_id, "", "", row.subject_id)
            return await self._end(connection, past, ConsentState.EXPIRED, "system", "clock", now)

    async def receipt(self, subject_id: str, consent_id: str) -> str | None:
        """See the port."""
        query = (
            sa.select(consent_event)
            .join(consent, consent.c.consent_id == consent_event.c.consent_id)
            .where(consent.c.subject_id == subject_id, consent.c.consent_id == consent_id)
            .where(consent_event.c.seq == ANSWERED, consent_event.c.receipt_ct.is_not(None))
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        sealed = Sealed(row.receipt_ct, row.key_id, row.alg_id)
        return (await self._keys.unseal(_receipt_place(consent_id), sealed)).decode()

    async def _end(
        self,
        connection: AsyncConnection,
        which: sa.Select[Any],
        state: ConsentState,
        by: str,
        method: str,
        at: datetime,
    ) -> list[ConsentEnded]:
        ended = []
        for row in (await connection.execute(which.order_by(consent.c.consent_id))).all():
            event = _values(row.consent_id, ENDED, state, at, by, method)
            add = self._database.insert(consent_event).values(event).on_conflict_do_nothing()
            if await connection.scalar(add.returning(consent_event.c.seq)) is None:
                continue  # somebody else was first
            kind = f"CONSENT_{state.name}"
            await self._evidence(connection, at, kind, row.consent_id, "", "", row.subject_id)
            await revoke(connection, "consent", row.consent_id, at)  # tokens that rest on it die with it, not after it
            ended.append(ConsentEnded(row.consent_id, row.client_id, row.subject_id, state, at))
        return ended

    async def _in_turn(self, connection: AsyncConnection, subject_id: str, terms: Terms) -> None:
        """Two consents given at once to one grantee for one purpose take turns, or neither would see the other."""
        if not self._database.is_sqlite:
            key = f"consent/{subject_id}/{terms.client_id}/{terms.purpose}"
            lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
            await connection.execute(lock, {"key": key})

    async def _read(self, *which: sa.ColumnElement[bool]) -> list[Consent]:
        query = (
            sa.select(consent, consent_event)
            .join(consent_event, consent_event.c.consent_id == consent.c.consent_id)
            .where(*which)
            .order_by(consent.c.asked_at_us.desc(), consent.c.consent_id, consent_event.c.seq)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return list(_consents(rows))

    async def _evidence(
        self,
        connection: AsyncConnection,
        at: datetime,
        kind: str,
        consent_id: str,
        org_id: str,
        client_id: str,
        subject_id: str | None = None,
    ) -> None:
        """Whoever reads changes must not learn from the actor who refused: persons act as nobody, under their subject."""
        actor = client_id or "person"
        await record_change(connection, at, Change(kind, consent_id, org_id, actor, subject_id))

    def _digest(self, terms: Terms, person: bytes) -> bytes:
        """When it starts is when it was asked, so that is no part of what makes two requests the same."""
        said = [
            terms.org_id, terms.purpose, terms.items, to_us(terms.until), terms.mode, terms.max_per_day,
            terms.reference,
        ]  # fmt: skip
        return hmac.digest(self._terms_key, orjson.dumps(said) + b"\0" + person, "sha256")


def _older_than(consent_id: str, subject_id: str, terms: Terms) -> sa.Select[Any]:
    return IN_FORCE.where(
        consent.c.subject_id == subject_id,
        consent.c.client_id == terms.client_id,
        consent.c.purpose == terms.purpose,
        consent.c.consent_id != consent_id,
    )


def _values(consent_id: str, seq: int, state: ConsentState, at: datetime, by: str, method: str) -> dict[str, Any]:
    return dict(zip(_EVENT, (consent_id, seq, state.value, to_us(at), by, method), strict=True))


def _consents(rows: Iterable[Any]) -> Iterable[Consent]:
    """Rows of one consent stand together, its events in order."""
    held: dict[str, list[Any]] = {}
    for row in rows:
        held.setdefault(row.consent_id, []).append(row)
    for events in held.values():
        row = events[0]
        yield Consent(
            consent_id=row.consent_id,
            request_id=row.request_id,
            subject_id=row.subject_id,
            terms=Terms(
                client_id=row.client_id,
                org_id=row.org_id,
                purpose=row.purpose,
                items=tuple(orjson.loads(row.items)),
                starts_at=from_us(row.from_us),
                until=from_us(row.until_us),
                mode=row.mode,
                max_per_day=row.max_per_day,
                reference=row.reference,
            ),
            asked_at=from_us(row.asked_at_us),
            answer_by=from_us(row.answer_by_us),
            events=tuple(
                ConsentEvent(
                    ConsentState(one.state),
                    from_us(one.at_us),
                    one.done_by,
                    one.method,
                    one.notice_version,
                    one.notice_sha256,
                    one.language,
                )
                for one in events
            ),
        )


def _person_place(consent_id: str) -> Place:
    return Place("consent", "person_ct", consent_id)


def _receipt_place(consent_id: str) -> Place:
    return Place("consent_event", "receipt_ct", consent_id)
