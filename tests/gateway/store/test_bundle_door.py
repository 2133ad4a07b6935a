"""Who may have evidence of an access, on both databases: one statement, the same for what is not there and what is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gateway.caller import Change
from gateway.services.ledger.bundles import Reach, Role
from gateway.store import Store
from gateway.store.bundle_door import StoredBundleDoor
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
