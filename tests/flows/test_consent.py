"""Consent ends: a bank asks, 张三 says yes on his phone, the bank reads what was agreed and no more, he takes it back.

Departments, gateway, authorization server and pages are the real ones, over HTTP; the phone is the demo's inbox.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from starlette.routing import Route

from gateway.bootstrap.composition import application, stored_facts
from gateway.caller import Caller, CallerKind
from gateway.clock import SystemClock
from gateway.oauth.client import Client
from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.oauth.jose import PrivateKey
from gateway.oauth.terms import RAR_TYPE
from gateway.policy.decision import Purpose
from gateway.policy.facts import Facts, SubjectFacts
from gateway.store.tables import access_event
from tests.fakes.person_house import ID_NO, NAME, PHONE, hidden, put_organisations
from tests.fakes.tokens import Asker, officer
from tests.flows.house import House
from tests.flows.town import Town, gateway_of, unhurried, until

pytestmark = pytest.mark.anyio
ITEMS = ["conductStatement.noWarningInForce", "conductStatement.reportedOnTime"]
QUERY = """query($idNo: String!, $name: String!) @purpose(code: "LOAN_SERVICE", reference: "loan-8812") {
  person(idNo: $idNo, name: $name) { conductStatements { state withheld records { %s } } }
}"""
AGREED, MORE = QUERY % "reportedOnTime noWarningInForce", QUERY % "reportedOnTime trainingDone"


@dataclass
class OwnFacts:
    """What the gateway's own store knows; the store is there once the gateway is."""

    store: Facts | None = None

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        assert self.store is not None
        return await self.store.of(caller, purpose, subjects)


