"""Which body a person's credentials rest on, and under which case: from our own register alone."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.case_facts import case_party, case_register
from gateway.supervision.case_facts import OVER, Part


class StoredCaseOf:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def case_no(self, subject_id: str, org_id: str) -> str | None:
        """Of the live cases this body has with the person, the one last heard of; None where there is none."""
        case, party = case_register.c, case_party.c
        query = sa.select(case.case_no).where(party.org_id == org_id)
        return await self._newest(query, subject_id)

    async def supervising(self, subject_id: str) -> str | None:
        """The body that supervises the person now; None where none does."""
        query = sa.select(case_party.c.org_id).where(case_party.c.part == Part.SUPERVISING.value)
        return await self._newest(query, subject_id)

    async def _newest(self, query: sa.Select[tuple[str]], subject_id: str) -> str | None:
        case, party, now_us = case_register.c, case_party.c, to_us(self._clock.now())
        found = (
            query.select_from(case_register.join(case_party, case.case_no == party.case_no))
            .where(case.subject_id == subject_id, case.state.not_in(sorted(OVER)), party.from_us <= now_us)
            .where(sa.or_(party.to_us.is_(None), party.to_us > now_us))
            .order_by(case.changed_at_us.desc(), case.case_no, party.org_id)
            .limit(1)
        )
        async with self._database.read() as connection:
            number: str | None = await connection.scalar(found)
        return number
