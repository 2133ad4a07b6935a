"""What was issued and how it stands. A batch lives and dies as one; its places in status lists turn in the same transaction.

One row of each batch carries the time of the next look at its facts: whoever takes that row has the batch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.credentials.ports import CredentialState, Issued, Place
from gateway.store.changes import change_row, record_change
from gateway.store.credentials.hastening import hasten_within
from gateway.store.credentials.issued_rows import issued_of, issued_row, notification_hash, sealed_place
from gateway.store.credentials.keeping import Kept, row_of
from gateway.store.credentials.offers import moment_row, note_within
from gateway.store.engine import Database
from gateway.store.errors import SubjectErased
from gateway.store.ids import to_us
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential as table
from gateway.store.tables.credentials import credential_offer_event

CLAIMED = timedelta(seconds=60)
"""How long a batch that is being looked at is nobody else's."""
ISSUER = "credential-issuer"
STATUS = {CredentialState.VALID: 0, CredentialState.REVOKED: 1, CredentialState.SUSPENDED: 2}
"""The values of the status list (draft-ietf-oauth-status-list 7.1)."""
_FROM = {
    CredentialState.VALID: (CredentialState.SUSPENDED.value,),
    CredentialState.SUSPENDED: (CredentialState.VALID.value,),
    CredentialState.REVOKED: (CredentialState.VALID.value, CredentialState.SUSPENDED.value),
}


_ROW, _MOMENT, _EVENT = row_of(table), row_of(credential_offer_event), row_of(change_event)
Keep = Callable[[Kept], Awaitable[bool]]
"""`KeepTogether`: False where this batch is to be kept by itself, for it ends another or does not fit."""


class Flip(Protocol):
    async def __call__(self, connection: AsyncConnection, places: Sequence[Place], value: int, at: datetime) -> object:
        """Places of status lists take on a value, with their history, in the caller's transaction."""
        ...


