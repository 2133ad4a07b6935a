"""The register of clients on both databases: what goes in comes out, and every change leaves its evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
import sqlalchemy as sa

from gateway.oauth.jose import PrivateKey
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.store import Store
from gateway.store.tables import change_event
from tests.fakes.authorization import BANK, OFFICER, RS, SYSTEM
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
WHO = {"actor_org": "OPERATOR", "actor_user": "operator"}


async def kinds(store: Store) -> list[str]:
    async with store.database.read() as connection:
        return list(await connection.scalars(sa.select(change_event.c.kind).order_by(change_event.c.id)))


async def test_clients_come_out_as_they_went_in(store: Store) -> None:
    await store.clients.put([OFFICER, BANK, SYSTEM, RS], **WHO)
    for client in (OFFICER, BANK, SYSTEM, RS):
        assert await store.clients.find(client.client_id) == client
    assert [state.client.client_id for state in await store.clients.all()] == ["bank", "desk", "rs", "shunde"]
    assert await store.clients.client_ids_of("agency-1") == ["desk", "rs"]
    assert await store.clients.find("nobody") is None
    assert await kinds(store) == ["CLIENT_REGISTERED"] * 4


async def test_a_disabled_client_looks_as_if_it_did_not_exist_in_every_replica(
    open_replica: OpenStore,
) -> None:
    one, other = await open_replica(), await open_replica()
    await one.clients.put([BANK], **WHO)
    assert await one.clients.disable("bank", **WHO)
    assert await other.clients.find("bank") is None
    assert not await other.clients.disable("bank", **WHO)
    await one.clients.put([replace(BANK, client_name="新名")], **WHO)  # a change does not switch it on
    assert await one.clients.find("bank") is None
    state = await one.clients.state("bank")
    assert state is not None
    assert state.client.disabled
    assert await one.clients.enable("bank", **WHO)
    assert not await one.clients.enable("bank", **WHO)
    found = await other.clients.find("bank")
    assert found is not None
    assert found.client_name == "新名"
    assert await kinds(one) == ["CLIENT_REGISTERED", "CLIENT_DISABLED", "CLIENT_REGISTERED", "CLIENT_ENABLED"]


async def test_old_keys_verify_for_as_long_as_was_said(store: Store, clock: HandClock) -> None:
    await store.clients.put([BANK], **WHO)
    new = PrivateKey.generate()
    assert await store.clients.rotate("bank", {"keys": [new.public_jwk()]}, timedelta(hours=1), **WHO)
    found = await store.clients.find("bank")
    assert found is not None
    assert found.jwks["keys"] == [new.public_jwk(), *BANK.jwks["keys"]]
    clock.forward(3600)
    found = await store.clients.find("bank")
    assert found is not None
    assert found.jwks["keys"] == [new.public_jwk()]
    assert not await store.clients.rotate("nobody", {"keys": []}, timedelta(0), **WHO)
    async with store.database.read() as connection:
        query = sa.select(change_event.c.detail).where(change_event.c.kind == "CLIENT_KEYS_ROTATED")
        detail = orjson.loads(await connection.scalar(query))
    assert detail == {"keys": [new.kid], "overlap_s": 3600}


async def test_a_client_stands_as_its_organisation_stands_now(store: Store, clock: HandClock) -> None:
    def imported(**changes: str) -> dict[str, bytes]:
        bank = {"kind": "BANK", "purposes": "LOAN_SERVICE;STATEMENT_CHECK", "active": "是"} | changes
        row = f"org_id,name_zh,kind,purposes,active\nthe-bank,银行,{bank['kind']},{bank['purposes']},{bank['active']}\n"
        return {"organisations.csv": row.replace("the-bank", "BANK-1").encode()}

    importing = ImportIdentities(
        store.identity_changes, store.subjects, store.revocations, clock, clients=store.clients
    )

    async def change(**changes: str) -> None:
        assert not (await importing(from_files(imported(**changes)), actor_org="OPERATOR", actor_user="o")).faults

    bank = replace(BANK, org_id="BANK-1", org_kind="EMPLOYER", purposes=frozenset({"LOAN_SERVICE", "EMPLOYMENT"}))
    await store.clients.put([bank], actor_org="OPERATOR", actor_user="o")
    held = await store.counter.find("bank")
    assert held == bank  # in no register yet: as it was said
    await change()
    assert await store.counter.settle(held, []) == "CHANGED"
    found = await store.counter.find("bank")
    assert found is not None
    assert (found.org_kind, found.purposes) == ("BANK", {"LOAN_SERVICE"})
    assert await store.counter.settle(found, []) == "OK"
    await change(purposes="STATEMENT_CHECK", kind="INSURER")
    assert await store.counter.settle(found, []) == "CHANGED"
    found = await store.clients.find("bank")
    assert found is not None
    assert (found.org_kind, found.purposes) == ("INSURER", frozenset())
    held = await store.counter.find("bank")
    assert held is not None
    await change(active="否")
    assert await store.clients.find("bank") is None
    assert await store.counter.settle(held, []) == "CHANGED"
    assert await store.counter.find("bank") is None
    await change(active="是")
    assert (await store.clients.find("bank")) is not None
    state = await store.clients.state("bank")
    assert state is not None
    assert state.client == bank  # an operator is shown what was registered
