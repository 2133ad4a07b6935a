"""In which states of which cases somebody may hold a credential, from our own register alone."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.policy.facts import Seal
from gateway.store.engine import Database
from gateway.store.errors import SubjectErased, SubjectUnknown
from gateway.store.ids import to_us
from gateway.store.subjects import StoredSubjects
from gateway.store.tables.case_facts import case_party, case_register, subject_seal
from gateway.supervision.case_facts import OVER


class StoredHolders:
    """Implements `Holders` and `KnownPersons` of `gateway.services.credentials.fetch_facts`, `NamedPersons` of `read_offer`."""

    def __init__(self, database: Database, subjects: StoredSubjects, clock: Clock) -> None:
        self._database, self._subjects, self._clock = database, subjects, clock

    async def known(self, subject_id: str) -> tuple[str, str] | None:
        """See the port. Raises StoreUnavailable."""
        try:
            found = await self._subjects.reveal(subject_id)
        except (SubjectUnknown, SubjectErased):
            return None
        return None if found is None else (found.id_no, found.name)

    async def name(self, subject_id: str) -> str | None:
        """See the port. Raises StoreUnavailable."""
        async with self._database.read() as connection:
            sealed = await connection.scalar(sa.select(_sealed(subject_id)))
        known = None if sealed else await self.known(subject_id)
        return None if known is None else known[1]

    async def states(self, subject_id: str, org_id: str) -> Collection[str]:
        """See the port. One statement, whoever it is about. Raises StoreUnavailable."""
        now = to_us(self._clock.now())
        case, party = case_register.c, case_party.c
        ours = sa.exists().where(
            party.case_no == case.case_no,
            party.org_id == org_id,
            party.from_us <= now,
            sa.or_(party.to_us.is_(None), party.to_us > now),
        )
        wanted = sa.select(case.state).where(
            case.subject_id == subject_id,
            case.state.not_in(sorted(OVER)),
            case.seal == Seal.NONE.value,
            sa.not_(case.minor_at_offence),
            ours,
            sa.not_(_sealed(subject_id)),
        )
        async with self._database.read() as connection:
            return frozenset(await connection.scalars(wanted))


def _sealed(subject_id: str) -> sa.Exists:
    return sa.exists().where(subject_seal.c.subject_id == subject_id, subject_seal.c.seal != Seal.NONE.value)
