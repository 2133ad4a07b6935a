"""A gateway with everything of logging in: real store, real pages, real tokens, a toy schema behind GraphQL."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from adapters.egress_http import HttpEgress
from gateway.bootstrap.authorization import authorization
from gateway.bootstrap.logging_in import authorize_parts, open_login, page_tokens
from gateway.bootstrap.oauth_parts import oauth_parts
from gateway.clock import Clock, SystemClock
from gateway.policy.purposes import read_register
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.services.login_ports import Enrolment, Passkey
from gateway.services.passwords import Passwords
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.web.app import build_app
from gateway.web.login_parts import LoginParts
from gateway.web.login_routes import login_routes
from gateway.web.serve import bind, server_for
from gateway.web.settings import WebSettings
from schema.build import build_schema
from tests.fakes.execute import FakeExecute
from tests.fakes.settled import AtTheDoor
from tests.gateway.services.identity_examples import district

PASSWORD = "correct horse 电池 staple"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LOGIN = "cc0001"


@dataclass
class House:
    """What runs, and what it stands on."""

    base_url: str
    store: Store
    parts: LoginParts
    settings: Settings
    importing: ImportIdentities
    execute: FakeExecute = field(default_factory=FakeExecute)

    async def user_id(self, login: str = LOGIN) -> str:
        officer = await self.store.identities.officer_by_login(login)
        assert officer is not None
        return officer.user_id

    async def enrol(self, login: str = LOGIN, *, demo: bool = False, passkey: Passkey | None = None) -> None:
        """With PASSWORD, and TOTP unless there is a passkey."""
        accounts = self.store.login.accounts
        hashed = await Passwords().hash(PASSWORD)
        secret = None if passkey is not None else TOTP
        made = Enrolment(await self.user_id(login), "CC-JUSTICE", hashed, totp_secret=secret, passkey=passkey)
        async with self.store.database.write() as connection:
            await accounts.put(connection, made, demo=demo)


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    text: str = field(repr=False)
    response: aiohttp.ClientResponse = field(repr=False)


def browser() -> aiohttp.ClientSession:
    """Keeps cookies as a browser does; follows nothing by itself."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def hidden(text: str, action: str) -> dict[str, str]:
    """The hidden fields of the page's form that goes to `action`."""
    found = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', text, re.DOTALL)
    assert found is not None, text
    fields = re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', found[0])
    return {name: unescape(value) for name, value in fields}


async def send(client: aiohttp.ClientSession, url: str, fields: dict[str, str], **headers: str) -> Answer:
    """POST a form as it stands; nothing is followed."""
    async with client.post(url, data=fields, headers=headers, allow_redirects=False) as response:
        return Answer(response.status, response.headers.get("location", ""), await response.text(), response)


async def see(client: aiohttp.ClientSession, url: str, **headers: str) -> Answer:
    async with client.get(url, headers=headers, allow_redirects=False) as response:
        return Answer(response.status, response.headers.get("location", ""), await response.text(), response)


async def log_in(
    here: House, client: aiohttp.ClientSession, code: str | None, *, go_on: str = "/graphql", login: str = LOGIN
) -> Answer:
    """Both steps by the pages' own forms; the answer to the last one."""
    shown = await see(client, f"{here.base_url}/login?{urlencode({'continue': go_on})}")
    fields = hidden(shown.text, "/login") | {"login": login, "password": PASSWORD}
    answer = await send(client, f"{here.base_url}/login", fields)
    if code is None or answer.location != "/login/factor":
        return answer
    shown = await see(client, f"{here.base_url}/login/factor")
    return await send(client, f"{here.base_url}/login/factor", hidden(shown.text, "/login/factor") | {"code": code})


@asynccontextmanager
async def house(
    folder: Path, *, clock: Clock | None = None, host: str = "127.0.0.1", floor_s: float = 0.0, **settings: Any
) -> AsyncIterator[House]:
    """Officers of the small district are there; who can log in is the test's matter."""
    clock = clock or SystemClock()
    listener = bind("127.0.0.1", 0)
    base_url = f"http://{host}:{listener.getsockname()[1]}"
    given = Settings(
        database_url=f"sqlite:///{folder}/y.db",
        master_key=bytes(range(32)),
        public_url=base_url,
        graphiql=True,
    )
    given = replace(given, **settings)
    store = await open_store(given, clock)
    egress = HttpEgress()
    importing = ImportIdentities(store.identity_changes, store.subjects, store.revocations, clock)
    await importing(from_files(district()), actor_org="OPERATOR", actor_user="operator")
    oauth = oauth_parts(given, store, clock)
    server = authorization(store, clock, given, oauth, read_register)
    parts = await open_login(given, store, egress, clock, floor_s=floor_s)
    made = page_tokens(store, read_register, oauth.tokens, oauth.server_proofs, base_url, clock)
    nouns = build_schema().nouns
    authorize = authorize_parts(parts, server.authorize, Words(store.identities, lambda: nouns, read_register), clock)
    execute = FakeExecute()
    app = build_app(
        execute=execute,
        authenticate=AtTheDoor(oauth.authenticate),
        settings=WebSettings(graphiql=True, base_url=base_url),
        clock=clock,
        pages=[*server.routes, *login_routes(parts, authorize, made)],
    )
    async with _serving(app, listener):
        try:
            yield House(base_url, store, parts, given, importing, execute)
        finally:
            execute.held.set()
    await egress.close()
    await store.close()


@asynccontextmanager
async def _serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    server = server_for(app)
    task = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        app.state.gate.drain()
        server.should_exit = True
        await asyncio.wait_for(task, 10)
        listener.close()
