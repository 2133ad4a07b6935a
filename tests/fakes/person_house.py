"""A person's pages on a real port, over a real store: the road of consent without departments behind it."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import sqlalchemy as sa

from credentials.type_files import load_types
from gateway.bootstrap.credential_offers import OfferRoom, offer_room
from gateway.bootstrap.credential_person import my_credentials
from gateway.bootstrap.ledger_pages import ledger_pages
from gateway.bootstrap.oauth_parts import OAuthParts, oauth_parts
from gateway.bootstrap.persons import Persons, persons_of, working
from gateway.caller import CallerKind, Message
from gateway.clock import Clock, SystemClock
from gateway.errors import MessagesUnavailable
from gateway.oauth.client import Client
from gateway.oauth.jose import PrivateKey
from gateway.oauth.terms import CONSENT_SCOPE, SCOPE
from gateway.policy.purposes import PurposeRegister, PurposeRule
from gateway.services.ledger.seals import Unsealed
from gateway.services.message_texts import text_of
from gateway.services.run_jobs import RunJobs
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.facts import StoredFacts
from gateway.store.tables.identities import organisation
from gateway.web.app import build_app
from gateway.web.me_routes import person_routes
from gateway.web.serve import bind, server_for
from gateway.web.settings import WebSettings
from schema.build import build_schema
from tests.fakes.execute import FakeExecute
from tests.fakes.tokens import Asker, partner

ID_NO, NAME, PHONE = "440606199003070017", "张三", "13800138000"
ORGANISATIONS = {
    "bank": ("禅城示范银行", "Chancheng Example Bank", "BANK", ""),
    "office": ("祖庙司法所", "Zumiao Justice Office", "JUSTICE_OFFICE", "440604"),
    "court": ("禅城区人民法院", "Chancheng District Court", "COURT", "440604"),
    "jcy": ("禅城区人民检察院", "Chancheng District Procuratorate", "PROCURATORATE", "440604"),
}
REGISTERED = '["CARD_SERVICE", "CC_RECEPTION", "LOAN_SERVICE"]'
CARD = PurposeRule("CARD_SERVICE", "办卡", "Cards", "", "", False, frozenset({"BANK"}), {"insurance": None}, {})
LOAN = PurposeRule(
    "LOAN_SERVICE", "经本人同意办理金融服务", "Financial services, with the person's consent",
    "个人信息保护法第十四条", "PIPL Art. 14", False, frozenset({"BANK"}),
    {"insurance": None, "residence": frozenset({"admin", "status"})}, {},
)  # fmt: skip
RECEPTION = PurposeRule(
    "CC_RECEPTION", "社区矫正接收", "Reception", "社区矫正法第五条", "Community Corrections Law Art. 5", True,
    frozenset({"JUSTICE_OFFICE"}), {"identity": None}, {},
)  # fmt: skip
SOURCES = (
    SimpleNamespace(
        manifest=SimpleNamespace(code="LGB", title=SimpleNamespace(zh="禅城区流管办", en="Residence office"))
    ),
)

BANK = Client(
    "bank-client", "禅城示范银行", CallerKind.PARTNER, "bank", "BANK", "", {"keys": [PrivateKey.generate().public_jwk()]},
    grant_types=frozenset({"client_credentials"}), scope=frozenset({SCOPE, CONSENT_SCOPE}),
    purposes=frozenset({"LOAN_SERVICE", "CC_RECEPTION"}),
)  # fmt: skip


@dataclass
class Phone:
    """What was sent to whom; `broken` sends nothing."""

    sent: list[Message] = field(default_factory=list)
    broken: bool = False

    async def send(self, message: Message) -> None:
        if self.broken:
            raise MessagesUnavailable
        text_of(message)  # every message has a text in the catalogue
        self.sent.append(message)

    def last(self, kind: str) -> dict[str, str]:
        return dict(next(one for one in reversed(self.sent) if one.kind == kind).values)


@dataclass
class PersonHouse:
    """`client` has the cookies of one browser."""

    settings: Settings
    store: Store
    oauth: OAuthParts
    persons: Persons
    phone: Phone
    url: str
    client: aiohttp.ClientSession
    clock: Clock
    offers: OfferRoom
    jobs: RunJobs | None = None  # None while nobody works

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with working(self.persons, self.store, self.clock, sweep_s=0.2) as self.jobs:
            yield
        self.jobs = None

    async def enrol(self, id_no: str = ID_NO, name: str = NAME, phone: str = PHONE) -> str:
        """The subject's id."""
        (subject,) = await self.store.subjects.intern([id_no])
        await self.store.subjects.remember(subject, id_no, name)
        await self.store.phones.enrol(subject, phone, by="lin", org="office", at=SystemClock().now())
        return subject

    async def bank(self, scope: frozenset[str] = frozenset({CONSENT_SCOPE}), **changes: Any) -> Asker:
        return await partner(self, "bank-client", scope=scope, **changes)

    async def ask(self, asker: Asker, **changes: Any) -> tuple[int, dict[str, Any]]:
        body = {
            "idNo": ID_NO, "name": NAME, "purpose": "LOAN_SERVICE", "datatypes": ["insurance.status"],
            "until": "2027-01-31T00:00:00+08:00", "mode": "recurring", "max_per_day": 3, "reference": "loan-8812",
        } | changes  # fmt: skip
        url = f"{self.url}/consents/requests"
        async with self.client.post(url, json=body, headers=asker.headers("POST", url)) as reply:
            return reply.status, await reply.json(content_type=None)

    async def state(self, asker: Asker, request_id: str) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}/consents/requests/{request_id}"
        async with self.client.get(url, headers=asker.headers("GET", url)) as reply:
            return reply.status, await reply.json(content_type=None)

    async def settled(self) -> None:
        """Whatever was asked for has been looked at, and whatever could be sent is sent."""
        assert self.jobs is not None
        self.jobs.wake()
        async with asyncio.timeout(20):
            while await self._open_jobs():
                await asyncio.sleep(0.01)
        await self.persons.door.settled()

    async def _open_jobs(self) -> int:
        async with self.store.database.read() as connection:
            return int(await connection.scalar(sa.text("SELECT count(*) FROM job WHERE state = 'OPEN'")) or 0)

    async def get(self, path: str) -> tuple[int, str]:
        async with self.client.get(self.url + path) as reply:
            return reply.status, await reply.text()

    async def post(self, path: str, page: str, **form: str) -> tuple[int, str]:
        """A form of `page`: with its hidden csrf field, to the page that comes of it."""
        async with self.client.post(self.url + path, data={"csrf": hidden(page, "csrf"), **form}) as reply:
            return reply.status, await reply.text()

    async def come_in(self, link: str, *, remember: bool = False) -> str:
        """Through a link with a code; the page it leads to."""
        path = link.removeprefix(self.url)
        _, page = await self.get(path)
        _, page = await self.post(f"{path}/code", page)
        form = {"code": self.phone.last("ONE_TIME_CODE")["code"]} | ({"remember": "yes"} if remember else {})
        status, page = await self.post(f"{path}/open", page, **form)
        assert status == 200, page
        return page


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]+)">', page)
    assert found is not None, page
    return unescape(found[1])


