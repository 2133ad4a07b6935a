"""Showing over real HTTP: a gateway's endpoints on one store, the product's types, and credentials issued by the test."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from adapters.egress_http import HttpEgress
from credentials.credential_type import CredentialType
from credentials.jose import Signer
from credentials.sd_jwt import issue
from credentials.type_files import load_types
from gateway.bootstrap.credential_keys import Rings, open_rings
from gateway.bootstrap.credential_presenting import presenting_parts
from gateway.bootstrap.logging_in import open_login
from gateway.bootstrap.oauth_parts import OAuthParts, oauth_parts
from gateway.bootstrap.persons import persons_of
from gateway.caller import CallerKind
from gateway.clock import Clock, SystemClock
from gateway.oauth.client import Client
from gateway.oauth.terms import PRESENTATION_SCOPE
from gateway.policy.purposes import read_register
from gateway.services.credentials.facts_digest import facts_text
from gateway.services.credentials.ports import Acting, FactSource, Issued, Place
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.services.presenting.templates import built_in
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.credentials.errands import StoredErrands
from gateway.store.credentials.issued import StoredIssued
from gateway.store.credentials.status import StoredStatusLists, flip
from gateway.store.facts import StoredFacts
from gateway.web.app import build_app
from gateway.web.login_parts import LoginParts
from gateway.web.openid4vp.counter import CounterParts, counter_routes
from gateway.web.openid4vp.routes import presenting_routes
from gateway.web.serve import bind, server_for
from gateway.web.settings import WebSettings
from gateway.web.token_door import token_door
from schema.build import build_schema
from tests.fakes.execute import FakeExecute
from tests.fakes.holder import Holder
from tests.fakes.person_house import ID_NO, Phone, put_organisations
from tests.fakes.tokens import Asker, partner
from tests.gateway.services.identity_examples import district
from tests.gateway.store.credentials.issuing import issued_of


async def nobody(subject_id: str) -> None:
    """Nobody's facts are followed in this house."""


BEFORE = "0.9"
"""A version of the proof of residence that people still hold."""
BACK = "https://bank.example/back"
BANK = Client(
    "bank-client", "禅城示范银行", CallerKind.PARTNER, "bank", "BANK", "440604", {"keys": []},
    grant_types=frozenset({"client_credentials"}), scope=frozenset({PRESENTATION_SCOPE}), redirect_uris=(BACK,),
    purposes=frozenset({"LOAN_SERVICE"}),
)  # fmt: skip
SHOP = replace(BANK, client_id="shop-client", client_name="另一家", org_id="shop", purposes=frozenset({"EMPLOYMENT"}))


@dataclass
class ShowHouse:
    settings: Settings
    store: Store
    oauth: OAuthParts
    rings: Rings
    lists: StoredStatusLists
    types: Mapping[str, CredentialType]
    url: str
    client: aiohttp.ClientSession
    clock: Clock
    issued: StoredIssued
    errands: StoredErrands
    login: LoginParts

    async def bank(self, **changes: Any) -> Asker:
        return await partner(self, "bank-client", **{"scope": {PRESENTATION_SCOPE}, **changes})

    async def create(self, asker: Asker, **changes: Any) -> tuple[int, dict[str, Any]]:
        body = {"template": "bank-account-opening", "reference": "acc-2026-118"} | changes
        url = f"{self.url}/openid4vp/requests"
        async with self.client.post(url, json=body, headers=asker.headers("POST", url)) as reply:
            return reply.status, await reply.json(content_type=None)

    async def result(self, asker: Asker, id: str, code: str | None = None) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}/openid4vp/results/{id}"
        if code is None:
            sent = self.client.get(url, headers=asker.headers("GET", url))
        else:
            sent = self.client.post(url, json={"response_code": code}, headers=asker.headers("POST", url))
        async with sent as reply:
            return reply.status, await reply.json(content_type=None)

    async def issue(
        self,
        holder: Holder,
        type_id: str,
        claims: Mapping[str, Any],
        *,
        signer: Signer | None = None,
        id_no: str | None = ID_NO,
        **changes: Any,
    ) -> tuple[str, Place]:
        """A credential of our own issuer's, with a place in a status list of ours; remembered as this person's, if any's."""
        (place,) = await self.lists.allot(1)
        if id_no is not None:
            (subject,) = await self.store.subjects.intern([id_no])
            await self._remember(subject, holder, type_id, place)
        signer = signer or await self.rings.issuer.signer()
        now = self.clock.now()
        always = {
            "iss": self.url,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(days=90)).timestamp()),
            "vct": self.types[type_id].vct(self.url),
            "cnf": {"jwk": holder.jwk},
            "status": {"status_list": {"idx": place.index, "uri": self.list_uri(place.list_id)}},
        } | changes
        always = {name: value for name, value in always.items() if value is not None}
        header = {"kid": signer.kid, **({"x5c": list(signer.x5c)} if signer.x5c else {})}
        return issue(signer, always, claims, header=header), place

    async def wallet(self, id_no: str = ID_NO) -> Holder:
        """A holder with both credentials of the bank's template, every claim true."""
        holder = Holder()
        for wanted in built_in()["bank-account-opening"].wanted:
            holder.credentials[wanted.id], _ = await self.issue(
                holder,
                wanted.type_id,
                dict.fromkeys(wanted.claims, True) | {"further": "nobody's business"},
                id_no=id_no,
            )
        return holder

    async def _remember(self, subject_id: str, holder: Holder, type_id: str, place: Place) -> None:
        """As the issuer does: whose credential stands at this place, and of what facts."""
        now = self.clock.now()
        facts = facts_text({}, [FactSource("residence", "LGB", now - timedelta(days=3))])
        one = Issued(
            secrets.token_hex(16), secrets.token_hex(16), subject_id, type_id, type_id,
            Acting("office", "JUSTICE_OFFICE", "440604", "2026-1"), secrets.token_hex(16), None, "kid", place,
            holder.key.public.thumbprint, now, now + timedelta(days=90), facts, b"d" * 32,
        )  # fmt: skip
        await self.issued.add([one], notification_id=secrets.token_urlsafe(24), next_check_at=now + timedelta(days=1))

    async def clerk(self, login: str = "sw0001") -> dict[str, str]:
        """A logged-in officer's cookie, as a header."""
        importing = ImportIdentities(
            self.store.identity_changes, self.store.subjects, self.store.revocations, self.clock
        )
        await importing(from_files(district()), actor_org="OPERATOR", actor_user="operator")
        officer = await self.store.identities.officer_by_login(login)
        assert officer is not None
        cookie = secrets.token_urlsafe(32)
        await self.login.sessions.open(cookie, officer, 2, ("pwd", "otp"))
        return {"cookie": f"{self.login.session_cookie.name}={cookie}"}

    async def flip(self, place: Place, value: int) -> None:
        async with self.store.database.write() as connection:
            await flip(connection, [place], value, self.clock.now())

    def list_uri(self, list_id: str) -> str:
        return f"{self.url}/credentials/status/{list_id}"


