"""A partner asks, the person decides on their own pages, and nobody learns more than they should. Over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from gateway.consent.receipt import RECEIPT_TYP
from gateway.oauth.jose import parse, verify
from gateway.policy.facts import Seal
from gateway.store.tables import alert
from gateway.supervision.case_facts import SealEntry
from tests.fakes.person_house import CONSENT_SCOPE, ID_NO, NAME, PHONE, SCOPE, PersonHouse, hidden, person_house
from tests.fakes.tokens import detail, officer, partner

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        yield opened


@pytest.fixture
async def idle() -> AsyncIterator[PersonHouse]:
    """One in which nobody works in the background unless a test says so."""
    async with person_house() as opened:
        yield opened


async def asked(house: PersonHouse, **changes: Any) -> str:
    """The request's id, its link sent."""
    status, answer = await house.ask(await house.bank(), **changes)
    assert status == 202, answer
    await house.settled()
    return str(answer["request_id"])


async def come_in(house: PersonHouse) -> None:
    """By the way anybody has, whoever asked for what."""
    _, page = await house.get("/me")
    await house.post("/me/link", page, id_no=ID_NO, phone=PHONE)
    await house.persons.door.settled()
    await house.come_in(house.phone.last("PAGES_LINK")["link"])


async def decided(house: PersonHouse, what: str, **changes: Any) -> tuple[str, str]:
    """Asked, come in, and `give` or `refuse` pressed: the request's id and the consent's path."""
    request_id = await asked(house, **changes)
    link = house.phone.last("CONSENT_ASKED")["link"]
    page = await house.come_in(link)
    path = page.partition('action="/me/consents/')[2].partition("/")[0]
    status, page = await house.post(f"/me/consents/{path}/{what}", page, seen=hidden(page, "seen"))
    assert status == 200, page
    return request_id, f"/me/consents/{path}"


async def test_from_the_request_to_the_withdrawal(house: PersonHouse) -> None:
    await house.enrol()
    bank = await house.bank()
    request_id = await asked(house, datatypes=["residence.admin", "insurance.status"])
    assert await house.state(bank, request_id) == (200, {"state": "PENDING"})
    assert house.phone.last("CONSENT_ASKED")["organisation_zh"] == "禅城示范银行"
    page = await house.come_in(house.phone.last("CONSENT_ASKED")["link"])
    for words in ("禅城示范银行", "Chancheng Example Bank", "经本人同意办理金融服务", "每天最多 3 次", "2027年1月31日 00:00",
                  "社会保险参保记录：参保状态", "没有任何不利后果", "监管人员看不到"):  # fmt: skip
        assert words in page
    assert "LOAN_SERVICE" not in page
    assert "insurance.status" not in page
    path = "/me/consents/" + page.partition('action="/me/consents/')[2].partition("/")[0]
    _, page = await house.post(f"{path}/give", page, seen=hidden(page, "seen"))
    assert "您已同意" in page
    status, state = await house.state(bank, request_id)
    assert status == 200
    assert state == {
        "state": "GIVEN", "consent_id": path.rpartition("/")[2], "datatypes": ["insurance.status", "residence.admin"],
        "purpose": "LOAN_SERVICE", "until": "2027-01-30T16:00:00Z", "mode": "recurring", "max_per_day": 3,
    }  # fmt: skip
    assert request_id != state["consent_id"]
    _, listed = await house.get("/me/consents")
    assert "撤回" in listed
    _, page = await house.post(f"{path}/withdraw", listed)
    assert "您已撤回" in page
    assert await house.state(bank, request_id) == (200, {"state": "ENDED"})


async def test_the_receipt_is_signed_by_the_published_keys_and_says_what_was_agreed(house: PersonHouse) -> None:
    await house.enrol()
    _, path = await decided(house, "give")
    async with house.client.get(f"{house.url}{path}/receipt") as reply:
        assert reply.headers["content-type"] == "application/jwt"
        assert "attachment" in reply.headers["content-disposition"]
        receipt = parse(await reply.text())
    key = await house.oauth.signing_keys.find(receipt.kid)
    assert key is not None
    verify(receipt, key)
    assert receipt.header["typ"] == RECEIPT_TYP
    claims = receipt.claims
    assert claims["record"]["record_id"] == path.rpartition("/")[2]
    (purpose,) = claims["processing"]["purposes"]
    assert [one["type"] for one in purpose["pii"]] == ["insurance.status"]
    assert [event["state"] for event in claims["events"]] == ["requested", "given"]
    assert len(claims["processing"]["privacy_notice"]["sha256"]) == 64
    for personal in (ID_NO, NAME, PHONE):
        assert personal not in json.dumps(claims, ensure_ascii=False)


