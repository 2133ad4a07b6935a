"""Errands avoided: a paper somebody did not have to fetch, because a credential was shown. Whose it was is not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.credentials import errand_avoided as table


class StoredErrands:
    """Implements `gateway.services.presenting.ports.Errands`. `papers`: the types in whose place a paper was asked before."""

    def __init__(self, database: Database, clock: Clock, papers: frozenset[str]) -> None:
        self._database, self._clock, self._papers = database, clock, papers
        self.counted: Counter[str] = Counter()
        """By type, of this process since it began; for operators' figures."""

    async def count(self, presentation_id: str, type_ids: Sequence[str], org_id: str) -> None:
        """See the port: each type of a presentation counts once, however often it is told."""
        at_us = to_us(self._clock.now())
        rows = [
            {"presentation_id": presentation_id, "type_id": one, "org_id": org_id, "at_us": at_us}
            for one in sorted(self._papers.intersection(type_ids))
        ]
        if not rows:
            return
        make = self._database.insert(table).on_conflict_do_nothing().returning(table.c.type_id)
        async with self._database.write() as connection:
            made = (await connection.execute(make, rows)).scalars().all()
        self.counted.update(str(one) for one in made)

    async def totals(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Mapping[tuple[str, str], int]:
        """(type, body that would have asked for the paper) -> how many."""
        which = []
        if since is not None:
            which.append(table.c.at_us >= to_us(since))
        if until is not None:
            which.append(table.c.at_us < to_us(until))
        query = sa.select(table.c.type_id, table.c.org_id, sa.func.count()).where(*which)
        async with self._database.read() as connection:
            rows = await connection.execute(query.group_by(table.c.type_id, table.c.org_id))
            return {(type_id, org_id): number for type_id, org_id, number in rows}
