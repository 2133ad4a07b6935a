"""Requests that wait: one takes them, one delivers them, and nobody reads them without the person's key."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.services.credentials.ports import Deferred
from gateway.store import Store
from gateway.store.credentials.deferred import StoredDeferred
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.store.tables.credentials import credential_deferred
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.credentials.issuing import person

pytestmark = pytest.mark.anyio
ID, KEY = "transaction-1", hashlib.sha256(b"transaction-1").hexdigest()


def deferred_of(store: Store, clock: HandClock) -> StoredDeferred:
    return StoredDeferred(store.database, PersonalColumns(store.keys, store.subject_keys.ring), clock)


async def waits(store: Store, clock: HandClock) -> Deferred:
    now = clock.now()
    request = {"keys": [{"kty": "EC", "x": "holder-key"}], "encryption": None}
    return Deferred(
        "g1", await person(store), "residence", request, now + timedelta(minutes=1), now + timedelta(days=7)
    )


async def test_it_is_found_by_its_own_grant_and_sealed_meanwhile(store: Store, clock: HandClock) -> None:
    requests, one = deferred_of(store, clock), await waits(store, clock)
    await requests.add(ID, one)
    assert await requests.find(ID, "g1") == one
    assert await requests.waiting(KEY) == one
    assert await requests.find(ID, "g2") is None
    assert await requests.find("transaction-2", "g1") is None
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(credential_deferred))).one()
    assert b"holder-key" not in bytes(row.request_ct)
    assert ID.encode() not in bytes(row.transaction_hash)


async def test_one_of_many_takes_it_once_its_time_has_come(open_replica: OpenStore, clock: HandClock) -> None:
    stores = [await open_replica(), await open_replica()]
    await deferred_of(stores[0], clock).add(ID, await waits(stores[0], clock))
    until = clock.now() + timedelta(minutes=3)
    assert not await deferred_of(stores[0], clock).take(KEY, until)
    clock.forward(60)
    takes = [deferred_of(stores[n % 2], clock).take(KEY, until) for n in range(10)]
    assert sorted(await asyncio.gather(*takes)) == [False] * 9 + [True]


async def test_one_of_many_delivers_it(open_replica: OpenStore, clock: HandClock) -> None:
    stores = [await open_replica(), await open_replica()]
    await deferred_of(stores[0], clock).add(ID, await waits(stores[0], clock))
    closing = [deferred_of(stores[n % 2], clock).close(ID) for n in range(10)]
    assert sorted(await asyncio.gather(*closing)) == [False] * 9 + [True]
    assert await deferred_of(stores[0], clock).find(ID, "g1") is None
    async with stores[0].database.read() as connection:
        assert await connection.scalar(sa.select(credential_deferred.c.request_ct)) is None


async def test_what_is_ready_is_held_until_it_is_fetched(store: Store, clock: HandClock) -> None:
    requests, one = deferred_of(store, clock), await waits(store, clock)
    await requests.add(ID, one)
    ready = replace(one, request={**one.request, "ready": {"credentials": []}}, retry_at=clock.now())
    assert await requests.hold(KEY, ready)
    assert await requests.find(ID, "g1") == ready
    await requests.close(ID)
    assert not await requests.hold(KEY, ready)


async def test_it_has_its_end(store: Store, clock: HandClock) -> None:
    requests = deferred_of(store, clock)
    await requests.add(ID, await waits(store, clock))
    assert await requests.find(ID, "g1") is not None
    clock.forward(7 * 86_400)
    assert await requests.find(ID, "g1") is None
    assert not await requests.close(ID)
    assert not await requests.take(KEY, clock.now())