@pytest.mark.parametrize("who", ["unknown", "other name", "not enrolled", "sealed", "refused", "enrolled"])
async def test_a_partner_cannot_tell_who_anybody_is(idle: PersonHouse, who: str) -> None:
    """Same status, same shape, same statements, and PENDING until the time to answer is over."""
    house, bank = idle, await idle.bank()
    changes: dict[str, Any] = {"name": "李四"} if who == "other name" else {}
    if who not in ("unknown", "not enrolled"):
        subject = await house.enrol()
    if who == "not enrolled":
        await house.store.subjects.intern([ID_NO])
    if who == "sealed":
        await house.store.cases.declare([SealEntry(subject, Seal.SEALED_JUVENILE)])
    if who == "refused":
        async with house.working():
            await decided(house, "refuse", reference="the first")
        house.phone.sent.clear()
    with statements_of(house) as statements:
        status, answer = await house.ask(bank, reference="the second", **changes)
        assert (status, answer) == (202, {"request_id": answer["request_id"], "status": "SENT"})
    assert len(answer["request_id"]) == 32
    assert [one.split()[:3] for one in statements] == ASKING
    async with house.working():
        await house.settled()
        assert await house.state(bank, answer["request_id"]) == (200, {"state": "PENDING"})
    reached = [one for one in house.phone.sent if one.kind == "CONSENT_ASKED"]
    assert bool(reached) == (who in ("enrolled", "refused"))
    async with house.store.database.read() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM consent WHERE person_ct IS NOT NULL")) == 0


ASKING = [["INSERT", "INTO", table] for table in ("consent", "consent_event", "change_event", "ledger_outbox", "job")]
"""After the door, the rows of a request and of its record; nobody's phone, seal or number is looked at."""