class StoredIssued:
    """Implements `gateway.services.credentials.ports.IssuedCredentials`."""

    def __init__(
        self, database: Database, columns: PersonalColumns, clock: Clock, flip: Flip, keep: Keep | None = None
    ) -> None:
        """`keep`: for whoever issues a lot."""
        self._database, self._columns, self._clock, self._flip, self._keep = database, columns, clock, flip, keep

    async def add(self, batch: Sequence[Issued], *, notification_id: str, next_check_at: datetime) -> None:
        """See the port. What the person got of this configuration by another grant ends in the same transaction: REPLACED."""
        first = batch[0]
        if not self._columns.ring.exists(first.subject_id):
            raise SubjectErased("this person was erased")
        kept = await self._columns.seal(
            first.subject_id, *((sealed_place(one.credential_id), one.facts) for one in batch)
        )
        told, due_us = notification_hash(notification_id), to_us(next_check_at)
        rows = [
            issued_row(one, sealed, told, due_us if n == 0 else None)
            for n, (one, sealed) in enumerate(zip(batch, kept, strict=True))
        ]
        detail = {"type": first.configuration_id, "number": len(batch), "offer": first.offer_id}
        change = Change("CREDENTIAL_ISSUED", first.batch_id, first.acting.org_id, ISSUER, first.subject_id, detail)
        if self._keep is not None and await self._keep(self._kept(first, rows, change)):
            return
        async with self._database.write() as connection:
            await self._in_turn(connection, f"credential/{first.subject_id}/{first.configuration_id}")
            await connection.execute(sa.insert(table), rows)
            await record_change(connection, first.issued_at, change)
            if first.offer_id is not None:
                await note_within(connection, first.offer_id, "ISSUED", first.issued_at)
            for older in (await connection.scalars(_older_than(first))).all():
                await self.set_state_within(connection, older, CredentialState.REVOKED, "REPLACED", actor_user="person")

    def _kept(self, first: Issued, rows: Sequence[dict[str, Any]], change: Change) -> Kept:
        event, waiting = change_row(self._database.ledger, first.issued_at, change)
        moment = None if first.offer_id is None else _MOMENT(moment_row(first.offer_id, "ISSUED", first.issued_at))
        return Kept(
            first.subject_id, first.configuration_id, first.grant_id, to_us(first.issued_at),
            [_ROW(row) for row in rows], moment, _EVENT(event), waiting,
        )  # fmt: skip

    async def of_person(self, subject_id: str) -> Sequence[Issued]:
        """Newest first."""
        return await self._read(table.c.subject_id == subject_id)

    async def batch(self, batch_id: str) -> Sequence[Issued]:
        return await self._read(table.c.batch_id == batch_id)

    async def at(self, place: Place) -> Issued | None:
        found = await self._read(table.c.list_id == place.list_id, table.c.idx == place.index)
        return found[0] if found else None

    async def notified(self, grant_id: str, notification_id: str, event: str) -> str | None:
        """See the port."""
        mine = sa.and_(table.c.grant_id == grant_id, table.c.notification_hash == notification_hash(notification_id))
        async with self._database.write() as connection:
            done = await connection.execute(
                sa.update(table).where(mine).values(stored=event).returning(table.c.batch_id)
            )
            found = done.scalars().first()
        return None if found is None else str(found)

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        """See the port. What is past its time is not looked at again."""
        now_us = to_us(now)
        due = sa.select(table.c.credential_id).where(table.c.next_check_at_us <= now_us)
        async with self._database.read() as connection:  # nothing due costs a read, not a write lock
            if await connection.scalar(due.limit(1)) is None:
                return ()
        first = due.order_by(table.c.next_check_at_us, table.c.credential_id).limit(limit)
        async with self._database.write() as connection:
            mine = (await connection.scalars(first.with_for_update(skip_locked=True))).all()
            take = (
                sa.update(table)
                .where(table.c.credential_id.in_(mine), table.c.next_check_at_us <= now_us)
                .values(next_check_at_us=sa.case((table.c.valid_until_us > now_us, to_us(now + CLAIMED))))
                .returning(table.c.batch_id, table.c.next_check_at_us)
            )
            taken = (await connection.execute(take)).all()
        return [str(row.batch_id) for row in taken if row.next_check_at_us is not None]

    async def checked(self, batch_id: str, next_check_at: datetime) -> None:
        """Whoever hastened it in the meantime has it looked at once more: what was seen may be older than their news."""
        held = sa.and_(table.c.batch_id == batch_id, table.c.next_check_at_us > to_us(self._clock.now()))
        async with self._database.write() as connection:
            await connection.execute(sa.update(table).where(held).values(next_check_at_us=to_us(next_check_at)))

    async def set_state(
        self, batch_id: str, state: CredentialState, reason: str, *, actor_org: str = "", actor_user: str = "yimen"
    ) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            return await self.set_state_within(
                connection, batch_id, state, reason, actor_org=actor_org, actor_user=actor_user
            )

    async def set_state_within(
        self,
        connection: AsyncConnection,
        batch_id: str,
        state: CredentialState,
        reason: str,
        *,
        actor_org: str = "",
        actor_user: str = "yimen",
        about: bool = True,
    ) -> bool:
        """The same in a transaction that does more. `about` False: the record names no person (theirs was erased)."""
        now = self._clock.now()
        which = sa.and_(table.c.batch_id == batch_id, table.c.state.in_(_FROM[state]))
        lock = sa.select(table).where(which).order_by(table.c.credential_id).with_for_update()
        rows = (await connection.execute(lock)).all()
        if not rows:
            return False
        values: dict[str, Any] = {"state": state.value, "reason": reason, "state_at_us": to_us(now)}
        if state is CredentialState.REVOKED:
            values["next_check_at_us"] = None
        await connection.execute(sa.update(table).where(which).values(values))
        await self._flip(connection, [Place(row.list_id, row.idx) for row in rows], STATUS[state], now)
        first = rows[0]
        detail = {"type": first.configuration_id, "number": len(rows), "reason": reason, "org": first.org_id}
        person = first.subject_id if about else None
        await record_change(connection, now, _change(state, batch_id, actor_org, actor_user, person, detail))
        return True

    async def hasten(self, subject_id: str | None, type_ids: Sequence[str] | None) -> int:
        """See the port. One person's come first; everybody's wait for their turn behind them."""
        async with self._database.write() as connection:
            return await hasten_within(connection, self._clock.now(), subject_id=subject_id, type_ids=type_ids)

    async def hasten_many(self, of: Mapping[tuple[str, ...], Sequence[str]], change: Change) -> None:
        """Implements `gateway.services.credentials.facts_changed.HastenMany`."""
        now = self._clock.now()
        async with self._database.write() as connection:
            for type_ids, subjects in of.items():
                await hasten_within(connection, now, subjects=subjects, type_ids=type_ids)
            await record_change(connection, now, change)

    async def _in_turn(self, connection: AsyncConnection, key: str) -> None:
        """Two wallets of one person that get the same at once take turns, or neither would end the other's."""
        if not self._database.is_sqlite:
            lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
            await connection.execute(lock, {"key": key})

    async def _read(self, *which: sa.ColumnElement[bool]) -> list[Issued]:
        query = sa.select(table).where(*which).order_by(table.c.issued_at_us.desc(), table.c.credential_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [await issued_of(row, self._columns) for row in rows]


def _older_than(one: Issued) -> sa.Select[Any]:
    """Live batches of the same person and configuration. Those of the same grant are the same wallet's further copies."""
    return (
        sa.select(table.c.batch_id)
        .distinct()
        .where(
            table.c.subject_id == one.subject_id,
            table.c.configuration_id == one.configuration_id,
            table.c.grant_id != one.grant_id,
            table.c.state != CredentialState.REVOKED.value,
            table.c.valid_until_us > to_us(one.issued_at),
        )
        .order_by(table.c.batch_id)
    )


def _change(
    state: CredentialState, batch_id: str, org: str, user: str, subject_id: str | None, detail: dict[str, Any]
) -> Change:
    if state is CredentialState.REVOKED:
        return Change("CREDENTIAL_REVOKED", batch_id, org, user, subject_id, detail)
    if state is CredentialState.SUSPENDED:
        return Change("CREDENTIAL_SUSPENDED", batch_id, org, user, subject_id, detail)
    return Change("CREDENTIAL_REINSTATED", batch_id, org, user, subject_id, detail)