async def nothing_issued(subject_id: str) -> None:
    """Nobody holds a credential in this house."""


@asynccontextmanager
async def person_house(clock: Clock | None = None, *, database_url: str | None = None) -> AsyncIterator[PersonHouse]:
    clock = clock or SystemClock()
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="yimen-me-") as folder:
        settings = Settings(
            database_url=database_url or f"sqlite:///{Path(folder) / 'yimen.db'}",
            master_key=bytes(range(32)),
            public_url=url,
            demo=True,
        )
        store = await open_store(settings, clock)
        await put_organisations(store)
        await store.clients.put([BANK], actor_org="operator", actor_user="operator")
        oauth = oauth_parts(settings, store, clock)
        register = PurposeRegister({rule.code: rule for rule in (LOAN, CARD, RECEPTION)}, "v1")
        snapshots: Any = SimpleNamespace(
            current=SimpleNamespace(snapshot=SimpleNamespace(schema=build_schema(), purposes=register, sources=SOURCES))
        )
        phone, types = Phone(), load_types()
        offers = offer_room(settings, store, phone, Unsealed(), clock, lambda: types)
        house: Any = SimpleNamespace(offers=offers, types=types)
        persons = persons_of(
            settings,
            store,
            snapshots,
            clock,
            messages=phone,
            keys=oauth.signing_keys,
            facts=StoredFacts(store.database, clock, store.live_consents),
            hasten=nothing_issued,
            my_credentials=my_credentials(house, snapshots, clock),
        )
        web = WebSettings(base_url=url)
        app = build_app(
            execute=FakeExecute(),
            authenticate=oauth.authenticate,
            settings=web,
            pages=[
                *person_routes(persons.parts, oauth.authenticate),
                *ledger_pages(settings, store, snapshots, web, oauth.authenticate, persons.parts.desk, clock),
            ],
        )
        server = server_for(app)
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar, trust_env=False) as client:
                yield PersonHouse(settings, store, oauth, persons, phone, url, client, clock, offers)
        finally:
            app.state.gate.drain()
            server.should_exit = True
            await asyncio.wait_for(serving, 20)
            listener.close()
            await store.close()


async def put_organisations(store: Store) -> None:
    async with store.database.write() as connection:
        for org_id, (zh, en, kind, jurisdiction) in ORGANISATIONS.items():
            row = {
                "org_id": org_id, "name_zh": zh, "name_en": en, "kind": kind, "jurisdiction": jurisdiction,
                "agency_keys": "{}", "purposes": REGISTERED if kind == "BANK" else "[]", "active": True, "updated_at_us": 0,
            }  # fmt: skip
            await connection.execute(sa.insert(organisation).values(row))


__all__ = [
    "CONSENT_SCOPE",
    "ID_NO",
    "NAME",
    "PHONE",
    "SCOPE",
    "PersonHouse",
    "Phone",
    "hidden",
    "person_house",
    "put_organisations",
]
