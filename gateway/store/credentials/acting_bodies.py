"""On whose case a person's own request rests: the body that supervises them now."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.services.credentials.ports import Acting
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.case_facts import case_party, case_register
from gateway.store.tables.identities import organisation
from gateway.supervision.case_facts import OVER, Part


class StoredActingBodies:
    """Implements `gateway.services.credentials.authorize_wallet.ActingBodies`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def of(self, subject_id: str) -> Acting | None:
        """See the port. Of several live cases the one that was last heard of."""
        now = to_us(self._clock.now())
        query = (
            sa.select(organisation.c.org_id, organisation.c.kind, organisation.c.jurisdiction, case_register.c.case_no)
            .join(case_party, case_party.c.case_no == case_register.c.case_no)
            .join(organisation, organisation.c.org_id == case_party.c.org_id)
            .where(
                case_register.c.subject_id == subject_id,
                case_register.c.state.not_in(OVER),
                case_party.c.part == Part.SUPERVISING.value,
                case_party.c.from_us <= now,
                sa.or_(case_party.c.to_us.is_(None), case_party.c.to_us > now),
                organisation.c.active,
            )
            .order_by(case_register.c.changed_at_us.desc(), case_register.c.case_no, organisation.c.org_id)
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Acting(row.org_id, row.kind, row.jurisdiction, row.case_no)
