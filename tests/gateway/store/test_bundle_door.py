"""Who may have evidence of an access, on both databases: one statement, the same for what is not there and what is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gateway.caller import Alert, Change
from gateway.services.alerts import Watch
from gateway.services.change_history import CONSENT_KINDS, ChangesAsked
from gateway.services.ledger.bundles import Reach, Role
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.bundle_door import StoredBundleDoor
from gateway.store.changes import record_change
from gateway.store.tables import change_event
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.test_access_log import OTHER, PERSON, organisations, record

pytestmark = pytest.mark.anyio
ASKER = Reach("lin", "cc")
SUPERVISOR = Reach("boss", "cc", watches_org="cc")
PROSECUTOR = Reach("p", "jcy", watches_jurisdiction="4406")


@pytest.fixture
def door(store: Store, clock: HandClock) -> StoredBundleDoor:
    return StoredBundleDoor(store.database, clock)


@pytest.mark.parametrize(
    ("reach", "org", "changes", "wanted"),
    [
        (ASKER, "cc", {}, Role.ASKER),
        (ASKER, "cc", {"consent_id": "c"}, Role.ASKER),
        (ASKER, "court", {}, None),
        (Reach("zhou", "cc"), "cc", {}, None),
        (Reach("lin", "court"), "cc", {}, None),
        (SUPERVISOR, "cc", {}, Role.WATCHER),
        (SUPERVISOR, "cc", {"actor_user": "boss"}, Role.ASKER),  # their own: as an asker, without what decided
        (SUPERVISOR, "cc", {"consent_id": "c"}, None),
        (SUPERVISOR, "court", {}, None),
        (Reach("lin", "cc", watches_org="court"), "court", {}, None),  # nobody watches themselves, wherever they went
        (PROSECUTOR, "cc", {}, Role.WATCHER),
        (PROSECUTOR, "court", {}, Role.WATCHER),
        (PROSECUTOR, "far", {}, Role.WATCHER),
        (Reach("p", "jcy", watches_jurisdiction="440604"), "far", {}, None),
        (Reach("p", "jcy", watches_jurisdiction="44060%"), "far", {}, None),
        (PROSECUTOR, "bank", {}, None),
        (PROSECUTOR, "gone", {}, None),
        (Reach("p", "jcy"), "", {}, None),
    ],
)  # fmt: skip
async def test_who_may(
    store: Store, clock: HandClock, door: StoredBundleDoor, reach: Reach, org: str, changes: Any, wanted: Role | None
) -> None:
    await organisations(store)
    event = await record(store, clock, actor_org=org, **changes)
    assert await door.officer(event, reach) is wanted
    assert await door.officer(str(uuid4()), reach) is None


async def test_a_person_may_what_their_history_shows(store: Store, clock: HandClock, door: StoredBundleDoor) -> None:
    mine = await record(store, clock)
    later = await record(store, clock, visible_from=clock.now() + timedelta(days=1))
    refused = await record(store, clock, inner_rule_ids=("sealed",))
    for event, person, wanted in (
        (mine, PERSON, True), (mine, OTHER, False), (later, PERSON, False), (refused, PERSON, True),
        (str(uuid4()), PERSON, False),
    ):  # fmt: skip
        assert await door.person(event, person) is wanted
        shown = await store.access_log.of_subject(person, before=None, limit=9)
        assert (event in {one.id for one in shown}) is wanted  # as the history itself
    clock.forward(86_401)
    assert await door.person(later, PERSON)


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


async def test_unknown_foreign_and_hidden_cost_the_same_statements(
    store: Store, clock: HandClock, door: StoredBundleDoor
) -> None:
    await organisations(store)
    foreign = await record(store, clock, actor_org="court")
    hidden = await record(store, clock, visible_from=clock.now() + timedelta(days=1))
    seen = []
    for event in (str(uuid4()), foreign, hidden):
        with statements(store) as sent:
            assert await door.officer(event, Reach("zhou", "cc")) is None
            assert not await door.person(event, OTHER)
        seen.append(sent)
    assert seen[0] == seen[1] == seen[2]
    assert sum("access_event" in one for one in seen[0]) == 2


async def test_that_it_was_read_is_on_record(store: Store, door: StoredBundleDoor) -> None:
    await door.was_read(Change("EVIDENCE_READ", "e", "cc", "boss"))
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(change_event).where(change_event.c.kind == "EVIDENCE_READ"))).all()
    assert [(row.object_id, row.actor_org, row.actor_user) for row in rows] == [("e", "cc", "boss")]


CHANGE = Change("POLICY_APPROVED", "proposal", "cc", "lin")
OWN = Change("CONSENT_GIVEN", "consent", "", "person", PERSON)
ALARM = Alert("A11_INSIDER", "S1", "OFFICER", "lin", "cc")
BY_SUPERVISOR = Reach(
    "boss", "cc", changes=ChangesAsked(org_id="cc", without=CONSENT_KINDS), alerts=Watch("boss", org_id="cc")
)
BY_DPO = Reach("dpo", "cc", changes=ChangesAsked(org_id="cc", nobodys=True), alerts=Watch("dpo", partners=True))
BY_PROSECUTOR = Reach(
    "p", "jcy", changes=ChangesAsked(jurisdiction="4406", nobodys=True, without=CONSENT_KINDS), alerts=Watch("p", jurisdiction="4406")
)  # fmt: skip


async def change(store: Store, clock: HandClock, what: Change) -> str:
    async with store.database.write() as connection:
        return await record_change(connection, clock.now(), what)


@pytest.mark.parametrize(
    ("reach", "what", "wanted"),
    [
        (Reach("lin", "cc"), CHANGE, Role.ASKER),
        (Reach("lin", "court"), CHANGE, None),
        (Reach("zhou", "cc"), CHANGE, None),
        (BY_SUPERVISOR, CHANGE, Role.WATCHER),
        (BY_SUPERVISOR, replace(CHANGE, actor_org="court"), None),
        (BY_SUPERVISOR, replace(CHANGE, actor_user="boss"), Role.ASKER),
        (BY_SUPERVISOR, OWN, None),
        (BY_SUPERVISOR, replace(CHANGE, kind="CONSENT_REQUESTED"), None),
        (BY_PROSECUTOR, CHANGE, Role.WATCHER),
        (BY_PROSECUTOR, replace(CHANGE, actor_org="bank"), None),
        (BY_PROSECUTOR, OWN, None),
        (BY_DPO, OWN, Role.WATCHER),
        (Reach("boss", "cc", watches_org="cc"), CHANGE, None),
    ],
)
async def test_who_may_have_evidence_of_a_change(
    store: Store, clock: HandClock, door: StoredBundleDoor, reach: Reach, what: Change, wanted: Role | None
) -> None:
    await organisations(store)
    assert await door.officer(await change(store, clock, what), reach) is wanted


@pytest.mark.parametrize(
    ("reach", "what", "wanted"),
    [
        (BY_SUPERVISOR, ALARM, Role.WATCHER),
        (BY_SUPERVISOR, replace(ALARM, about_id="boss"), None),  # whom it is about never learns of it
        (BY_SUPERVISOR, replace(ALARM, org_id="court"), None),
        (BY_SUPERVISOR, replace(ALARM, about="PARTNER"), None),
        (BY_PROSECUTOR, ALARM, Role.WATCHER),
        (BY_PROSECUTOR, replace(ALARM, org_id="bank"), None),
        (BY_DPO, replace(ALARM, about="PARTNER", org_id="bank"), Role.WATCHER),
        (Reach("lin", "cc"), ALARM, None),
    ],
)
async def test_who_may_have_evidence_of_an_alert(
    store: Store, clock: HandClock, door: StoredBundleDoor, reach: Reach, what: Alert, wanted: Role | None
) -> None:
    await organisations(store)
    alert_id = await StoredAlerts(store.database, clock).raise_alert(what)
    assert await door.officer(alert_id, reach) is wanted
    taken = await change(store, clock, Change("ALERT_ACKNOWLEDGED", alert_id, "cc", "zhou"))
    if what.about_id == reach.user_id:  # nor that somebody took it on
        assert await door.officer(taken, reach) is None


async def test_a_person_may_what_they_did_themselves(store: Store, clock: HandClock, door: StoredBundleDoor) -> None:
    given = await change(store, clock, OWN)
    withdrawn = await change(store, clock, replace(OWN, kind="CONSENT_WITHDRAWN"))
    about = await change(store, clock, Change("PERSON_ENROLLED", PERSON, "cc", "lin", PERSON))
    elsewhere = await change(store, clock, replace(OWN, actor_org="cc", actor_user="lin"))
    for event, person, wanted in (
        (given, PERSON, True), (withdrawn, PERSON, True), (given, OTHER, False), (about, PERSON, False), (elsewhere, PERSON, False),
    ):  # fmt: skip
        assert await door.person(event, person) is wanted
    assert await door.of_consent("consent", PERSON, "CONSENT_GIVEN") == given
    assert await door.of_consent("consent", PERSON, "CONSENT_WITHDRAWN") == withdrawn
    for consent_id, person, kind in (
        ("other", PERSON, "CONSENT_GIVEN"), ("consent", OTHER, "CONSENT_GIVEN"), ("consent", PERSON, "CONSENT_REFUSED"),
    ):  # fmt: skip
        assert await door.of_consent(consent_id, person, kind) is None


async def test_of_changes_and_alerts_too_the_statement_is_one(
    store: Store, clock: HandClock, door: StoredBundleDoor
) -> None:
    await organisations(store)
    foreign = await change(store, clock, replace(CHANGE, actor_org="court"))
    alert_id = await StoredAlerts(store.database, clock).raise_alert(replace(ALARM, org_id="court"))
    seen = []
    for event in (str(uuid4()), foreign, alert_id):
        with statements(store) as sent:
            assert await door.officer(event, BY_SUPERVISOR) is None
        seen.append(sent)
    assert seen[0] == seen[1] == seen[2]
    assert sum("UNION" in one for one in seen[0]) == 1
