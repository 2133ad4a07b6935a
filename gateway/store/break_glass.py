"""Break-glass grants: opened with their alert, approved by one statement, never forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson
import sqlalchemy as sa

from gateway.caller import Alert, Caller, Change
from gateway.clock import Clock
from gateway.policy.claim import folded
from gateway.policy.facts import Relationship, Seal
from gateway.services.break_glass import NewGrant
from gateway.store.accounts import of_one_person
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.keys import Keys
from gateway.store.tables.case_facts import break_glass, case_register, relationship, subject_seal
from gateway.store.tables.identities import officer
from gateway.supervision.case_facts import OVER

_OVERDUE_WITHIN = timedelta(hours=24)


class StoredBreakGlass:
    """Implements `gateway.services.break_glass.Grants`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock, alerts: StoredAlerts) -> None:
        self._database, self._keys, self._clock, self._alerts = database, keys, clock, alerts
        self._new_id = OrderedIds()

    async def may_open(self, caller: Caller, subject_id: str, case_no: str) -> str:
        """See the port."""
        live = sa.select(case_register.c.seal, case_register.c.minor_at_offence).where(
            case_register.c.subject_id == subject_id,
            case_register.c.case_no == folded(case_no),
            case_register.c.state.not_in(sorted(OVER)),
        ).subquery()  # fmt: skip
        kin = sa.select(relationship.c.kind).where(
            relationship.c.subject_id == subject_id, relationship.c.user_id == caller.user_id
        )
        own = sa.exists().where(officer.c.subject_id == subject_id, officer.c.user_id == caller.user_id)
        sealed = sa.select(subject_seal.c.seal).where(subject_seal.c.subject_id == subject_id)
        query = sa.select(
            kin.scalar_subquery(),
            own,
            sealed.scalar_subquery(),
            sa.select(live.c.seal).scalar_subquery(),
            sa.select(live.c.minor_at_offence).scalar_subquery(),
        )
        async with self._database.read() as connection:
            close, oneself, of_person, of_case, minor = (await connection.execute(query)).one()
        if oneself or close is not None:
            found = Relationship.SELF if oneself else Relationship(close)
            return f"break-glass-{found.value.lower().replace('_', '-')}"
        if of_person is not None or minor or of_case not in (None, Seal.NONE):
            return "break-glass-sealed"
        return "" if of_case is not None else "break-glass-no-such-case"

    async def open_grant(self, grant: NewGrant, alert: Alert) -> str:
        """See the port."""
        grant_id = self._new_id(to_us(grant.opened_at))
        (sealed,) = await self._keys.seal((Place("break_glass", "reason_ct", grant_id), grant.reason.encode()))
        caller = grant.caller
        row = {
            "id": grant_id, "user_id": caller.user_id, "org_id": caller.org_id, "subject_id": grant.subject_id,
            "case_no": folded(grant.case_no), "reason_code": str(grant.reason_code), "reason_ct": sealed.ciphertext,
            "key_id": sealed.key_id, "alg_id": sealed.alg_id, "items": orjson.dumps(grant.items).decode(),
            "review": str(grant.review), "opened_at_us": to_us(grant.opened_at),
            "expires_at_us": to_us(grant.expires_at), "due_at_us": to_us(grant.due_at),
        }  # fmt: skip
        detail = {
            "case_no": row["case_no"], "reason": row["reason_code"], "items": list(grant.items), "review": row["review"],
            "expires_at_us": row["expires_at_us"],
        }  # fmt: skip
        async with self._database.write() as connection:
            alert_id = await self._alerts.raise_within(connection, alert)
            await connection.execute(sa.insert(break_glass).values(**row, alert_id=alert_id))
            change = Change(
                "BREAK_GLASS_OPENED",
                grant_id,
                caller.org_id,
                caller.user_id,
                grant.subject_id,
                {**detail, "alert": alert_id},
            )
            await record_change(connection, grant.opened_at, change)
        return grant_id

    async def approve(self, grant_id: str, caller: Caller, *, opened_after: datetime, until: datetime) -> bool:
        """See the port."""
        now = self._clock.now()
        waiting = (
            break_glass.c.id == grant_id,
            break_glass.c.org_id == caller.org_id,
            break_glass.c.user_id != caller.user_id,
            ~of_one_person(break_glass.c.user_id, caller.user_id),
            break_glass.c.review == "ONLINE",
            break_glass.c.approved_at_us.is_(None),
            break_glass.c.outcome.is_(None),
            break_glass.c.opened_at_us > to_us(opened_after),
            ~sa.exists().where(
                relationship.c.subject_id == break_glass.c.subject_id, relationship.c.user_id == caller.user_id
            ),
            ~sa.exists().where(officer.c.subject_id == break_glass.c.subject_id, officer.c.user_id == caller.user_id),
        )
        values = {"approved_by": caller.user_id, "approved_at_us": to_us(now), "expires_at_us": to_us(until)}
        query = sa.update(break_glass).where(*waiting).values(values).returning(break_glass.c.subject_id)
        async with self._database.write() as connection:
            subject_id = await connection.scalar(query)
            if subject_id is None:
                return False
            change = Change("BREAK_GLASS_APPROVED", grant_id, caller.org_id, caller.user_id, subject_id)
            await record_change(connection, now, change)
        return True

    async def overdue(self) -> int:
        """See the port."""
        now = self._clock.now()
        late = (
            break_glass.c.due_at_us <= to_us(now),
            break_glass.c.review == "AFTER",
            break_glass.c.outcome.is_(None),
            break_glass.c.overdue_at_us.is_(None),
        )
        async with self._database.read() as connection:  # nearly always there is none, and a read locks nobody out
            if await connection.scalar(sa.select(break_glass.c.id).where(*late).limit(1)) is None:
                return 0
        query = sa.update(break_glass).where(*late).values(overdue_at_us=to_us(now)).returning(break_glass)
        async with self._database.write() as connection:
            rows = (await connection.execute(query)).all()
            for row in rows:
                detail = {"at": "BREAK_GLASS_UNREVIEWED", "grant": row.id, "alert": row.alert_id}
                alert = Alert(
                    "A17_REVIEW_OVERDUE", "S1", "OFFICER", row.user_id, row.org_id, row.subject_id,
                    due_at=from_us(row.due_at_us) + _OVERDUE_WITHIN, detail=detail,
                )  # fmt: skip
                await self._alerts.raise_within(connection, alert)
        return len(rows)