@dataclass
class Bank:
    """A partner's own program: one key for its client, another for its tokens."""

    house: House
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    dpop: PrivateKey = field(default_factory=PrivateKey.generate)
    nonce: str | None = None

    async def registered(self) -> None:
        client = Client(
            "bank-client", "禅城示范银行", CallerKind.PARTNER, "bank", "BANK", "", {"keys": [self.key.public_jwk()]},
            grant_types=frozenset({"client_credentials"}), scope=frozenset({"graphql", "consent:request"}),
            purposes=frozenset({"LOAN_SERVICE"}),
        )  # fmt: skip
        await self.house.gateway.store.clients.put([client], actor_org="operator", actor_user="operator")

    async def token(self, **form: str) -> tuple[int, dict[str, Any]]:
        """What the token endpoint says; a nonce it wants is used in a second try."""
        issuer, now = self.house.url, int(datetime.now(UTC).timestamp())
        url = f"{issuer}/oauth/token"
        for _ in range(2):
            claims = {"iss": "bank-client", "sub": "bank-client", "aud": issuer, "iat": now, "exp": now + 60,
                      "jti": secrets.token_hex(8)}  # fmt: skip
            body = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
                    "client_assertion": self.key.sign({}, claims), **form}  # fmt: skip
            proof = {"htm": "POST", "htu": url, "iat": now, "jti": secrets.token_hex(8)}
            proof |= {"nonce": self.nonce} if self.nonce else {}
            public = {name: self.dpop.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
            headers = {"dpop": self.dpop.sign({"typ": "dpop+jwt", "jwk": public}, proof)}
            async with self.house.session.post(url, data=body, headers=headers) as reply:
                self.nonce = reply.headers.get("dpop-nonce", self.nonce)
                said = await reply.json(content_type=None)
                if said.get("error") != "use_dpop_nonce":
                    break
        return reply.status, said

    async def asker(self, **form: str) -> Asker:
        status, said = await self.token(**form)
        assert status == 200, said
        ends = datetime.now(UTC) + timedelta(seconds=said["expires_in"])
        return Asker(said["access_token"], "", "", self.dpop, SystemClock(), ends, nonce_of=self.house.gateway.oauth)

    async def consented(self, consent_id: str, items: Sequence[str] = ITEMS) -> dict[str, str]:
        detail = {
            "type": RAR_TYPE, "datatypes": list(items), "purpose": {"code": "LOAN_SERVICE", "reference": "loan-8812"},
            "subjects": {"consent_id": consent_id},
        }  # fmt: skip
        return {"scope": "graphql", "authorization_details": json.dumps([detail])}

    async def query(self, asker: Asker, query: str = AGREED) -> tuple[int, dict[str, Any]]:
        url = f"{self.house.url}/graphql"
        body = {"query": query, "variables": {"idNo": ID_NO, "name": NAME}}
        async with self.house.session.post(url, json=body, headers=asker.headers("POST", url)) as reply:
            return reply.status, await reply.json(content_type=None)

    async def request(self, **changes: Any) -> tuple[Asker, str]:
        asker = await self.asker(scope="consent:request")
        body = {
            "idNo": ID_NO, "name": NAME, "purpose": "LOAN_SERVICE", "datatypes": ITEMS, "mode": "recurring",
            "until": (datetime.now(UTC) + timedelta(days=30)).isoformat(), "max_per_day": 20,
            "reference": secrets.token_hex(4),
        } | changes  # fmt: skip
        url = f"{self.house.url}/consents/requests"
        async with self.house.session.post(url, json=body, headers=asker.headers("POST", url)) as reply:
            assert reply.status == 202, await reply.text()
            return asker, (await reply.json())["request_id"]

    async def state(self, asker: Asker, request_id: str) -> dict[str, Any]:
        url = f"{self.house.url}/consents/requests/{request_id}"
        async with self.house.session.get(url, headers=asker.headers("GET", url)) as reply:
            found: dict[str, Any] = await reply.json()
            return found


@dataclass
class Person:
    """张三's phone: its browser, and the messages on it."""

    house: House
    browser: aiohttp.ClientSession
    read: set[datetime] = field(default_factory=set)

    async def message(self, kind: str) -> Any:
        """The newest of this kind that was not read yet, once it has come."""

        async def look() -> Any:
            sent = await self.house.gateway.store.inbox.latest()
            return next((one for one in sent if one.kind == kind and one.at not in self.read), None)

        found = await until(look, lambda found: found is not None, within_s=10)
        self.read.add(found.at)
        return found

    async def post(self, path: str, page: str, **form: str) -> str:
        async with self.browser.post(self.house.url + path, data={"csrf": hidden(page, "csrf"), **form}) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.text()

    async def get(self, path: str) -> str:
        async with self.browser.get(self.house.url + path) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.text()

    async def come_in(self) -> str:
        """By the link that was sent: the page that asks, and the path of the consent."""
        link = (await self.message("CONSENT_ASKED")).link.removeprefix(self.house.url)
        page = await self.post(f"{link}/code", await self.get(link))
        code = re.search(r"[0-9]{6}", (await self.message("ONE_TIME_CODE")).zh)
        assert code is not None
        return await self.post(f"{link}/open", page, code=code[0])


@pytest.fixture
async def house(wide_town: Town, tmp_path: Path) -> AsyncIterator[House]:
    facts = OwnFacts()
    await wide_town.heal()
    async with gateway_of(wide_town, tmp_path, unhurried, facts=facts) as opened:
        store = opened.gateway.store
        facts.store = stored_facts(store, opened.gateway.clock)
        await put_organisations(store)
        (subject,) = await store.subjects.intern([ID_NO])
        await store.phones.enrol(subject, PHONE, by="lin", org="office", at=opened.gateway.clock.now())
        yield opened


@pytest.fixture
async def bank(house: House) -> Bank:
    found = Bank(house)
    await found.registered()
    return found


@pytest.fixture
async def person(house: House) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False) as browser:
        yield Person(house, browser)


def path_in(page: str) -> str:
    return "/me/consents/" + page.partition('action="/me/consents/')[2].partition("/")[0]


async def test_from_the_question_to_the_end_of_the_consent(bank: Bank, person: Person) -> None:
    asking, request_id = await bank.request()
    page = await person.come_in()
    path = path_in(page)
    consent_id = path.rpartition("/")[2]
    status, said = await bank.token(**await bank.consented(consent_id))
    assert (status, said["error"]) == (400, "invalid_authorization_details")  # nothing has been given yet
    await person.post(f"{path}/give", page, seen=hidden(page, "seen"))
    state = await bank.state(asking, request_id)
    assert (state["state"], state["consent_id"]) == ("GIVEN", consent_id)

    status, said = await bank.token(**await bank.consented(consent_id, [*ITEMS, "conductStatement.trainingDone"]))
    assert (status, said["error"]) == (400, "invalid_authorization_details")  # more than was agreed
    reading = await bank.asker(**await bank.consented(consent_id))
    status, answer = await bank.query(reading)
    assert status == 200
    assert "errors" not in answer
    part = answer["data"]["person"]["conductStatements"]
    assert part["records"][0].keys() == {"reportedOnTime", "noWarningInForce"}
    assert isinstance(part["records"][0]["reportedOnTime"], bool)
    _, answer = await bank.query(reading, MORE)
    told = json.dumps(answer)
    assert '"trainingDone": true' not in told
    assert '"trainingDone": false' not in told

    async with person.house.gateway.store.database.read() as connection:
        rests = set(await connection.scalars(sa.select(access_event.c.consent_id)))
    assert consent_id in rests  # the record of the reading says what it rested on

    history = await person.get("/me/history")
    assert "禅城示范银行" in history
    assert "没有生效中的警告" in history
    await person.post(f"{path}/withdraw", await person.get(path))
    status, answer = await bank.query(reading)  # at once; sixty seconds are allowed
    assert status == 401
    status, said = await bank.token(**await bank.consented(consent_id))
    assert (status, said["error"]) == (400, "invalid_authorization_details")
    assert await bank.state(asking, request_id) == {"state": "ENDED"}


