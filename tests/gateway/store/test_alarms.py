"""An alarming event becomes its alerts once, whichever replica; the officer it is about never sees them."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import AccessEvent, Alert, Caller
from gateway.errors import RequestRefused
from gateway.services.alarms import RaiseAlarms
from gateway.services.alerts import WatchAlerts
from gateway.store import Store, StoreUnavailable
from gateway.store.alarms import StoredAlarms
from gateway.store.alert_log import StoredAlertLog
from gateway.store.alerts import StoredAlerts
from gateway.store.tables import alert, change_event
from gateway.store.tables.identities import organisation
from tests.gateway.store.conftest import START, HandClock, OpenStore
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
WHO, OTHER = "a" * 32, "b" * 32
EXPIRES = datetime(2027, 1, 1, tzinfo=UTC)
BOSS = Caller("boss-1", "cc-1", "JUSTICE_OFFICE", frozenset({"SUPERVISOR"}), "t", EXPIRES)


def alarming(*subjects: str, **more: Any) -> AccessEvent:
    given = {"actor_org": "cc-1", "actor_user": "officer-1", "inner_rule_ids": ("no-case-link", "alarm:A11_INSIDER")}
    return replace(event(), subjects=subjects, at=START, **(given | more))


def alarms(store: Store, clock: HandClock) -> RaiseAlarms:
    return RaiseAlarms(StoredAlarms(store.database, StoredAlerts(store.database, clock)))


async def alerts_in(store: Store) -> list[Any]:
    async with store.database.read() as connection:
        return list(await connection.execute(sa.select(alert).order_by(alert.c.id)))


async def test_each_person_asked_about_is_an_alert_and_a_quiet_event_is_none(store: Store, clock: HandClock) -> None:
    await store.evidence.record_all([alarming(WHO, OTHER), replace(alarming(WHO), inner_rule_ids=("no-case-link",))])
    await store.evidence.record(replace(alarming(WHO), inner_rule_ids=()))
    assert await alarms(store, clock)() == 1
    found = await alerts_in(store)
    assert [(one.type, one.severity, one.about, one.about_id, one.subject_id, one.org_id) for one in found] == [
        ("A11_INSIDER", "S1", "OFFICER", "officer-1", who, "cc-1") for who in (WHO, OTHER)
    ]
    assert '"rules":["no-case-link"]' in found[0].detail
    assert await alarms(store, clock)() == 0, "once"


async def test_a_waived_rule_wants_a_review_within_a_day(store: Store, clock: HandClock) -> None:
    await store.evidence.record(alarming(WHO, inner_rule_ids=("alarm:A17_RULE_WAIVED",)))
    await alarms(store, clock)()
    (found,) = await alerts_in(store)
    assert found.severity == "S2"
    assert found.due_at_us - int(START.timestamp() * 1e6) == 24 * 3600 * 1_000_000


async def test_two_replicas_raise_each_alarm_once(open_replica: OpenStore, clock: HandClock) -> None:
    here, there = await open_replica(), await open_replica()
    for number in range(20):
        await here.evidence.record(alarming(f"{number:032x}"))
    counts = await asyncio.gather(alarms(here, clock)(), alarms(there, clock)())
    assert sum(counts) == 20
    found = await alerts_in(here)
    assert len(found) == 20
    assert not any("repeats" in one.detail for one in found)


async def test_what_is_recorded_late_is_found_too(store: Store, clock: HandClock) -> None:
    await store.evidence.record(alarming(WHO))
    await alarms(store, clock)()
    clock.at -= timedelta(minutes=5)  # another replica's record, that became visible after ours
    await store.evidence._journal.write([_row(store, alarming(OTHER))])
    assert await alarms(store, clock)() == 1


def _row(store: Store, late: AccessEvent) -> Any:
    from gateway.store.ids import OrderedIds, to_us

    at = to_us(START - timedelta(minutes=5))
    return store.evidence._row(late, OrderedIds()(at), at)


@pytest.fixture
async def desk(store: Store, clock: HandClock) -> WatchAlerts:
    stored = StoredAlerts(store.database, clock)
    for about, org in (("officer-1", "cc-1"), ("boss-1", "cc-1"), ("officer-9", "ga-9"), ("bank-x", "bank-1")):
        await stored.raise_alert(Alert("A11_INSIDER", "S1", "OFFICER", about, org, WHO))
    async with store.database.write() as connection:
        for org_id, kind, place in (
            ("cc-1", "JUSTICE_OFFICE", "440604"),
            ("ga-9", "POLICE", "440604"),
            ("bank-1", "BANK", "440604"),
        ):
            await connection.execute(
                sa.insert(organisation).values(
                    org_id=org_id, name_zh="x", name_en="x", kind=kind, jurisdiction=place, agency_keys="{}",
                    purposes="[]", active=True, updated_at_us=0,
                )
            )  # fmt: skip
    return WatchAlerts(StoredAlertLog(store.database, clock), store.subjects)


async def about(desk: WatchAlerts, caller: Caller, **more: Any) -> list[str]:
    found = await desk.read(caller, open_only=more.pop("open_only", True), after=None, **more)
    return [one["aboutId"] for one in found["alerts"]]


async def test_supervisors_see_their_organisations_alerts_but_never_one_about_themselves(desk: WatchAlerts) -> None:
    assert await about(desk, BOSS) == ["officer-1"]
    assert await about(desk, replace(BOSS, user_id="other-boss")) == ["officer-1", "boss-1"]
    assert await about(desk, replace(BOSS, roles=frozenset({"DISCIPLINE"}))) == ["officer-1"]
    found = (await desk.read(BOSS, open_only=True, after=None))["alerts"][0]
    assert WHO not in repr(found), "a person is a pseudonym to every reader"


async def test_prosecutors_see_every_public_body_of_their_place_and_no_partner(desk: WatchAlerts) -> None:
    prosecutor = replace(
        BOSS, user_id="p1", org_id="jcy", org_kind="PROCURATORATE", roles=frozenset({"PROSECUTOR"}), jurisdiction="4406"
    )
    assert await about(desk, prosecutor) == ["officer-1", "boss-1", "officer-9"]
    assert await about(desk, replace(prosecutor, jurisdiction="440605")) == []


async def test_what_is_about_partners_is_for_data_protection_officers_alone(
    store: Store, desk: WatchAlerts, clock: HandClock
) -> None:
    """That a consent was used after its end tells that somebody took one back: not to officers of any kind."""
    dead = Alert(
        "A16_CONSENT_USED_AFTER_END", "S1", "PARTNER", "bank-app", "cc-1"
    )  # even where it stands under their own
    await StoredAlerts(store.database, clock).raise_alert(dead)
    keeper = replace(BOSS, user_id="keeper-1", roles=frozenset({"DPO"}))
    seen = await about(desk, keeper)
    assert "bank-app" in seen
    assert "officer-1" not in seen
    assert "bank-app" not in await about(desk, BOSS)
    with pytest.raises(RequestRefused):
        await about(desk, replace(keeper, org_kind="BANK"))


@pytest.mark.parametrize("roles", [frozenset(), frozenset({"JUSTICE_OFFICER"}), frozenset({"PROSECUTOR"})])
async def test_nobody_else_sees_any(desk: WatchAlerts, roles: frozenset[str]) -> None:
    with pytest.raises(RequestRefused) as caught:
        await desk.read(replace(BOSS, roles=roles), open_only=True, after=None)
    assert caught.value.code == "FORBIDDEN"


async def test_an_alert_is_taken_on_once_closed_once_and_both_are_on_record(
    store: Store, desk: WatchAlerts, open_replica: OpenStore, clock: HandClock
) -> None:
    (found,) = (await desk.read(BOSS, open_only=True, after=None))["alerts"]
    there = WatchAlerts(StoredAlertLog((await open_replica()).database, clock), store.subjects)
    second = replace(BOSS, user_id="boss-2")
    done = await asyncio.gather(
        desk.acknowledge(BOSS, found["id"]), there.acknowledge(second, found["id"]), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["NoneType", "RequestRefused"]
    done = await asyncio.gather(
        desk.close(BOSS, found["id"], "UNJUSTIFIED"),
        there.close(second, found["id"], "JUSTIFIED"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["NoneType", "RequestRefused"]
    assert await about(desk, BOSS) == []
    assert await about(desk, BOSS, open_only=False) == ["officer-1"]
    async with store.database.read() as connection:
        kinds = list(await connection.scalars(sa.select(change_event.c.kind).order_by(change_event.c.id)))
    assert [kind for kind in kinds if kind != "ALERTS_READ"] == ["ALERT_ACKNOWLEDGED", "ALERT_CLOSED"]


async def test_who_reads_alerts_is_on_record_and_nothing_is_shown_without(store: Store, desk: WatchAlerts) -> None:
    await desk.read(BOSS, open_only=True, after=None)
    async with store.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "ALERTS_READ")
        (row,) = (await connection.execute(query)).all()
    assert (row.actor_org, row.actor_user, row.object_id, row.subject_id) == (
        BOSS.org_id,
        BOSS.user_id,
        BOSS.org_id,
        None,
    )
    async with store.database.write() as connection:
        await connection.execute(sa.text("ALTER TABLE ledger_outbox RENAME TO away"))
    with pytest.raises(StoreUnavailable):
        await desk.read(BOSS, open_only=True, after=None)


async def test_an_alert_about_oneself_cannot_be_closed_and_is_like_one_that_is_not_there(
    store: Store, desk: WatchAlerts
) -> None:
    mine = next(one for one in await alerts_in(store) if one.about_id == "boss-1")
    for alert_id in (mine.id, "nothing"):
        for act in (desk.acknowledge(BOSS, alert_id), desk.close(BOSS, alert_id, "FALSE_ALARM")):
            with pytest.raises(RequestRefused) as caught:
                await act
            assert caught.value.code == "ALERT_UNKNOWN"


async def test_alerts_come_in_pages(desk: WatchAlerts) -> None:
    reader = replace(BOSS, user_id="other-boss")
    first = await desk.read(reader, open_only=True, after=None, limit=1)
    rest = await desk.read(reader, open_only=True, after=first["after"], limit=1)
    assert [one["aboutId"] for page in (first, rest) for one in page["alerts"]] == ["officer-1", "boss-1"]
    assert rest["after"] is None


async def test_a_broken_ledger_is_hidden_from_nobody_who_watches(store: Store, clock: HandClock) -> None:
    raised = Alert("A13_LEDGER_BREAK", "S1", "SYSTEM", "GA", "", detail={"kind": "WITNESS_GARBAGE"})
    alert_id = await StoredAlerts(store.database, clock).raise_alert(raised)
    watch = WatchAlerts(StoredAlertLog(store.database, clock), store.subjects)
    prosecutor = replace(
        BOSS, org_id="jcy", org_kind="PROCURATORATE", roles=frozenset({"PROSECUTOR"}), jurisdiction="4406"
    )
    for caller in (BOSS, replace(BOSS, org_id="another"), prosecutor):
        (found,) = (await watch.read(caller, open_only=True, after=None))["alerts"]
        assert (found["id"], found["aboutId"]) == (alert_id, "GA")
    dpo = replace(BOSS, roles=frozenset({"DPO"}))
    assert (await watch.read(dpo, open_only=True, after=None))["alerts"] == []


async def test_looking_every_second_leaves_nothing_for_the_collector(store: Store, clock: HandClock) -> None:
    """It walks the young ones once in 50,000: what a day of looking would leave stays until then."""
    desk = alarms(store, clock)
    await store.evidence.record(alarming(WHO))
    await desk()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, sa.ClauseElement) for one in gc.get_objects())
        for _ in range(10):
            await desk()
        assert sum(isinstance(one, sa.ClauseElement) for one in gc.get_objects()) == before
    finally:
        gc.enable()
