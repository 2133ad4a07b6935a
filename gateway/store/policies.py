"""Versions of the rules, kept whole, and the two people every change of them takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Change, Decision
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.policy.compare import Decided
from gateway.services.rules_in_force import Approved
from gateway.store.accounts import of_one_person
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.tables import access_event
from gateway.store.tables.policies import policy_proposal as proposals
from gateway.store.tables.policies import policy_version as versions


@dataclass(frozen=True, slots=True)
class Proposal:
    """A set of rule texts somebody put forward. `turn` counts approvals; the highest is in force."""

    id: str
    digest: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    turn: int | None


_APPROVING = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('policy-approval', 0))")


class StoredPolicies:
    """Implements `gateway.services.rules_in_force.ApprovedRules`; keeps proposals, approvals and every version used."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._new_id = OrderedIds()

    async def in_force(self) -> Approved | None:
        query = (
            sa.select(proposals.c.digest, proposals.c.texts)
            .where(proposals.c.turn.is_not(None))
            .order_by(proposals.c.turn.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Approved(row.digest, orjson.loads(row.texts))

    async def keep(self, version: str, texts: Mapping[str, str]) -> None:
        """Remember a version that is about to decide; keeping it twice changes nothing."""
        row = {"version": version, "texts": _json(texts), "first_used_at_us": to_us(self._clock.now())}
        async with self._database.read() as connection:  # mostly it is there already: no need to take turns writing
            if await connection.scalar(sa.select(versions.c.version).where(versions.c.version == version)):
                return
        async with self._database.write() as connection:
            await connection.execute(self._database.insert(versions).values(row).on_conflict_do_nothing())

    async def texts(self, version: str) -> Mapping[str, str] | None:
        """The texts of a version that decided once; `version` may be its first characters, where they are enough."""
        if len(version) < 8 or not version.isalnum():
            return None
        query = sa.select(versions.c.texts).where(versions.c.version.startswith(version)).limit(2)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return orjson.loads(rows[0].texts) if len(rows) == 1 else None

    async def versions(self) -> Sequence[tuple[str, datetime]]:
        """Every version that ever decided, oldest first."""
        query = sa.select(versions.c.version, versions.c.first_used_at_us).order_by(versions.c.first_used_at_us)
        async with self._database.read() as connection:
            return [(row.version, from_us(row.first_used_at_us)) for row in await connection.execute(query)]

    async def propose(self, texts: Mapping[str, str], *, by: str, org: str) -> str:
        """The proposal's id. The texts are sound already: whoever calls has read them as rules."""
        now = self._clock.now()
        proposal_id, digest = self._new_id(to_us(now)), hashlib.sha256(_json(texts).encode()).hexdigest()
        row = {
            "id": proposal_id, "digest": digest, "texts": _json(texts), "proposed_by": by, "proposed_org": org,
            "proposed_at_us": to_us(now),
        }  # fmt: skip
        async with self._database.write() as connection:
            await connection.execute(sa.insert(proposals).values(row))
            await record_change(
                connection, now, Change("POLICY_PROPOSED", proposal_id, org, by, None, {"digest": digest})
            )
        return proposal_id

    async def approve(self, proposal_id: str, *, by: str, org: str) -> str:
        """The digest now in force. Raises RequestRefused unless it is open and somebody else's. One atomic statement."""
        now = self._clock.now()
        latest = sa.select(sa.func.coalesce(sa.func.max(proposals.c.turn), 0) + 1).scalar_subquery()
        approve = (
            sa.update(proposals)
            .where(
                proposals.c.id == proposal_id,
                proposals.c.approved_by.is_(None),
                proposals.c.proposed_by != by,
                ~of_one_person(proposals.c.proposed_by, by),
            )
            .values(approved_by=by, approved_org=org, approved_at_us=to_us(now), turn=latest)
            .returning(proposals.c.digest)
        )
        async with self._database.write() as connection:
            if (
                not self._database.is_sqlite
            ):  # two sets approved at once take turns, or both would count as the same turn
                await connection.execute(_APPROVING)
            digest = await connection.scalar(approve)
            if digest is None:
                raise RequestRefused("POLICY_NOT_APPROVABLE", "no open proposal of another officer has this id")
            detail = {"digest": digest}
            await record_change(connection, now, Change("POLICY_APPROVED", proposal_id, org, by, None, detail))
        return str(digest)

    async def proposals(self) -> Sequence[Proposal]:
        """Newest first."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(proposals).order_by(proposals.c.id.desc()))).all()
        return [
            Proposal(
                row.id,
                row.digest,
                row.proposed_by,
                from_us(row.proposed_at_us),
                row.approved_by,
                None if row.approved_at_us is None else from_us(row.approved_at_us),
                row.turn,
            )
            for row in rows
        ]

    async def proposed(self, proposal_id: str) -> Mapping[str, str] | None:
        """The texts of a proposal."""
        async with self._database.read() as connection:
            texts = await connection.scalar(sa.select(proposals.c.texts).where(proposals.c.id == proposal_id))
        return None if texts is None else orjson.loads(texts)

    async def event(self, event_id: str) -> Decided | None:
        """What an access event was decided from; None where there is no such event."""
        async with self._database.read() as connection:
            row = (await connection.execute(_DECIDED.where(access_event.c.id == event_id))).one_or_none()
        return None if row is None else _decided(row)

    async def decided(self, most: int) -> Sequence[Decided]:
        """The latest `most` events that say what they were decided from, newest first."""
        query = _DECIDED.where(access_event.c.inputs != "").order_by(access_event.c.id.desc()).limit(most)
        async with self._database.read() as connection:
            return [_decided(row) for row in await connection.execute(query)]


_DECIDED = sa.select(
    access_event.c.id,
    access_event.c.at_us,
    access_event.c.purpose,
    access_event.c.case_no,
    access_event.c.fields,
    access_event.c.decision,
    access_event.c.rule_ids,
    access_event.c.inner_rule_ids,
    access_event.c.policy_version,
    access_event.c.inputs,
)


def _decided(row: Any) -> Decided:
    return Decided(
        event_id=row.id,
        at=from_us(row.at_us),
        purpose=row.purpose,
        case_no=row.case_no,
        fields=tuple(orjson.loads(row.fields)),
        allowed=row.decision == Decision.ALLOW,
        rule_ids=(*orjson.loads(row.inner_rule_ids), *orjson.loads(row.rule_ids)),
        policy_version=row.policy_version,
        inputs=orjson.loads(row.inputs) if row.inputs else {},
    )


def _json(texts: Mapping[str, str]) -> str:
    return orjson.dumps(dict(texts), option=orjson.OPT_SORT_KEYS).decode()