async def test_a_token_of_the_consent_scope_reads_nothing(bank: Bank, person: Person) -> None:
    asking = await bank.asker(scope="consent:request")
    status, answer = await bank.query(asking)
    assert status == 403
    assert answer.get("data") is None


async def test_once_is_once(bank: Bank, person: Person) -> None:
    await bank.request(mode="one_time", max_per_day=1)
    page = await person.come_in()
    path = path_in(page)
    await person.post(f"{path}/give", page, seen=hidden(page, "seen"))
    reading = await bank.asker(**await bank.consented(path.rpartition("/")[2]))
    _, first = await bank.query(reading)
    _, second = await bank.query(reading)
    assert first["data"]["person"]["conductStatements"]["records"]
    assert second["data"]["person"]["conductStatements"]["state"] == "WITHHELD"
    assert "reportedOnTime" not in json.dumps(second["data"]["person"]["conductStatements"]["records"])


def asked_by_get(house: House, under: str) -> list[str]:
    """Every address there is under `under` that answers GET."""
    found = [route for route in application(house.gateway).routes if isinstance(route, Route)]
    return [
        re.sub(r"\{[^}]+\}", "0" * 32, route.path)
        for route in found
        if route.path.startswith(under) and (route.methods is None or "GET" in route.methods)
    ]


def without_readings(text: str) -> str:
    """That this very test reads is on record, and is no trace of a person."""
    if not text.startswith('{"changes"'):
        return text
    return str([one for one in json.loads(text)["changes"] if not one["kind"].endswith("_READ")])


async def test_officers_see_no_trace_of_a_no_or_a_withdrawal(bank: Bank, person: Person) -> None:
    """Whatever an officer, a supervisor or a prosecutor may ask answers the same bytes before and after."""
    house = person.house
    told = {"level": 3, "jurisdiction": "440604"}
    officers = [
        await officer(house.gateway, "lin", org_id="office", **told),
        await officer(house.gateway, "boss", org_id="office", roles=("SUPERVISOR", "IDENTITY_ADMIN"), **told),
        await officer(house.gateway, "p", org_id="jcy", org_kind="PROCURATORATE", roles=("PROSECUTOR",), **told),
    ]

    paths = [*asked_by_get(house, "/admin"), "/me/consents", "/consents/requests/" + "0" * 32]
    assert "/admin/access-events" in paths

    async def all_they_see() -> list[tuple[str, int, str]]:
        found = []
        for asker in officers:
            for path in paths:
                url = house.url + path
                async with house.session.get(url, headers=asker.headers("GET", url), allow_redirects=False) as reply:
                    found.append((path, reply.status, without_readings(await reply.text())))
        return found

    before = await all_they_see()
    for what in ("refuse", "give"):
        await bank.request()
        page = await person.come_in()
        path = path_in(page)
        page = await person.post(f"{path}/{what}", page, seen=hidden(page, "seen"))
        if what == "refuse":
            person.browser.cookie_jar.clear()
    reading = await bank.asker(**await bank.consented(path.rpartition("/")[2]))
    await person.post(f"{path}/withdraw", page)
    assert (await bank.query(reading))[0] == 401  # which raises A16, to the bank's own
    after = await all_they_see()
    assert [one for one in after if one not in before] == []
    schema = house.gateway.snapshots.current.snapshot.schema.sdl
    assert not re.search(r"\bconsent", schema, re.IGNORECASE)
