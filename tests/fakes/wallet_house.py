"""What a browser wallet meets: one origin that issues, asks and serves the wallet. Store, keys, status lists, token endpoint,
issuing and showing are the real rooms; only what the departments say is held in the test's hands.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.egress_http import HttpEgress
from credentials.credential_type import SD_JWT, W3C, CredentialType, configuration_of
from credentials.type_files import load_types
from credentials.type_metadata import card_svg, type_metadata
from gateway.bootstrap.authorization import authorization
from gateway.bootstrap.credential_issuance import issuing_room
from gateway.bootstrap.credential_offers import OfferRoom, offer_room
from gateway.bootstrap.credential_presenting import presenting_parts
from gateway.bootstrap.credential_status import key_room
from gateway.bootstrap.credential_verifying import verifying_room
from gateway.bootstrap.oauth_parts import OAuthParts, oauth_parts
from gateway.bootstrap.persons import persons_of
from gateway.clock import Clock, SystemClock
from gateway.policy.purposes import read_register
from gateway.services.credentials.offer_credential import Offered
from gateway.services.credentials.ports import (
    CredentialState,
    FactSource,
    FactsState,
    Fetched,
    OfferOrigin,
)
from gateway.services.ledger.seals import Unsealed
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.credentials.holders import StoredHolders
from gateway.store.facts import StoredFacts
from gateway.web.app import build_app
from gateway.web.openid4vp.routes import presenting_routes
from gateway.web.problems import Reply
from gateway.web.serve import bind, server_for
from gateway.web.settings import WebSettings
from gateway.web.token_door import token_door
from gateway.web.wallet.routes import wallet_routes
from schema.build import build_schema
from tests.fakes.execute import FakeExecute
from tests.fakes.issuing import ACTING
from tests.fakes.person_house import put_organisations
from tests.fakes.show_house import BANK, nobody
from tests.fakes.tokens import Asker, partner

ID_NO = "440606199003070017"
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "residence": {
        "districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "name": "张三",
        "address": "佛山市禅城区祖庙街道某路 1 号", "residentSince": "2024-03-01",
    },
    "stable-income": {"stableIncome": True, "name": "张三"},
}  # fmt: skip


@dataclass
class Departments:
    """A `FetchFacts` by hand: `state` is what they say of whatever they are asked."""

    state: FactsState = FactsState.READY

    async def __call__(self, subject_id: str, type_id: str, acting: Any, *, purpose: str, reference: str) -> Fetched:
        if self.state is not FactsState.READY:
            return Fetched(self.state)
        source = FactSource("residence", "mps", None)
        return Fetched(self.state, CLAIMS[type_id], (source,), receipt_id="0193c0de-0000-7000-8000-000000000001")


@dataclass
class WalletHouse:
    url: str
    settings: Settings
    store: Store
    oauth: OAuthParts
    offers: OfferRoom
    departments: Departments
    client: aiohttp.ClientSession = field(repr=False)
    clock: Clock

    async def person(self) -> str:
        (subject_id,) = await self.store.subjects.intern([ID_NO])
        await self.store.subjects.remember(subject_id, ID_NO, "张三")
        return subject_id

    async def offer(self, *types: str, tx_code: bool = False) -> Offered:
        return await self.offers.offer(
            acting=ACTING, actor_user="u-1", origin=OfferOrigin.OFFICER, subject_id=await self.person(),
            configuration_ids=types or ("residence",), tx_code=tx_code,
        )  # fmt: skip

    async def moments(self, offered: Offered) -> list[str]:
        """The offer's timeline."""
        return [one.kind for one in await self.offers.offers.timeline(offered.offer.offer_id)]

    async def set_state(self, state: CredentialState) -> None:
        """Of everything the person holds."""
        issued = await self.offers.issued.of_person(await self.person())
        for batch_id in {one.batch_id for one in issued}:
            await self.offers.issued.set_state(batch_id, state, "FACT_CHANGED")

    async def ask(self, *, template: str = "bank-residence", **changes: Any) -> tuple[Asker, dict[str, Any]]:
        """The bank asks: who it is, and what it got for its request."""
        bank = await partner(self, "bank-client", scope={"presentation:create"})
        url = f"{self.url}/openid4vp/requests"
        body = {"template": template, "reference": "acc-2026-118"} | changes
        async with self.client.post(url, json=body, headers=bank.headers("POST", url)) as reply:
            made = await reply.json()
            assert reply.status == 201, made
            return bank, made

    async def result(self, bank: Asker, made: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}/openid4vp/results/{made['id']}"
        async with self.client.get(url, headers=bank.headers("GET", url)) as reply:
            return reply.status, await reply.json()


