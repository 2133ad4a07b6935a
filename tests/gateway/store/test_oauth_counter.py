"""The counter on both databases: one commit for all that a request shows, and no client is remembered past its change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.oauth.client import Client
from gateway.oauth.jose import PrivateKey
from gateway.oauth.keeping import Spend
from gateway.store import Store
from gateway.store.errors import StoreUnavailable
from tests.fakes.authorization import BANK, SYSTEM
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
WHO = {"actor_org": "OPERATOR", "actor_user": "operator"}


@pytest.fixture
async def replicas(open_replica: OpenStore) -> list[Store]:
    opened = [await open_replica(), await open_replica()]
    await opened[0].clients.put([BANK, SYSTEM], **WHO)
    return opened


async def known(store: Store, client_id: str = "bank") -> Client:
    found = await store.counter.find(client_id)
    assert found is not None
    return found


def spends(clock: HandClock, assertion: str = "a", proof: str = "p") -> list[Spend]:
    until = clock.now() + timedelta(minutes=2)
    return [Spend("assertion", assertion, until), Spend("dpop", proof, until)]


async def test_what_is_shown_counts_once_for_all_replicas(replicas: list[Store], clock: HandClock) -> None:
    clients = [await known(store) for store in replicas]
    asked = (replicas[n % 2].counter.settle(clients[n % 2], spends(clock)) for n in range(12))
    assert sorted(await asyncio.gather(*asked)) == ["OK"] + ["assertion"] * 11
    assert await replicas[1].counter.settle(clients[1], spends(clock, assertion="b")) == "dpop"
    assert (
        await replicas[1].counter.settle(clients[1], spends(clock, assertion="b")) == "assertion"
    )  # spent all the same
    assert not await replicas[0].replays.spend("dpop", "p", clock.now())  # one set for everybody
    assert await replicas[0].counter.settle(clients[0], []) == "OK"


async def test_many_different_requests_at_once_all_pass(replicas: list[Store], clock: HandClock) -> None:
    bank, system = await known(replicas[0]), await known(replicas[1], "shunde")
    asked = [replicas[0].counter.settle(bank, spends(clock, f"a{n}", f"p{n}")) for n in range(40)]
    asked += [replicas[1].counter.settle(system, spends(clock, f"b{n}", f"q{n}")) for n in range(40)]
    assert set(await asyncio.gather(*asked)) == {"OK"}


@pytest.mark.parametrize("how", ["disabled", "changed", "rotated"])
async def test_a_change_in_another_replica_counts_with_the_next_request(
    replicas: list[Store], clock: HandClock, how: str
) -> None:
    here, there = replicas
    bank = await known(here)
    if how == "disabled":
        await there.clients.disable("bank", **WHO)
    elif how == "changed":
        await there.clients.put([replace(BANK, purposes=frozenset())], **WHO)  # in the very same instant
    else:
        await there.clients.rotate("bank", {"keys": [PrivateKey.generate().public_jwk()]}, timedelta(0), **WHO)
    assert await here.counter.settle(bank, spends(clock)) == "CHANGED"
    again = await here.counter.find("bank")
    if how == "disabled":
        assert again is None
    else:
        assert again is not None
        assert again != bank
        assert await here.counter.settle(again, spends(clock)) == "OK"  # nothing was spent before
        assert await here.counter.settle(bank, spends(clock, "c", "d")) == "CHANGED"  # a reading of before


async def test_old_keys_are_not_remembered_past_their_end(replicas: list[Store], clock: HandClock) -> None:
    store = replicas[0]
    await store.clients.rotate("bank", {"keys": [PrivateKey.generate().public_jwk()]}, timedelta(minutes=5), **WHO)
    assert len((await known(store)).jwks["keys"]) == 2
    clock.forward(300)
    assert len((await known(store)).jwks["keys"]) == 1
    first = await known(store)
    assert await known(store) is first  # and then remembered


async def test_the_memory_of_clients_saves_the_look_up_and_nothing_else(replicas: list[Store]) -> None:
    store = replicas[0]
    assert await known(store) is await known(store)
    assert await store.counter.find("nobody") is None
    await replicas[1].clients.put([replace(BANK, client_id="nobody")], **WHO)
    assert await store.counter.find("nobody") is not None


async def test_a_connection_that_broke_is_replaced(replicas: list[Store], clock: HandClock) -> None:
    store = replicas[0]
    bank = await known(store)
    assert await store.counter.settle(bank, spends(clock)) == "OK"
    if store.database.is_sqlite:
        return
    held = store.counter._journal._held._held  # type: ignore[attr-defined]
    pid = (await held.get_raw_connection()).driver_connection.info.backend_pid
    async with store.database.read() as connection:
        await connection.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))
    with pytest.raises(StoreUnavailable):
        await store.counter.settle(bank, spends(clock, "b", "q"))
    assert await store.counter.settle(bank, spends(clock, "c", "r")) == "OK"
