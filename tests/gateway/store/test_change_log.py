"""Who may read which changes, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import Alert, Caller, CallerKind, Change
from gateway.errors import RequestRefused
from gateway.services.change_history import ChangeQuestion, ReadChanges
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.change_log import StoredChangeLog
from gateway.store.changes import record_change
from gateway.store.tables import change_event
from gateway.store.tables.identities import organisation
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio
WHO = "f" * 32
HEAD = Caller(
    "head", "office", "JUSTICE_OFFICE", frozenset({"SUPERVISOR"}), "t", HandClock().now() + timedelta(days=1), level=2,
    jurisdiction="440604",
)  # fmt: skip
DPO = replace(HEAD, user_id="dpo", roles=frozenset({"DPO"}))
PROSECUTOR = replace(HEAD, user_id="p", org_id="jcy", org_kind="PROCURATORATE", roles=frozenset({"PROSECUTOR"}))
BANKS_DPO = replace(DPO, org_id="bank", org_kind="BANK", jurisdiction="")


@pytest.fixture
async def read(store: Store, clock: HandClock) -> ReadChanges:
    """Four bodies, and what they and nobody did."""
    bodies = [("office", "JUSTICE_OFFICE", "440604"), ("court", "COURT", "440605"), ("bank", "BANK", ""), ("jcy", "PROCURATORATE", "440604")]  # fmt: skip
    async with store.database.write() as connection:
        for org_id, kind, place in bodies:
            row = {"org_id": org_id, "name_zh": "x", "name_en": "", "kind": kind, "jurisdiction": place, "agency_keys": "{}",
                   "purposes": "[]", "active": True, "updated_at_us": 0}  # fmt: skip
            await connection.execute(sa.insert(organisation).values(row))
        for change in (
            Change("OFFICER_CHANGED", "u1", "office", "keeper"),
            Change("CASE_CHANGED", f"{WHO}/case", "office", "keeper", WHO, {"other": {"before_subject_id": WHO}}),
            Change("CONSENT_REFUSED", "c1", "", "person", WHO),
            Change("TOKENS_REVOKED", "c1", "", ""),
            Change("CONSENT_REQUESTED", "c1", "bank", "bank-1"),
            Change("SIGNING_KEY_ROTATED", "k", "", "cli:ops"),
            Change("CLIENT_DISABLED", "x", "court", "keeper"),
        ):
            await record_change(connection, clock.now(), change)
        alerts = StoredAlerts(store.database, clock)
        alert = await alerts.raise_within(connection, Alert("A11_INSIDER", "S1", "OFFICER", "head", "office", WHO))
        await record_change(connection, clock.now(), Change("ALERT_ACKNOWLEDGED", str(alert), "office", "deputy"))
    return ReadChanges(StoredChangeLog(store.database, clock), store.subjects)


async def kinds(read: ReadChanges, caller: Caller, **asked: Any) -> list[str]:
    said = await read(caller, ChangeQuestion(**asked))
    return [one["kind"] for one in said["changes"] if one["kind"] != "CHANGES_READ"]


async def test_each_reader_sees_what_they_answer_for_and_no_officer_sees_a_consent(read: ReadChanges) -> None:
    own = ["OFFICER_CHANGED", "CASE_CHANGED"]
    persons = ["CONSENT_REFUSED", "TOKENS_REVOKED"]
    assert await kinds(read, HEAD) == own  # and nothing of the alert about themselves
    assert await kinds(read, replace(HEAD, user_id="deputy")) == [*own, "ALERT_ACKNOWLEDGED"]
    assert await kinds(read, DPO) == [*own, *persons, "SIGNING_KEY_ROTATED", "ALERT_ACKNOWLEDGED"]
    assert await kinds(read, PROSECUTOR) == [*own, "SIGNING_KEY_ROTATED", "ALERT_ACKNOWLEDGED"]
    assert await kinds(read, BANKS_DPO) == ["CONSENT_REQUESTED"]  # that they were refused is not theirs to know


async def test_a_person_is_shown_by_the_readers_own_pseudonym_wherever_their_id_stands(
    read: ReadChanges, store: Store
) -> None:
    said = await read(DPO, ChangeQuestion(kind="CASE_CHANGED"))
    (one,) = said["changes"]
    pid = store.subjects.pid(WHO, "office")
    assert (one["person"], one["object"]) == (pid, f"{pid}/case")
    assert WHO not in str(said)


async def test_it_is_read_page_by_page_and_each_reading_is_recorded(read: ReadChanges, store: Store) -> None:
    first = await read(PROSECUTOR, ChangeQuestion(limit=2))
    assert [one["kind"] for one in first["changes"]] == ["OFFICER_CHANGED", "CASE_CHANGED"]
    second = await read(PROSECUTOR, ChangeQuestion(limit=2, after=first["after"]))
    assert [one["kind"] for one in second["changes"]] == ["SIGNING_KEY_ROTATED", "ALERT_ACKNOWLEDGED"]
    async with store.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "CHANGES_READ")
        rows = (await connection.execute(query.order_by(change_event.c.id))).all()
    assert [(row.actor_org, row.actor_user, row.object_id) for row in rows] == [("jcy", "p", "440604")] * 2


@pytest.mark.parametrize(
    "caller",
    [
        replace(HEAD, roles=frozenset({"JUSTICE_OFFICER", "IDENTITY_ADMIN"})),
        replace(HEAD, level=1),
        replace(HEAD, kind=CallerKind.SYSTEM),
        replace(HEAD, org_kind="BANK"),
        replace(PROSECUTOR, org_kind="JUSTICE_OFFICE"),
        replace(PROSECUTOR, jurisdiction=""),
    ],
)
async def test_nobody_else_reads_anything(read: ReadChanges, store: Store, caller: Caller) -> None:
    with pytest.raises(RequestRefused):
        await read(caller, ChangeQuestion())
    async with store.database.read() as connection:
        query = sa.select(sa.func.count()).where(change_event.c.kind == "CHANGES_READ")
        assert await connection.scalar(query) == 0
