"""The register of cases: entries are declared, each in one transaction with the record of its change.

`declare` takes a connection, so that whoever imports a whole file keeps all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.policy.claim import folded
from gateway.policy.facts import Relationship, Seal
from gateway.services.import_cases import Directory
from gateway.store.changes import record_change
from gateway.store.credentials.hastening import hasten_within
from gateway.store.engine import Database, insert_on
from gateway.store.ids import to_us
from gateway.store.tables import case_facts as tables
from gateway.store.tables.identities import officer, organisation
from gateway.supervision.case_facts import (
    AssignmentEntry,
    CaseEntry,
    Entry,
    EntryInvalid,
    MonitoringEntry,
    PartyEntry,
    RelationshipEntry,
    SealEntry,
    UnsealOrder,
)

CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Declarer:
    """Who says so: opaque ids."""

    org_id: str = CONSOLE
    user_id: str = CONSOLE


class StoredCases:
    """Keeps the register."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def declare(self, entries: Iterable[Entry], by: Declarer = Declarer()) -> int:
        """All or none, in order; how many changed anything. Raises EntryInvalid, StoreUnavailable."""
        at = self._clock.now()
        async with self._database.write() as connection:
            return sum([await declare(connection, at, entry, by) for entry in entries])

    async def directory(self) -> Directory:
        """Whom and what there is to name."""
        async with self._database.read() as connection:
            organisations = frozenset(await connection.scalars(sa.select(organisation.c.org_id)))
            officers = (await connection.execute(sa.select(officer.c.user_id, officer.c.login))).all()
            cases = frozenset(await connection.scalars(sa.select(tables.case_register.c.case_no).distinct()))
        by_name = {login: user_id for user_id, login in officers} | {user_id: user_id for user_id, _ in officers}
        return Directory(organisations, by_name, cases)


async def declare(connection: AsyncConnection, at: datetime, entry: Entry, by: Declarer = Declarer()) -> bool:
    """Whether it changed anything; a change is recorded in the same transaction (`connection` is `Database.write()`)."""
    table, key, values, kind, subject_id = _row(entry, at)
    where = [table.c[name] == value for name, value in key.items()]
    found = (await connection.execute(sa.select(table).where(*where))).mappings().one_or_none()
    gone = isinstance(entry, RelationshipEntry | SealEntry) and _none(entry)
    if gone:
        if isinstance(entry, SealEntry):
            await _check_order(connection, entry, at if found is not None else None)
        if found is None:
            return False
        await connection.execute(sa.delete(table).where(*where))
    else:
        compared = {name: value for name, value in values.items() if name not in _WHEN}
        if found is not None and all(found[name] == value for name, value in compared.items()):
            return False
        made = insert_on(connection.dialect.name, table).values(**key, **values)
        await connection.execute(made.on_conflict_do_update(index_elements=list(key), set_=values))
    detail = {name: value for name, value in {**key, **values}.items() if name != "subject_id" and value is not None}
    action = "removed" if gone else "added" if found is None else "changed"
    change = Change(
        kind,
        "/".join(str(value) for value in key.values()),
        by.org_id,
        by.user_id,
        subject_id,
        {**detail, "was": action},
    )
    await record_change(connection, at, change)
    if isinstance(entry, CaseEntry | PartyEntry | SealEntry):  # what was issued may rest on it
        await hasten_within(connection, at, subject_id=subject_id, case_no=key.get("case_no"))
    return True


_WHEN = frozenset({"changed_at_us", "declared_at_us", "sealed_at_us"})
_Row = tuple[sa.Table, Mapping[str, Any], dict[str, Any], str, str | None]


def _row(entry: Entry, at: datetime) -> _Row:
    """Where an entry stands: table, key, values, kind of change, whom it is about."""
    now = to_us(at)
    match entry:
        case CaseEntry():
            values: dict[str, Any] = {
                "state": entry.state, "seal": str(entry.seal), "minor_at_offence": entry.minor_at_offence,
                "execution_admin": entry.execution_admin, "offence_in_progress": entry.offence_in_progress,
                "visible_from_us": _us(entry.visible_from), "changed_at_us": now,
            }  # fmt: skip
            key = {"subject_id": entry.subject_id, "case_no": folded(entry.case_no)}
            return tables.case_register, key, values, "CASE_CHANGED", entry.subject_id
        case PartyEntry():
            key = {"case_no": folded(entry.case_no), "org_id": entry.org_id, "part": str(entry.part)}
            return tables.case_party, key, _span(entry.since, entry.until), "CASE_PARTY_CHANGED", None
        case AssignmentEntry():
            key = {"case_no": folded(entry.case_no), "user_id": entry.user_id}
            return tables.case_assignment, key, _span(entry.since, entry.until), "CASE_ASSIGNMENT_CHANGED", None
        case RelationshipEntry():
            key = {"subject_id": entry.subject_id, "user_id": entry.user_id}
            values = {"kind": str(entry.kind), "declared_by": entry.declared_by, "declared_at_us": now}
            return tables.relationship, key, values, "RELATIONSHIP_CHANGED", entry.subject_id
        case SealEntry():
            key = {"subject_id": entry.subject_id}
            return (
                tables.subject_seal,
                key,
                {"seal": str(entry.seal), "sealed_at_us": now},
                "SEAL_CHANGED",
                entry.subject_id,
            )
        case UnsealOrder():
            values = {
                "subject_id": entry.subject_id, "case_no": None if entry.case_no is None else folded(entry.case_no), "org_id": entry.org_id,
                "approved_by": entry.approved_by, "second_approved_by": entry.second_approved_by,
                "from_us": to_us(entry.since), "expires_at_us": to_us(entry.expires_at),
            }  # fmt: skip
            return tables.unseal_order, {"order_no": entry.order_no}, values, "UNSEAL_ORDER_CHANGED", entry.subject_id
        case MonitoringEntry():
            values = {
                "subject_id": entry.subject_id, "legal_ground": entry.legal_ground, "approved_by": entry.approved_by,
                "lifted_at_us": _us(entry.lifted_at), "from_us": to_us(entry.since), "to_us": to_us(entry.until),
            }  # fmt: skip
            key = {"order_no": entry.order_no}
            return tables.monitoring_order, key, values, "MONITORING_ORDER_CHANGED", entry.subject_id


def _none(entry: RelationshipEntry | SealEntry) -> bool:
    return entry.kind is Relationship.NONE if isinstance(entry, RelationshipEntry) else entry.seal is Seal.NONE


async def _check_order(connection: AsyncConnection, entry: SealEntry, at: datetime | None) -> None:
    """The order is there; where there is a seal to lift, at `at`, it is in force as well."""
    order = tables.unseal_order
    in_force = () if at is None else (order.c.from_us <= to_us(at), order.c.expires_at_us > to_us(at))
    named = sa.select(order.c.order_no).where(
        order.c.order_no == entry.unseal_order_no, order.c.subject_id == entry.subject_id, order.c.case_no.is_(None),
        *in_force,
    )  # fmt: skip
    if await connection.scalar(named) is None:
        raise EntryInvalid("there is no unseal order of that number in force for this person as a whole")


def _span(since: datetime, until: datetime | None) -> dict[str, Any]:
    return {"from_us": to_us(since), "to_us": _us(until)}


def _us(instant: datetime | None) -> int | None:
    return None if instant is None else to_us(instant)