@contextmanager
def statements_of(house: PersonHouse) -> Iterator[list[str]]:
    """What the block asks the database, less the door's own and what is about the client."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not any(
            word in statement
            for word in (
                "revocation",
                "replay",
                "signing_key",
                "oauth_client",
                "client_meter",
                "client_window",
                "client_subject",
                "client_suspension",
                "refusal_flood",
                "BEGIN",
                "PRAGMA",
            )
        ):
            found.append(statement)

    engine = house.store.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)


async def test_a_refusal_looks_like_no_answer_and_then_like_an_end(house: PersonHouse) -> None:
    await house.enrol()
    request_id, path = await decided(house, "refuse")
    assert await house.state(await house.bank(), request_id) == (200, {"state": "PENDING"})
    status, page = await house.get(path)
    assert status == 200
    assert "您未同意" in page
    assert "撤回同意" not in page


async def test_only_a_partner_with_the_scope_may_ask(house: PersonHouse) -> None:
    await house.enrol()
    for asker, code in (
        (await house.bank(frozenset({SCOPE})), "INSUFFICIENT_SCOPE"),
        (await house.bank(kind="SYSTEM", org_kind="COURT"), "CONSENT_NOT_YOURS_TO_ASK"),
        (await officer(house), "CONSENT_NOT_YOURS_TO_ASK"),
    ):
        status, answer = await house.ask(asker)
        assert (status, answer["errors"][0]["extensions"]["code"]) == (403, code)
        status, answer = await house.state(asker, "0" * 32)
        assert (status, answer["errors"][0]["extensions"]["code"]) == (403, code)
    await house.settled()
    assert house.phone.sent == []


async def test_without_a_token_nobody_asks(house: PersonHouse) -> None:
    url = f"{house.url}/consents/requests"
    async with house.client.post(url, json={}) as reply:
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("DPoP ")
    bank = await house.bank()
    headers = bank.headers("POST", url)
    async with house.client.post(url, json={}, headers=headers) as reply:
        assert reply.status == 400
    async with house.client.post(url, json={}, headers=headers) as reply:
        assert reply.status == 401  # a proof is good once


async def test_nobody_else_sees_a_request(house: PersonHouse) -> None:
    request_id = await asked(house)
    other = await partner(house, "other-client", org_id="bank", scope=frozenset({CONSENT_SCOPE}))
    for asker, wanted in ((other, request_id), (await house.bank(), "0" * 32)):
        status, answer = await house.state(asker, wanted)
        assert (status, answer["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"datatypes": ["insurance.*"]}, "item_form"),
        ({"datatypes": []}, "items_count"),
        ({"datatypes": ["correctionCase.state"]}, "item_not_shareable"),
        ({"datatypes": ["identity.photoHash"]}, "item_not_shareable"),
        ({"datatypes": ["identity.name"]}, "item_not_for_purpose"),
        ({"datatypes": ["residence.address"]}, "item_not_for_purpose"),
        ({"purpose": "CC_RECEPTION"}, "purpose"),
        ({"purpose": "CARD_SERVICE"}, "purpose"),  # a bank's, and not what this client is registered for
        ({"purpose": "NONE"}, "purpose"),
        ({"until": "2031-01-01T00:00:00Z"}, "until"),
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"mode": "recurring", "max_per_day": None}, "mode"),
        ({"mode": "one_time", "max_per_day": 2}, "mode"),
        ({"reference": " "}, "reference"),
        ({"reference": "of 440606199003070017"}, "reference"),
    ],
)
async def test_what_cannot_be_consented_to_is_refused_by_name(
    house: PersonHouse, changes: dict[str, Any], why: str
) -> None:
    status, answer = await house.ask(await house.bank(), **changes)
    assert (status, answer["errors"][0]["extensions"]["why"]) == (400, why)
    assert ID_NO not in json.dumps(answer)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"idNo": "440606199003070018"}, "BAD_ID"),
        ({"idNo": "440604199002300017"}, "BAD_ID"),
        ({"name": "李?"}, "BAD_NAME"),
        ({"idNo": 1}, "CONSENT_REQUEST_INVALID"),
        ({"datatypes": "insurance.status"}, "CONSENT_REQUEST_INVALID"),
        ({"until": "2027-01-31"}, "CONSENT_REQUEST_INVALID"),
        ({"until": "soon"}, "CONSENT_REQUEST_INVALID"),
        ({"max_per_day": True}, "CONSENT_REQUEST_INVALID"),
        ({"consent_id": "mine"}, "CONSENT_REQUEST_INVALID"),
    ],
)
async def test_what_has_no_sense_is_refused(house: PersonHouse, changes: dict[str, Any], code: str) -> None:
    status, answer = await house.ask(await house.bank(), **changes)
    assert (status, answer["errors"][0]["extensions"]["code"]) == (400, code)


async def test_the_same_request_is_one_message_and_another_reference_is_another(house: PersonHouse) -> None:
    await house.enrol()
    first = await asked(house)
    assert await asked(house) == first
    assert len(house.phone.sent) == 1
    assert await asked(house, reference="loan-8813") != first
    assert len(house.phone.sent) == 2
    status, answer = await house.ask(await house.bank(), name="李四")
    assert (status, answer["errors"][0]["extensions"]["code"]) == (409, "CONSENT_REFERENCE_TAKEN")


async def test_a_partner_that_asks_again_and_again_rings_no_phone_more_than_three_times_a_day(
    house: PersonHouse,
) -> None:
    """It is told the same each time, and what it asked stands on the person's pages."""
    await house.enrol()
    for number in range(5):
        await asked(house, reference=f"loan-{number}")
    assert [one.kind for one in house.phone.sent] == ["CONSENT_ASKED"] * 3
    await come_in(house)
    _, page = await house.get("/me/consents")
    assert page.count("禅城示范银行") == 5