@asynccontextmanager
async def show_house(
    clock: Clock | None = None,
    *,
    database_url: str | None = None,
    beside: ShowHouse | None = None,
    profile: str = "both",
    trust_dir: Path | None = None,
) -> AsyncIterator[ShowHouse]:
    """`beside`: another replica, over the same database and keys, and under the same public address."""
    clock = clock or (beside.clock if beside is not None else SystemClock())
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="yimen-show-") as folder:
        settings = Settings(
            database_url=database_url or f"sqlite:///{Path(folder) / 'yimen.db'}",
            master_key=bytes(range(32)),
            public_url=url,
            state_dir=Path(folder),
            demo=True,
        )
        settings = replace(settings, credentials=replace(settings.credentials, profile=profile, trust_dir=trust_dir))
        if beside is not None:
            settings = replace(
                beside.settings,
                credentials=replace(
                    beside.settings.credentials, keys_dir=beside.settings.state_dir / "credential-keys"
                ),
            )
        async with AsyncExitStack() as stack:
            store = await open_store(settings, clock)
            stack.push_async_callback(store.close)
            egress = HttpEgress()
            stack.push_async_callback(egress.close)
            if beside is None:
                await put_organisations(store)
                await store.clients.put([BANK, SHOP], actor_org="operator", actor_user="operator")
            oauth = oauth_parts(settings, store, clock)
            snapshots: Any = SimpleNamespace(
                current=SimpleNamespace(snapshot=SimpleNamespace(schema=build_schema(), purposes=read_register()))
            )
            rings = await open_rings(settings, store.keys, clock)
            base = settings.base_url
            lists = StoredStatusLists(
                store.database,
                rings.issuer,
                clock,
                uri_of=lambda list_id: f"{base}/credentials/status/{list_id}",
                aggregation_uri=f"{base}/credentials/status-lists",
                size=4096,
            )
            types = load_types()
            persons = persons_of(
                settings,
                store,
                snapshots,
                clock,
                messages=Phone(),
                keys=oauth.signing_keys,
                facts=StoredFacts(store.database, clock, store.live_consents),
                hasten=nobody,
            )
            issued = issued_of(store, clock)
            errands = StoredErrands(store.database, clock, frozenset(types))
            parts = presenting_parts(
                settings,
                store,
                snapshots,
                rings,
                types,
                lists,
                egress,
                clock,
                issued=issued,
                give=persons.parts.consents,
                errands=errands,
                older=(replace(types["residence"], version=BEFORE),),
            )
            admit = token_door(oauth.authenticate, settings.base_url)
            login = await open_login(settings, store, egress, clock, floor_s=0.0)
            counter = CounterParts(login, parts.create, parts.results, built_in(), lambda: types, base)
            app = build_app(
                execute=FakeExecute(),
                authenticate=oauth.authenticate,
                settings=WebSettings(base_url=settings.base_url),
                pages=[*presenting_routes(parts, admit), *counter_routes(counter)],
            )
            server = server_for(app)
            serving = asyncio.create_task(server._serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.005)
            client = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            try:
                yield ShowHouse(settings, store, oauth, rings, lists, types, url, client, clock, issued, errands, login)
            finally:
                app.state.gate.drain()
                server.should_exit = True
                await asyncio.wait_for(serving, 20)
                listener.close()
