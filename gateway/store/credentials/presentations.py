"""Requests to show something and what came of them: every step one conditional update; results are sealed and go once."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.presenting.ports import CLERK, DONE_STEPS, Outcome, Presentation, Secrets, Step, Taken
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.oauth_secrets import kept
from gateway.store.tables.credentials import presentation as table

_PURGE_EVERY_S = 60.0
_PURGE_STEP = 500
_KEPT_US = 24 * 3600 * 1_000_000
"""What became of a request may be asked for a day; its result is gone with its end, whichever comes first."""


class StoredPresentations:
    """Implements `gateway.services.presenting.ports.Presentations`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock, *, result_s: int = 600) -> None:
        """`result_s`: how long after a request's end its result may still be fetched."""
        self._database, self._keys, self._clock = database, keys, clock
        self._result_us = result_s * 1_000_000
        self._purged = time.monotonic()

    async def add(self, presentation: Presentation) -> None:
        """See the port."""
        if presentation.secrets is None:
            raise ValueError("a request has its secrets")
        (sealed,) = await self._keys.seal(
            (_place("encryption_ct", presentation.presentation_id), orjson.dumps(asdict(presentation.secrets)))
        )
        row = {
            "presentation_id": presentation.presentation_id,
            "request_ref": presentation.request_ref,
            "response_ref": presentation.response_ref,
            "client_id": presentation.client_id,
            "org_id": presentation.org_id,
            "actor_user": presentation.actor_user,
            "template": presentation.template,
            "purpose": presentation.purpose,
            "file_mark": presentation.file_mark,
            "dcql": orjson.dumps(dict(presentation.dcql)).decode(),
            "profile": presentation.profile,
            "same_device": presentation.same_device,
            "return_to": presentation.return_to,
            "nonce": presentation.nonce,
            "state_text": presentation.state,
            "encryption_ct": sealed.ciphertext,
            "key_id": sealed.key_id,
            "alg_id": sealed.alg_id,
            "step": Step.CREATED.value,
            "created_at_us": to_us(presentation.created_at),
            "expires_at_us": to_us(presentation.expires_at),
        }
        detail = {"template": presentation.template, "purpose": presentation.purpose}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(table).values(row))
            made = Change("PRESENTATION_CREATED", *_of(presentation), detail)
            await record_change(connection, presentation.created_at, made)
        await self.purge_when_due()

    async def by_request(self, request_ref: str) -> Presentation | None:
        """See the port."""
        steps = [Step.CREATED.value, Step.FETCHED.value]
        return await self._one(
            table.c.request_ref == request_ref, table.c.step.in_(steps), table.c.expires_at_us > self._now_us()
        )

    async def by_response(self, response_ref: str) -> Presentation | None:
        """See the port."""
        return await self._one(
            table.c.response_ref == response_ref,
            table.c.step == Step.FETCHED.value,
            table.c.expires_at_us > self._now_us(),
        )

    async def fetched(self, presentation_id: str) -> None:
        """See the port; again and again the same."""
        first = (table.c.presentation_id == presentation_id, table.c.step == Step.CREATED.value)
        async with self._database.write() as connection:
            await connection.execute(sa.update(table).where(*first).values(step=Step.FETCHED.value))

    async def end(self, presentation_id: str, outcome: Outcome) -> bool:
        """See the port."""
        now = self._clock.now()
        values: dict[str, Any] = {
            "step": outcome.step.value,
            "reason": outcome.reason,
            "code_hash": None if outcome.code is None else kept(outcome.code),
            "consent_id": outcome.consent_id,
            "answered_at_us": to_us(now),
            "encryption_ct": None,
        }
        if outcome.result is not None:
            (sealed,) = await self._keys.seal(
                (_place("result_ct", presentation_id), orjson.dumps(dict(outcome.result)))
            )
            values |= {"result_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id}
        still_open = (
            table.c.presentation_id == presentation_id,
            table.c.step == Step.FETCHED.value,
            table.c.expires_at_us > to_us(now),
        )
        statement = sa.update(table).where(*still_open).values(values).returning(table)
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                return False
            detail = {"outcome": outcome.step.value} | ({"reason": outcome.reason} if outcome.reason else {})
            if outcome.consent_id is not None:
                detail["consent_id"] = outcome.consent_id
            answered = Change("PRESENTATION_ANSWERED", *_of(_presentation(row, None)), detail)
            await record_change(connection, now, answered)
        return True

    async def find(self, presentation_id: str, client_id: str, actor_user: str | None) -> Presentation | None:
        """See the port."""
        return await self._one(*_whose(presentation_id, client_id, actor_user))

    async def take(
        self, presentation_id: str, client_id: str, actor_user: str | None, code: str | None
    ) -> Taken | None:
        """See the port."""
        now = self._clock.now()
        whose = _whose(presentation_id, client_id, actor_user)
        ready = (
            *whose,
            table.c.step.in_([one.value for one in DONE_STEPS]),
            table.c.expires_at_us > to_us(now) - self._result_us,
            sa.or_(table.c.same_device.is_(False), table.c.code_hash == kept(code or "")),
        )
        async with self._database.write() as connection:
            if not self._database.is_sqlite:  # SQLite has one writer; here whoever else takes it waits
                found = sa.select(table).where(*ready).with_for_update()
            else:
                found = sa.select(table).where(*ready)
            row = (await connection.execute(found)).one_or_none()
            if row is None:
                return None
            gone = {"step": Step.RETRIEVED.value, "result_ct": None, "code_hash": None, "retrieved_at_us": to_us(now)}
            done = await connection.execute(sa.update(table).where(*ready).values(gone))
            if not done.rowcount:
                return None
            presentation = _presentation(row, None)
            result = None
            if row.result_ct is not None:
                sealed = Sealed(row.result_ct, row.key_id, row.alg_id)
                result = orjson.loads(await self._keys.unseal(_place("result_ct", presentation_id), sealed))
            taken = Change("PRESENTATION_RETRIEVED", *_of(presentation), {"outcome": row.step})
            await record_change(connection, now, taken)
        return Taken(presentation, Step(row.step), row.reason, result)

    async def purge_when_due(self) -> None:
        if time.monotonic() - self._purged >= _PURGE_EVERY_S:
            self._purged = time.monotonic()
            await self.purge()

    async def purge(self) -> int:
        """See the port: results first, then the rows a day later."""
        now_us = self._now_us()
        past = sa.select(table.c.presentation_id).where(
            table.c.expires_at_us <= now_us - self._result_us,
            sa.or_(table.c.result_ct.is_not(None), table.c.encryption_ct.is_not(None)),
        )
        over = sa.select(table.c.presentation_id).where(table.c.expires_at_us < now_us - _KEPT_US)
        async with self._database.write() as connection:
            emptied = sa.update(table).where(table.c.presentation_id.in_(past.limit(_PURGE_STEP)))
            await connection.execute(emptied.values(result_ct=None, encryption_ct=None))
            deleted = sa.delete(table).where(table.c.presentation_id.in_(over.limit(_PURGE_STEP)))
            return int((await connection.execute(deleted)).rowcount)

    async def _one(self, *where: sa.ColumnElement[bool]) -> Presentation | None:
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(table).where(*where))).one_or_none()
        if row is None:
            return None
        secrets = None
        if row.encryption_ct is not None:
            place = _place("encryption_ct", row.presentation_id)
            plain = await self._keys.unseal(place, Sealed(row.encryption_ct, row.key_id, row.alg_id))
            secrets = Secrets(**orjson.loads(plain))
        return _presentation(row, secrets)

    def _now_us(self) -> int:
        return to_us(self._clock.now())


