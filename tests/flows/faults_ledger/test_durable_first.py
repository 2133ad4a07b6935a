"""Where the ledger's outbox takes nothing, nothing leaves: no answer, no refusal, no event, and no business write is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from gateway.bootstrap.composition import stored_facts
from gateway.caller import CallerKind
from gateway.errors import GatewayError
from gateway.oauth.client import Client
from gateway.store import Store
from gateway.store.tables import access_event, change_event
from gateway.store.tables.ledger import ledger_entry, ledger_outbox
from tests.fakes.person_house import ID_NO, PHONE, hidden, put_organisations
from tests.flows.faults_ledger.scene import ASKED, WHOM, covered
from tests.flows.house import House
from tests.flows.sealed_house import Five, five
from tests.flows.test_consent import Bank, OwnFacts, Person, path_in

pytestmark = pytest.mark.anyio
# On SQLite an access and its entry are one row of `access_event_pending` until they are sorted in.
_KEPT_IN = ("ledger_outbox", "access_event_pending")
REFUSE = {
    True: [
        [
            f"CREATE TRIGGER refuses_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no room'); END"
            for table in _KEPT_IN
        ],
        [f"DROP TRIGGER refuses_{table}" for table in _KEPT_IN],
    ],
    False: [
        [
            """CREATE OR REPLACE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'no room'; END $$;
           CREATE TRIGGER refuses BEFORE INSERT ON ledger_outbox FOR EACH STATEMENT EXECUTE FUNCTION refuses()"""
        ],
        ["DROP TRIGGER refuses ON ledger_outbox"],
    ],
}


@pytest.fixture(params=["sqlite", "postgresql"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[House, Five]]:
    given = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("postgresql")}
    facts = OwnFacts()
    async with five(tmp_path) as witnesses:
        if given:
            witnesses.settings = lambda given=given, settings=witnesses.settings, **more: settings(**{**given, **more})  # type: ignore[method-assign]
            await witnesses.introduce()
        async with witnesses.house() as house:
            facts.store = stored_facts(house.gateway.store, house.gateway.clock)
            yield house, witnesses


async def switch(store: Store, *, refusing: bool) -> None:
    statements = REFUSE[store.database.is_sqlite][0 if refusing else 1]
    async with store.database.write() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def counted(store: Store) -> list[int]:
    """Records, and what the ledger has of them."""
    async with store.database.read() as connection:
        return [
            int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
            for table in (access_event, change_event)
        ] + [
            sum(
                [int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
                 for table in (ledger_outbox, ledger_entry)]
            )
        ]  # fmt: skip


REFUSED = ASKED.replace("CC_RECEPTION", "LOAN_SERVICE")


async def by_socket(house: House, query: str) -> str:
    """All that comes over a WebSocket until the operation ends."""
    url, said = f"{house.url}/graphql", []
    async with house.session.ws_connect(url, protocols=("graphql-transport-ws",)) as socket:
        await socket.send_json(house.asker.init(url))
        assert (await socket.receive_json(timeout=5))["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": WHOM}})
        while not said or said[-1]["type"] == "next":
            said.append(await socket.receive_json(timeout=5))
    return json.dumps(said)


async def by_events(house: House, query: str) -> str:
    """All that comes as server-sent events."""
    body, headers = {"query": query, "variables": WHOM}, {**house.headers(), "accept": "text/event-stream"}
    async with house.session.post(f"{house.url}/graphql", json=body, headers=headers) as reply:
        return await reply.text()


async def plain(house: House, query: str) -> str:
    return json.dumps(await house.ask(query, WHOM))


@pytest.mark.parametrize("ask", [plain, by_socket, by_events])
async def test_no_answer_refusal_or_event_leaves_without_its_record(
    opened: tuple[House, Five], ask: Callable[[House, str], Awaitable[str]]
) -> None:
    """Each event of a subscription about a person is held to the same in test_each_event_decided."""
    house, _ = opened
    store = house.gateway.store
    assert "leafHash" in (answered := await ask(house, ASKED))
    assert "residence" in answered
    refused = await ask(house, REFUSED)  # a socket's `error` message has no place beside the errors themselves
    assert ("leafHash" in refused) == (ask is not by_socket)
    assert "default-deny" in refused
    assert "residence" not in refused
    await covered(store)
    await switch(store, refusing=True)
    before = await counted(store)
    for query in (ASKED, REFUSED):
        said = await ask(house, query)
        assert "EVIDENCE_UNAVAILABLE" in said
        for absent in ("residence", "leafHash", "receipt", "default-deny"):
            assert absent not in said, said
    assert await counted(store) == before
    await switch(store, refusing=False)
    assert "leafHash" in await ask(house, ASKED)


async def test_no_consent_and_no_change_of_rules_is_kept_without_its_entry(opened: tuple[House, Five]) -> None:
    house, _ = opened
    store = house.gateway.store
    await put_organisations(store)
    (subject,) = await store.subjects.intern([ID_NO])
    await store.phones.enrol(subject, PHONE, by="lin", org="office", at=house.gateway.clock.now())
    proposal = await store.policies.propose(
        {"10-person.cedar": "forbid (principal, action, resource);"}, by="o", org="a"
    )
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False) as browser:
        bank, person = Bank(house), Person(house, browser)
        await bank.registered()
        asking, request_id = await bank.request()
        page = await person.come_in()
        path = path_in(page)
        await switch(store, refusing=True)
        before = await counted(store)
        form = {"csrf": hidden(page, "csrf"), "seen": hidden(page, "seen")}
        async with browser.post(f"{house.url}{path}/give", data=form) as reply:
            assert reply.status >= 500
        with pytest.raises(GatewayError):
            await store.policies.approve(proposal, by="another", org="a")
        with pytest.raises(GatewayError):
            await store.clients.put(
                [Client("late", "迟", CallerKind.PARTNER, "bank", "BANK", "", {"keys": []})],
                actor_org="o",
                actor_user="o",
            )
        assert await counted(store) == before
        await switch(store, refusing=False)
        assert (await bank.state(asking, request_id))["state"] != "GIVEN"
        assert await store.policies.in_force() is None
        assert await store.clients.find("late") is None
        page = await person.post(f"{path}/give", page, seen=hidden(page, "seen"))
        assert (await bank.state(asking, request_id))["state"] == "GIVEN"