@asynccontextmanager
async def wallet_house() -> AsyncIterator[WalletHouse]:
    clock, departments = SystemClock(), Departments()
    listener = bind("127.0.0.1", 0)
    url = f"http://localhost:{listener.getsockname()[1]}"  # a browser signs nothing for an origin that is not secure
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yimen-wallet-")))
        settings = Settings(
            database_url=f"sqlite:///{folder / 'yimen.db'}", master_key=bytes(range(32)), public_url=url,
            state_dir=folder, demo=True,
        )  # fmt: skip
        settings = replace(settings, credentials=replace(settings.credentials, status_size=4096, status_ttl_s=1))
        store = await open_store(settings, clock)
        stack.push_async_callback(store.close)
        egress = HttpEgress()
        stack.push_async_callback(egress.close)
        await put_organisations(store)
        await store.clients.put([BANK], actor_org="operator", actor_user="operator")
        keys = await stack.enter_async_context(key_room(settings, store, clock))
        types = load_types()
        known = [configuration_of(one, form) for one in types for form in (SD_JWT, W3C)]
        offers = offer_room(settings, store, store.inbox, Unsealed(), clock, lambda: known)
        issuing = issuing_room(
            settings, store, clock, ring=keys.rings.issuer, types=types, status=keys.lists, offers=offers,
            facts=departments, seals=Unsealed(), messages=store.inbox,
            persons=StoredHolders(store.database, store.subjects, clock),
        )  # fmt: skip
        oauth = oauth_parts(settings, store, clock)
        snapshots: Any = SimpleNamespace(
            current=SimpleNamespace(snapshot=SimpleNamespace(schema=build_schema(), purposes=read_register()))
        )
        persons = persons_of(
            settings, store, snapshots, clock, messages=store.inbox, keys=oauth.signing_keys,
            facts=StoredFacts(store.database, clock, store.live_consents), hasten=nobody,
        )  # fmt: skip
        showing = presenting_parts(
            settings, store, snapshots, keys.rings, types, keys.lists, egress, clock,
            issued=offers.issued, give=persons.parts.consents,
        )  # fmt: skip
        server = authorization(store, clock, settings, oauth, read_register, issuing.codes)
        app = build_app(
            execute=FakeExecute(),
            authenticate=oauth.authenticate,
            settings=WebSettings(base_url=url),
            pages=[
                *server.routes, *issuing.routes, *keys.routes, *wallet_routes(), *_type_routes(types, url),
                *presenting_routes(showing, token_door(oauth.authenticate, url)),
                *verifying_room(settings, keys.rings, keys.lists, types, clock),
            ],
        )  # fmt: skip
        web = server_for(app)
        serving = asyncio.create_task(web._serve(sockets=[listener]))
        async with asyncio.timeout(20):
            while not web.started:
                await asyncio.sleep(0.005)
        client = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        try:
            yield WalletHouse(url, settings, store, oauth, offers, departments, client, clock)
        finally:
            app.state.gate.drain()
            web.should_exit = True
            await asyncio.wait_for(serving, 20)


def _type_routes(types: Mapping[str, CredentialType], url: str) -> list[Route]:
    """The documents at the addresses credentials name."""
    found = []
    for kind in types.values():
        path = kind.vct(url).removeprefix(url)
        found.append(Route(path, _Fixed(type_metadata(kind, url), b"application/json")))
        found.append(Route(f"{path}/card.svg", _Fixed(card_svg(kind), b"image/svg+xml")))
    return found


@dataclass(frozen=True)
class _Fixed:
    body: bytes
    kind: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(200, self.body, self.kind)(scope, receive, send)