def _whose(presentation_id: str, client_id: str, actor_user: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    mine = (table.c.presentation_id == presentation_id, table.c.client_id == client_id)
    if client_id != CLERK:
        return mine
    return (*mine, table.c.actor_user == (actor_user or ""))


def _presentation(row: Any, secrets: Secrets | None) -> Presentation:
    return Presentation(
        presentation_id=row.presentation_id,
        request_ref=row.request_ref,
        response_ref=row.response_ref,
        client_id=row.client_id,
        org_id=row.org_id,
        actor_user=row.actor_user,
        template=row.template,
        purpose=row.purpose,
        file_mark=row.file_mark,
        dcql=orjson.loads(row.dcql),
        profile=row.profile,
        same_device=row.same_device,
        return_to=row.return_to,
        nonce=row.nonce,
        state=row.state_text,
        created_at=from_us(row.created_at_us),
        expires_at=from_us(row.expires_at_us),
        secrets=secrets,
        step=Step(row.step),
        reason=row.reason,
        consent_id=row.consent_id,
    )


def _of(presentation: Presentation) -> tuple[str, str, str, None]:
    """Never with a person: where something was shown is nobody's to look up under them."""
    return presentation.presentation_id, presentation.org_id, presentation.actor_user, None


def _place(column: str, presentation_id: str) -> Place:
    return Place("presentation", column, presentation_id)
