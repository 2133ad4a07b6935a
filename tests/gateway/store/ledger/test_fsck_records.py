"""A record that was changed, lost or kept out of the log is found by what its entry committed to."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import Alert, Change
from gateway.services.ledger.faults import Fault, Finding
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.ids import to_us
from gateway.store.ledger.fsck_records import StoredRecords
from gateway.store.tables import access_event, access_event_subject, alert, change_event
from gateway.store.tables.ledger import ledger_entry, ledger_outbox
from ledger.entry import parse_entry
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
PERSON, OTHER = "a" * 32, "b" * 32


async def check(store: Store) -> list[Finding]:
    return [one async for one in StoredRecords(store.database, store.subjects.pid).check()]


async def run(store: Store, *statements: Any) -> None:
    async with store.database.write() as connection:
        for statement in statements:
            await connection.execute(statement)


@pytest.fixture
async def ids(store: Store, clock: HandClock) -> dict[str, str]:
    """One record of each kind, in the log; and one that still waits."""
    await store.log.open("gw.example/ledger", "2026")
    clock.forward(1)
    made = {
        "nobody": (await store.evidence.record(event(subjects=[]))).id,
        "two": (await store.evidence.record(event(subjects=[PERSON, OTHER]))).id,
    }
    async with store.database.write() as connection:
        change = Change("OFFICER_CHANGED", "officer-1", "org-1", "boss", detail={"post": "x"})
        made["change"] = await record_change(connection, clock.now(), change)
        given = Change("CONSENT_GIVEN", "consent-1", "bank", "person", subject_id=PERSON)
        made["consent"] = await record_change(connection, clock.now(), given)
    raised = Alert("A12_PARTNER_SCRAPE", "S2", "PARTNER", "client-1", "org-1", detail={"seen": 7})
    made["alert"] = await StoredAlerts(store.database, clock).raise_alert(raised)
    clock.forward(700)
    assert await store.log.lead()
    assert await store.log.sequence(100) == 5
    made["waiting"] = (await store.evidence.record(event(subjects=[PERSON]))).id
    return made


async def test_what_nobody_touched_is_whole(store: Store, ids: dict[str, str]) -> None:
    assert await check(store) == []


async def test_an_alert_that_came_again_and_was_closed_is_still_the_same(
    store: Store, clock: HandClock, ids: dict[str, str]
) -> None:
    raised = Alert("A12_PARTNER_SCRAPE", "S2", "PARTNER", "client-1", "org-1", detail={"seen": 9})
    assert await StoredAlerts(store.database, clock).raise_alert(raised) == ids["alert"]
    await run(store, sa.update(alert).values(ack_by="boss", outcome="FALSE", closed_at_us=5))
    assert await check(store) == []


@pytest.mark.parametrize(
    ("table", "which", "values"),
    [
        (access_event, "nobody", {"actor_user": "somebody-else"}),
        (access_event, "nobody", {"case_no": None}),
        (access_event, "two", {"purpose": "OTHER"}),
        (access_event, "two", {"result_digest": b"other"}),
        (access_event, "two", {"fields": "no json"}),
        (access_event, "two", {"inner_rule_ids": '["sealed"]'}),
        (access_event, "nobody", {"seed_ct": None}),
        (access_event, "nobody", {"seed_ct": b"short"}),
        (access_event, "nobody", {"at_us": 2**62}),
        (access_event, "waiting", {"decision": "DENY"}),
        (change_event, "change", {"actor_user": "another"}),
        (change_event, "consent", {"object_id": "consent-2"}),
        (change_event, "consent", {"subject_id": OTHER}),
        (change_event, "consent", {"seed_ct": None}),
        (alert, "alert", {"severity": "S3"}),
        (alert, "alert", {"detail": '{"seen":8}'}),
    ],
)
async def test_an_edited_record_is_named(
    store: Store, ids: dict[str, str], table: sa.Table, which: str, values: dict[str, Any]
) -> None:
    await run(store, sa.update(table).where(table.c.id == ids[which]).values(values))
    (found,) = await check(store)
    assert (found.fault, found.entry_id, found.about) == (Fault.EDITED_RECORD, ids[which], table.name)
    placed = await store.ledger.find(ids[which])
    assert placed is not None
    assert (found.index, found.shard) == (placed.number, placed.shard or "")


async def test_who_it_was_about_cannot_be_changed(store: Store, ids: dict[str, str]) -> None:
    table = access_event_subject
    whose = sa.and_(table.c.event_id == ids["two"], table.c.subject_id == PERSON)
    await run(store, sa.update(table).where(whose).values(subject_id="c" * 32))
    assert [(one.fault, one.entry_id) for one in await check(store)] == [(Fault.EDITED_RECORD, ids["two"])]
    await run(store, sa.delete(table).where(table.c.event_id == ids["two"], table.c.subject_id != OTHER))
    assert [(one.fault, one.entry_id) for one in await check(store)] == [(Fault.EDITED_RECORD, ids["two"])]
    await run(store, sa.delete(table).where(table.c.event_id == ids["two"]))
    assert [(one.fault, one.entry_id) for one in await check(store)] == [(Fault.EDITED_RECORD, ids["two"])]


async def test_whoever_was_erased_is_no_fault(store: Store, ids: dict[str, str]) -> None:
    await store.subject_keys.destroy(PERSON)
    assert await check(store) == []
    await run(store, sa.update(access_event).where(access_event.c.id == ids["two"]).values(purpose="OTHER"))
    assert [one.fault for one in await check(store)] == [Fault.EDITED_RECORD]  # the other person's key still opens it
    await store.subject_keys.destroy(OTHER)
    assert await check(store) == []


async def test_an_entry_whose_record_is_gone_is_named(store: Store, ids: dict[str, str]) -> None:
    await run(store, sa.delete(change_event).where(change_event.c.id == ids["change"]))
    placed = await store.ledger.find(ids["change"])
    assert placed is not None
    assert await check(store) == [Finding(Fault.LOST_RECORD, "2026", placed.number, placed.number, ids["change"])]


async def test_what_the_log_says_of_itself_has_no_record(store: Store, ids: dict[str, str]) -> None:
    await store.log.keys.begin_rotation()
    assert await store.log.sequence(100) == 2
    assert await check(store) == []


async def test_a_record_that_never_came_into_the_log_is_named(store: Store, ids: dict[str, str]) -> None:
    await run(store, sa.delete(ledger_outbox))
    assert await check(store) == [Finding(Fault.UNLOGGED_RECORD, "", entry_id=ids["waiting"], about="access_event")]
    await run(store, sa.delete(ledger_entry).where(ledger_entry.c.id == ids["alert"]))
    found = await check(store)
    assert Finding(Fault.UNLOGGED_RECORD, "", entry_id=ids["alert"], about="alert") in found


@pytest.mark.parametrize(
    ("which", "true", "false"),
    [
        ("waiting", b'"actor":"org-1"', b'"actor":"a-bank"'),
        ("waiting", b'"kind":"query"', b'"kind":"change"'),
        ("waiting", b'"time":"2026', b'"time":"2027'),
        ("held", b'"actor":"yimen"', b'"actor":"org-1"'),
        ("held", b'"time":"2026', b'"time":"2027'),
    ],
)
async def test_an_entry_that_was_given_another_face_while_it_waited_is_named(
    store: Store, clock: HandClock, ids: dict[str, str], which: str, true: bytes, false: bytes
) -> None:
    raised = Alert("A11_INSIDER", "S1", "OFFICER", "officer-1", "org-1")
    ids["held"] = await StoredAlerts(store.database, clock).raise_alert(raised)
    mine = ledger_outbox.c.id == ids[which]
    async with store.database.read() as connection:
        entry = bytes((await connection.execute(sa.select(ledger_outbox.c.entry).where(mine))).scalar_one())
    assert true in entry
    await run(store, sa.update(ledger_outbox).where(mine).values(entry=entry.replace(true, false)))
    clock.forward(700)
    assert await store.log.sequence(100) == 2
    assert [(one.fault, one.entry_id) for one in await check(store)] == [(Fault.EDITED_RECORD, ids[which])]


async def test_an_entry_that_is_held_back_while_others_pass_is_named(
    store: Store, clock: HandClock, ids: dict[str, str]
) -> None:
    later = to_us(clock.now()) + 2 * 3600 * 1_000_000
    await run(store, sa.update(ledger_outbox).values(due_at_us=later))
    clock.forward(3601 + 1)
    assert await check(store) == []  # nothing passed it
    passed = (await store.evidence.record(event(subjects=[]))).id
    await run(
        store, sa.update(ledger_outbox).where(ledger_outbox.c.id != passed).values(due_at_us=to_us(clock.now()) + 1)
    )
    assert await store.log.sequence(100) == 1
    assert await check(store) == [Finding(Fault.UNLOGGED_RECORD, "", entry_id=ids["waiting"], about="access_event")]


@pytest.mark.parametrize(
    "change",
    [
        Change("CONSENT_REFUSED", "consent-2", "bank", "person", subject_id=PERSON),
        Change("EVIDENCE_READ", "event-1", "org-1", "supervisor"),
        Change("ALERT_ACKNOWLEDGED", "alert-1", "org-1", "supervisor"),
    ],
)
async def test_what_its_moment_would_tell_shows_later_as_an_alert_does(
    store: Store, clock: HandClock, ids: dict[str, str], change: Change
) -> None:
    async with store.database.write() as connection:
        entry_id = await record_change(connection, clock.now(), change)
        query = sa.select(ledger_outbox.c.due_at_us).where(ledger_outbox.c.id == entry_id)
        due_at_us = (await connection.execute(query)).scalar_one()
    assert 0 <= due_at_us - to_us(clock.now()) <= 600 * 1_000_000
    clock.forward(601)
    assert await store.log.sequence(100) == 2
    assert await check(store) == []
    placed = await store.ledger.find(entry_id)
    assert placed is not None
    assert to_us(parse_entry(placed.entry).time) == due_at_us // 1_000_000 * 1_000_000


async def test_what_is_older_than_the_ledger_needs_no_entry(store: Store, ids: dict[str, str]) -> None:
    async with store.database.read() as connection:
        row = dict((await connection.execute(sa.select(access_event).limit(1))).mappings().one())
    old = row | {"id": "00000000-0000-7000-8000-000000000000", "recorded_at_us": 1, "seed_ct": None}
    await run(store, sa.insert(access_event).values(old))
    assert await check(store) == []
    await run(store, sa.update(access_event).where(access_event.c.id == old["id"]).values(seed_ct=b"-"))
    assert [one.fault for one in await check(store)] == [Fault.UNLOGGED_RECORD]


async def test_where_there_is_no_ledger_yet_nothing_is_asked_for(open_replica: OpenStore, clock: HandClock) -> None:
    store = await open_replica()
    await store.evidence.record(event(subjects=[]))
    assert to_us(clock.now()) > 0
    assert await check(store) == []