@pytest.mark.parametrize("who", ["other name", "sealed"])
async def test_a_request_for_somebody_else_is_on_nobody_s_page(house: PersonHouse, who: str) -> None:
    subject = await house.enrol()
    if who == "sealed":
        await house.store.cases.declare([SealEntry(subject, Seal.SEALED_JUVENILE)])
    await asked(house, **({"name": "李四"} if who == "other name" else {}))
    await come_in(house)
    _, page = await house.get("/me/consents")
    assert "禅城示范银行" not in page
    assert "CONSENT_ASKED" not in [one.kind for one in house.phone.sent]


async def test_a_message_that_could_not_be_sent_is_sent_later(house: PersonHouse) -> None:
    await house.enrol()
    house.phone.broken = True
    status, _ = await house.ask(await house.bank())
    assert status == 202
    assert house.jobs is not None
    house.jobs.wake()
    async with asyncio.timeout(20):
        while not await failed_once(house):
            await asyncio.sleep(0.01)
    house.phone.broken = False
    await house.settled()
    assert [one.kind for one in house.phone.sent] == ["CONSENT_ASKED"]


async def failed_once(house: PersonHouse) -> bool:
    async with house.store.database.read() as connection:
        return bool(await connection.scalar(sa.text("SELECT count(*) FROM job WHERE reason IS NOT NULL")))


async def test_opening_a_link_spends_nothing_and_shows_nothing(house: PersonHouse) -> None:
    await house.enrol()
    await asked(house)
    path = house.phone.last("CONSENT_ASKED")["link"].removeprefix(house.url)
    async with aiohttp.ClientSession() as scanner:
        for _ in range(3):
            async with scanner.get(house.url + path) as reply:
                page = await reply.text()
                assert reply.status == 200
                assert "禅城示范银行" not in page
    assert [one.kind for one in house.phone.sent] == ["CONSENT_ASKED"]  # no code is sent by looking
    assert "您同意吗" in await house.come_in(house.url + path)


async def test_what_was_not_shown_is_not_agreed_to(house: PersonHouse) -> None:
    await house.enrol()
    await asked(house)
    page = await house.come_in(house.phone.last("CONSENT_ASKED")["link"])
    path = "/me/consents/" + page.partition('action="/me/consents/')[2].partition("/")[0]
    for seen in ("", "0" * 64):
        status, said = await house.post(f"{path}/give", page, seen=seen)
        assert status == 409
        assert "请重新阅读" in said
    status, _ = await house.post(f"{path}/refuse", page, seen=hidden(page, "seen"))
    assert status == 200
    status, said = await house.post(f"{path}/give", page, seen=hidden(page, "seen"))
    assert status == 409
    assert "已经作出决定" in said


async def test_one_person_is_not_at_home_in_anothers_consents(house: PersonHouse) -> None:
    await house.enrol()
    _, path = await decided(house, "give")
    await house.enrol("440606199003070033", "张三", "13900139000")
    await asked(house, idNo="440606199003070033", reference="other")
    house.client.cookie_jar.clear()
    page = await house.come_in(house.phone.last("CONSENT_ASKED")["link"])
    status, _ = await house.get(path)
    assert status == 404
    for what in ("give", "refuse", "withdraw"):
        status, _ = await house.post(f"{path}/{what}", page, seen=hidden(page, "seen"))
        assert status == 404
    status, _ = await house.get(f"{path}/receipt")
    assert status == 404


async def test_a_withdrawn_consents_token_is_dead_and_its_use_is_an_alert_of_the_partners_own(
    house: PersonHouse,
) -> None:
    await house.enrol()
    _, path = await decided(house, "give")
    consent_id = path.rpartition("/")[2]
    granted = [detail("LOAN_SERVICE", datatypes=["insurance.status"], consent_id=consent_id)]
    bank = await partner(house, "bank-client", details=granted)
    url = f"{house.url}/graphql"

    async def query() -> int:
        body = {"query": "{ __typename }"}
        async with house.client.post(url, json=body, headers=bank.headers("POST", url)) as reply:
            return reply.status

    assert await query() == 200
    _, page = await house.get(path)
    await house.post(f"{path}/withdraw", page)
    assert await query() == 401
    async with house.store.database.read() as connection:
        rows = (await connection.execute(sa.select(alert))).all()
    assert [(row.type, row.about_id, row.org_id, row.subject_id) for row in rows] == [
        ("A16_CONSENT_USED_AFTER_END", "bank-client", "bank", None)
    ]
