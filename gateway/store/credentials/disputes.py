"""Disputes as rows that change state once; the words are under the person's own key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.disputes.ports import Dispute, Disputed, DisputeState
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import SubjectErased
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.tables.credentials import dispute as table

_OPEN = table.c.state == DisputeState.OPEN.value


class StoredDisputes:
    """Implements `gateway.services.disputes.ports.Disputes`."""

    def __init__(self, database: Database, keys: Keys, ring: SubjectKeys, clock: Clock) -> None:
        self._database, self._columns, self._clock = database, PersonalColumns(keys, ring), clock

    async def open(self, dispute: Dispute) -> bool:
        """See the port."""
        if not self._columns.ring.exists(dispute.subject_id):
            raise SubjectErased("this person was erased")
        place = _place(dispute.dispute_id, "statement_ct")
        (sealed,) = await self._columns.seal(dispute.subject_id, (place, dispute.statement.encode()))
        row = {
            "dispute_id": dispute.dispute_id, "subject_id": dispute.subject_id, "noun": dispute.noun,
            "field": dispute.field, "source": dispute.source, "statement_ct": sealed.ciphertext,
            "key_id": sealed.key_id, "alg_id": sealed.alg_id, "state": DisputeState.OPEN.value,
            "opened_at_us": to_us(dispute.opened_at), "due_at_us": to_us(dispute.due_at),
        }  # fmt: skip
        add = self._database.insert(table).values(row).on_conflict_do_nothing()
        detail = {"noun": dispute.noun, "field": dispute.field}
        change = Change("DISPUTE_OPENED", dispute.dispute_id, "", "person", dispute.subject_id, detail)
        async with self._database.write() as connection:
            if await connection.scalar(add.returning(table.c.dispute_id)) is None:
                return False
            await record_change(connection, dispute.opened_at, change)
        return True

    async def of_person(self, subject_id: str) -> Sequence[Dispute]:
        """See the port."""
        mine = sa.select(table).where(table.c.subject_id == subject_id).order_by(table.c.opened_at_us.desc())
        return await self._read(mine)

    async def find(self, dispute_id: str) -> Dispute | None:
        """See the port."""
        found = await self._read(sa.select(table).where(table.c.dispute_id == dispute_id))
        return found[0] if found else None

    async def all_open(self) -> Sequence[Disputed]:
        """See the port."""
        query = sa.select(table.c.subject_id, table.c.noun, table.c.field, table.c.source).where(_OPEN)
        async with self._database.read() as connection:
            return [Disputed(*row) for row in await connection.execute(query.where(table.c.subject_id.is_not(None)))]

    async def waiting(self) -> Sequence[Dispute]:
        """See the port."""
        return await self._read(sa.select(table).where(_OPEN).order_by(table.c.due_at_us, table.c.dispute_id))

    async def decide(self, dispute: Dispute, state: DisputeState, answer: str, *, org: str, user: str) -> bool:
        """See the port. Both texts are sealed anew, so that one key opens them."""
        now = self._clock.now()
        statement, said = await self._columns.seal(
            dispute.subject_id,
            (_place(dispute.dispute_id, "statement_ct"), dispute.statement.encode()),
            (_place(dispute.dispute_id, "answer_ct"), answer.encode()),
        )
        values = {
            "state": state.value, "statement_ct": statement.ciphertext, "answer_ct": said.ciphertext,
            "key_id": said.key_id, "alg_id": said.alg_id, "decided_at_us": to_us(now), "decided_by": user,
            "decided_org": org,
        }  # fmt: skip
        first = sa.update(table).where(table.c.dispute_id == dispute.dispute_id, _OPEN).values(values)
        decided = (dispute.dispute_id, org, user, dispute.subject_id)
        corrected = state is DisputeState.CORRECTED
        change = Change("DISPUTE_CORRECTED", *decided) if corrected else Change("DISPUTE_REFUSED", *decided)
        async with self._database.write() as connection:
            if not (await connection.execute(first)).rowcount:
                return False
            await record_change(connection, now, change)
        return True

    async def withdraw(self, subject_id: str, dispute_id: str) -> bool:
        """See the port."""
        now = self._clock.now()
        mine = (table.c.dispute_id == dispute_id, table.c.subject_id == subject_id, _OPEN)
        values = {"state": DisputeState.WITHDRAWN.value, "decided_at_us": to_us(now), "decided_by": "person"}
        async with self._database.write() as connection:
            if not (await connection.execute(sa.update(table).where(*mine).values(values))).rowcount:
                return False
            await record_change(connection, now, Change("DISPUTE_WITHDRAWN", dispute_id, "", "person", subject_id))
        return True

    async def _read(self, query: sa.Select[Any]) -> Sequence[Dispute]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query.where(table.c.subject_id.is_not(None)))).all()
        return [one async for one in self._opened(rows)]

    async def _opened(self, rows: Iterable[sa.Row[Any]]) -> Any:
        for row in rows:
            yield Dispute(
                dispute_id=row.dispute_id,
                subject_id=row.subject_id,
                noun=row.noun,
                field=row.field,
                source=row.source,
                statement=await self._text(row, "statement_ct"),
                opened_at=from_us(row.opened_at_us),
                due_at=from_us(row.due_at_us),
                state=DisputeState(row.state),
                answer=await self._text(row, "answer_ct"),
                decided_at=None if row.decided_at_us is None else from_us(row.decided_at_us),
                decided_org=row.decided_org or "",
            )

    async def _text(self, row: sa.Row[Any], column: str) -> str:
        ciphertext = getattr(row, column)
        if ciphertext is None:
            return ""
        sealed = Sealed(ciphertext, row.key_id, row.alg_id)
        try:
            opened = await self._columns.unseal(row.subject_id, _place(row.dispute_id, column), sealed)
        except SubjectErased:  # between the key and the row
            return ""
        return opened.decode()


def _place(dispute_id: str, column: str) -> Place:
    return Place("dispute", column, dispute_id)
