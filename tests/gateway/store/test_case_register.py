"""The register of cases takes what is lawful, once, and says who changed it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.policy.facts import Relationship, Seal
from gateway.store import Store
from gateway.store.tables import change_event
from gateway.supervision.case_facts import (
    AssignmentEntry,
    CaseEntry,
    Entry,
    EntryInvalid,
    MonitoringEntry,
    Part,
    PartyEntry,
    RelationshipEntry,
    SealEntry,
    UnsealOrder,
    months_on,
)
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio
SINCE = datetime(2026, 1, 31, tzinfo=UTC)
WHO = "0" * 32
ORDER = UnsealOrder("(2026)启封1号", WHO, "court-1", "judge-a", "judge-b", SINCE, SINCE + timedelta(days=7))
MONITORING = MonitoringEntry("(2026)定位1号", WHO, 2, "head-1", SINCE, datetime(2026, 4, 30, tzinfo=UTC))
ENTRIES: list[Entry] = [
    CaseEntry("(2026)粤0604刑初1号", WHO, seal=Seal.SEALED_JUVENILE, minor_at_offence=True, execution_admin="440604"),
    PartyEntry("(2026)粤0604刑初1号", "cc-1", Part.SUPERVISING, SINCE),
    AssignmentEntry("(2026)粤0604刑初1号", "officer-1", SINCE),
    RelationshipEntry("officer-1", WHO, Relationship.FORMER_SPOUSE, "officer-1"),
    SealEntry(WHO, Seal.SEALED_JUVENILE),
    ORDER,
    MONITORING,
]


async def changes(store: Store) -> list[Any]:
    async with store.database.read() as connection:
        return list(await connection.execute(sa.select(change_event).order_by(change_event.c.id)))


async def test_every_entry_is_kept_once_and_each_change_has_its_record(store: Store) -> None:
    assert await store.cases.declare(ENTRIES) == len(ENTRIES)
    assert await store.cases.declare(ENTRIES) == 0, "said again, nothing changes"
    assert len(await changes(store)) == len(ENTRIES)
    assert isinstance(ENTRIES[0], CaseEntry)
    assert await store.cases.declare([replace(ENTRIES[0], state="CLOSED")]) == 1
    (*_, last) = await changes(store)
    assert (last.kind, last.subject_id) == ("CASE_CHANGED", WHO)
    assert '"CLOSED"' in last.detail
    assert '"changed"' in last.detail


async def test_all_of_a_declaration_is_kept_or_none(store: Store) -> None:
    with pytest.raises(EntryInvalid):
        await store.cases.declare([ENTRIES[4], SealEntry(WHO, Seal.NONE, unseal_order_no="none such")])
    assert await changes(store) == []


async def test_a_seal_is_lifted_by_an_order_in_force_for_that_person_only(store: Store, clock: HandClock) -> None:
    now = replace(ORDER, order_no="now", since=clock.now(), expires_at=clock.now() + timedelta(days=7))
    later = replace(now, order_no="later", since=clock.now() + timedelta(days=1))
    sealed, lifted = SealEntry(WHO, Seal.SEALED_JUVENILE), SealEntry(WHO, Seal.NONE, unseal_order_no="now")
    await store.cases.declare([sealed, replace(now, order_no="case", case_no="x"), ORDER, now, later])
    for number in ("case", "none such", "later", ORDER.order_no):  # the last ran out in February
        with pytest.raises(EntryInvalid):
            await store.cases.declare([SealEntry(WHO, Seal.NONE, unseal_order_no=number)])
    assert await store.cases.declare([lifted]) == 1
    clock.forward(30 * 86_400)
    assert await store.cases.declare([lifted]) == 0  # the same file once more, after the order's time
    await store.cases.declare([sealed])
    with pytest.raises(EntryInvalid):
        await store.cases.declare([lifted])


async def test_a_relationship_can_be_taken_back_and_both_are_on_record(store: Store) -> None:
    await store.cases.declare([ENTRIES[3], RelationshipEntry("officer-1", WHO, Relationship.NONE, "officer-1")])
    assert [change.kind for change in await changes(store)] == ["RELATIONSHIP_CHANGED"] * 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: replace(ORDER, second_approved_by="judge-a"),
        lambda: replace(ORDER, expires_at=SINCE),
        lambda: replace(MONITORING, legal_ground=6),
        lambda: replace(MONITORING, legal_ground=0),
        lambda: replace(MONITORING, until=months_on(SINCE, 3) + timedelta(microseconds=1)),
        lambda: replace(MONITORING, since=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: SealEntry(WHO, Seal.NONE),
        lambda: CaseEntry("440604200909120036", WHO),
        lambda: CaseEntry("", WHO),
        lambda: CaseEntry("x" * 101, WHO),
        lambda: CaseEntry("1", WHO, state="FREE"),
        lambda: PartyEntry("1", "440604200909120036", Part.DECIDING, SINCE),
        lambda: PartyEntry("1", "王小明", Part.DECIDING, SINCE),
        lambda: AssignmentEntry("1", "", SINCE),
    ],
)
def test_an_entry_that_breaks_the_law_cannot_be_made(make: Any) -> None:
    with pytest.raises(EntryInvalid):
        make()


def test_three_months_are_calendar_months() -> None:
    assert months_on(datetime(2025, 11, 30, tzinfo=UTC), 3) == datetime(2026, 2, 28, tzinfo=UTC)
    assert months_on(SINCE, 3) == datetime(2026, 4, 30, tzinfo=UTC)
