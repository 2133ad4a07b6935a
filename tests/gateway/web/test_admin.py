"""Imports and enrolments over HTTP: who may, what comes back, and that nothing personal leaks on the way."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.caller import Caller, CallerKind, Message, Presented
from gateway.clock import SystemClock
from gateway.errors import Unauthenticated
from gateway.services.enrol_person import EnrolPerson
from gateway.services.import_by_caller import ImportByCaller
from gateway.services.import_identities import ImportIdentities
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.alerts import StoredAlerts
from gateway.store.tables import access_event
from gateway.web.admin import ENROL, IMPORT, AdminParts, admin_routes
from gateway.web.settings import WebSettings
from tests.fakes.settled import Settled
from tests.gateway.services.identity_examples import Revocations
from tests.gateway.web.conftest import Running, running

pytestmark = pytest.mark.anyio

OFFICER = Caller(
    "u1", "CC-JUSTICE", "CORRECTION_AGENCY", frozenset({"IDENTITY_ADMIN", "PLATFORM_ADMIN", "JUSTICE_OFFICER"}), "t1",
    datetime.now(UTC) + timedelta(hours=1), level=2,
)  # fmt: skip
BANK = {"org_id": "FS-BANK", "name_zh": "佛山测试银行", "uscc": "91440600MABANK001M", "kind": "BANK"}
ZHANG = {"idNo": "440606199003070017", "name": "张三", "phone": "13800138000"}


class Door(Settled):
    """Implements `gateway.caller.Authenticator`; keeps what it was shown."""

    def __init__(self) -> None:
        self.caller: Caller = OFFICER
        self.shown: list[Presented] = []

    async def __call__(self, presented: Presented) -> Caller:
        self.shown.append(presented)
        if presented.authorization != "DPoP good":
            raise Unauthenticated(error="invalid_token")
        return self.caller

    async def still(self, caller: Caller) -> bool:
        return True


class Admin:
    """A running gateway with the admin endpoints over a real store."""

    def __init__(self, web: Running, store: Store, door: Door) -> None:
        self.web, self.store, self.door = web, store, door

    async def post(self, path: str, body: Any, authorization: str = "DPoP good", **headers: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.web.port}{path}"
        sent = {"authorization": authorization, "dpop": "proof"} | headers
        async with self.web.client.post(url, json=body, headers=sent) as response:
            return response.status, await response.json()

    async def events(self) -> list[Any]:
        async with self.store.database.read() as connection:
            return list((await connection.execute(sa.select(access_event))).all())


@asynccontextmanager
async def serving(folder: Path, *, demo: bool = True) -> AsyncIterator[Admin]:
    clock = SystemClock()
    store = await open_store(
        Settings(database_url=f"sqlite:///{folder}/y.db", master_key=bytes(range(32)), demo=demo), clock
    )
    door, alerts = Door(), StoredAlerts(store.database, clock)
    importing = ImportIdentities(store.identity_changes, store.subjects, Revocations(), clock)
    enrol = EnrolPerson(store.phones, store.subjects, store.subjects, store.inbox, store.evidence, alerts, clock)
    inbox = store.inbox if demo else None
    parts = AdminParts(door, WebSettings(), ImportByCaller(importing, store.evidence, clock), enrol, inbox)
    async with running() as web:
        web.app.router.routes.extend(admin_routes(parts))
        yield Admin(web, store, door)
    await store.close()


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    async with serving(tmp_path) as found:
        yield found


async def test_a_dry_run_then_the_import_then_nothing_left_to_do(admin: Admin) -> None:
    status, said = await admin.post(IMPORT, {"organisations": [BANK], "dry_run": True})
    assert (status, said["applied"], said["faults"]) == (200, False, [])
    assert said["changes"][0] | {"changed": ()} == {"kind": "ORGANISATION_ADDED", "object": "FS-BANK", "changed": ()}
    assert await admin.store.identities.organisations() == []
    assert (await admin.post(IMPORT, {"organisations": [BANK]}))[1]["applied"]
    assert [one.org_id for one in await admin.store.identities.organisations()] == ["FS-BANK"]
    assert (await admin.post(IMPORT, {"organisations": [BANK]}))[1]["changes"] == []


async def test_faults_come_all_at_once_in_both_languages_and_nothing_is_done(admin: Admin) -> None:
    officer = {"login": "13800138000", "name": "李?", "org_id": "NOWHERE", "id_no": "440606199003070018"}
    status, said = await admin.post(IMPORT, {"organisations": [BANK], "officers": [officer]})
    assert (status, said["applied"]) == (422, False)
    assert said["errors"][0]["extensions"]["code"] == "IDENTITIES_FAULTY"
    assert [(one["kind"], one["index"], one["code"]) for one in said["faults"]] == [
        ("officers", 1, "LOGIN_PERSONAL"),
        ("officers", 1, "UNREADABLE"),
        ("officers", 1, "ID_NO"),
    ]
    assert "13800138000" not in str(said)
    assert await admin.store.identities.organisations() == []


@pytest.mark.parametrize(
    "caller",
    [
        replace(OFFICER, roles=frozenset({"JUSTICE_OFFICER"})),
        replace(OFFICER, level=1),
        replace(OFFICER, kind=CallerKind.PARTNER),
    ],
)
async def test_others_may_not_import_and_it_is_recorded(admin: Admin, caller: Caller) -> None:
    admin.door.caller = caller
    status, said = await admin.post(IMPORT, {"organisations": [BANK]})
    assert (status, said["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    (event,) = await admin.events()
    assert (event.decision, event.purpose, event.actor_user) == ("DENY", "IDENTITY_IMPORT", "u1")
    assert await admin.store.identities.organisations() == []


async def test_an_admin_of_one_body_is_told_at_which_row_they_reach_too_far(admin: Admin) -> None:
    assert (await admin.post(IMPORT, {"organisations": [BANK]}))[0] == 200
    admin.door.caller = replace(OFFICER, roles=frozenset({"IDENTITY_ADMIN"}))
    theirs = [{**BANK, "purposes": ["LOAN_SERVICE"]}]
    status, said = await admin.post(IMPORT, {"organisations": theirs})
    assert (status, said["applied"]) == (422, False)
    (fault,) = said["faults"]
    assert (fault["kind"], fault["index"], fault["code"]) == ("organisations", 1, "ORGANISATION_BEYOND")
    (bank,) = await admin.store.identities.organisations()
    assert bank.purposes == frozenset()


async def test_a_stranger_is_challenged_and_leaves_no_record(admin: Admin) -> None:
    for path in (IMPORT, ENROL):
        status, said = await admin.post(path, {}, authorization="Bearer whatever")
        assert (status, said["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    assert await admin.events() == []


async def test_the_proof_is_checked_for_this_very_address(admin: Admin) -> None:
    await admin.post(IMPORT, {}, host="localhost")
    await admin.post(ENROL, {})
    assert [(one.method, one.path, one.dpop) for one in admin.door.shown] == [
        ("POST", "/admin/identities/import", "proof"),
        ("POST", "/admin/persons/enrol", "proof"),
    ]


async def test_a_person_is_enrolled_and_the_inbox_shows_the_message(admin: Admin) -> None:
    status, said = await admin.post(ENROL, ZHANG)
    assert (status, said["notified"], set(said)) == (200, True, {"pid", "notified"})
    async with admin.web.client.get(f"http://127.0.0.1:{admin.web.port}/demo/inbox") as response:
        text = await response.text()
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "138****8000" in text
    assert "13800138000" not in text
    assert "已为您登记" in text


async def test_a_link_in_the_inbox_can_be_clicked_and_markup_in_a_message_is_only_text(admin: Admin) -> None:
    link = "https://yimen.example/me/l/abc"
    await admin.store.inbox.send(
        Message("s", "13800138000", "CONSENT_ASKED", {"organisation": "<b>银行</b>", "link": link})
    )
    await admin.store.inbox.send(Message("s", "13800138000", "PAGES_LINK", {"link": "javascript:alert(1)"}))
    async with admin.web.client.get(f"http://127.0.0.1:{admin.web.port}/demo/inbox") as response:
        text = await response.text()
    assert f'href="{link}"' in text
    assert "&lt;b&gt;银行&lt;/b&gt;" in text
    assert 'href="javascript' not in text


async def test_outside_the_demo_there_is_no_inbox(tmp_path: Path) -> None:
    async with serving(tmp_path, demo=False) as admin:
        response = await admin.web.client.get(f"http://127.0.0.1:{admin.web.port}/demo/inbox")
        assert response.status == 404


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (IMPORT, [], "NOT_AN_OBJECT"),
        (IMPORT, {"dry_run": "yes"}, "BAD_VALUE"),
        (ENROL, {}, "BAD_VALUE"),
        (ENROL, ZHANG | {"phone": 13800138000}, "BAD_VALUE"),
        (ENROL, ZHANG | {"subject_id": "x"}, "BAD_VALUE"),
        (ENROL, ZHANG | {"idNo": "440606199003070018"}, "BAD_ID"),
        (ENROL, ZHANG | {"name": "李?"}, "BAD_NAME"),
        (ENROL, ZHANG | {"phone": "0757"}, "BAD_PHONE"),
    ],
)
async def test_what_has_the_wrong_shape_is_refused_in_words(admin: Admin, path: str, body: Any, code: str) -> None:
    status, said = await admin.post(path, body)
    assert (status, said["errors"][0]["extensions"]["code"]) == (400, code)


async def test_nothing_personal_is_logged(admin: Admin, logs: io.StringIO) -> None:
    await admin.post(ENROL, ZHANG)
    await admin.post(ENROL, ZHANG | {"name": "李?"})
    await admin.post(IMPORT, {"officers": [{"login": "cc0001", "name": "周凯", "org_id": "X", "id_no": ZHANG["idNo"]}]})
    said = logs.getvalue()
    assert "/admin/persons/enrol" in said
    for secret in ("440606199003070017", "13800138000", "张三", "周凯", "cc0001"):
        assert secret not in said
