"""Single use: one of many gets it, whoever else asks at the same moment, in whichever replica."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.store import Store
from gateway.store.replay import StoredReplays
from gateway.store.tables.oauth_keys import spent_once
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio


async def rows(store: Store) -> int:
    async with store.database.read() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(spent_once)) or 0)


async def test_the_first_gets_it_and_kinds_and_keys_are_apart(store: Store, clock: HandClock) -> None:
    until = clock.now() + timedelta(minutes=5)
    assert await store.replays.spend("assertion", "k", until)
    assert not await store.replays.spend("assertion", "k", until)
    assert await store.replays.spend("dpop", "k", until)
    assert await store.replays.spend("assertion", "K", until)


async def test_of_forty_at_once_in_two_replicas_one_gets_it(open_replica: OpenStore, clock: HandClock) -> None:
    replicas = [await open_replica(), await open_replica()]
    until = clock.now() + timedelta(minutes=5)
    for number in range(3):
        got = await asyncio.gather(*(replicas[n % 2].replays.spend("dpop", f"k{number}", until) for n in range(40)))
        assert sum(got) == 1


async def test_what_is_past_is_cleared_away_in_steps_and_what_is_not_stays(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.replay._PURGE_STEP", 3)
    for number in range(10):
        await store.replays.spend("dpop", f"old{number}", clock.now() + timedelta(seconds=10))
    await store.replays.spend("dpop", "new", clock.now() + timedelta(seconds=100))
    clock.forward(11)
    assert await store.replays.purge() == 10
    assert await rows(store) == 1
    assert not await store.replays.spend("dpop", "new", clock.now() + timedelta(seconds=100))
    assert await store.replays.purge() == 0


async def test_clearing_away_happens_by_itself_now_and_then(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.replays.spend("dpop", "old", clock.now())
    clock.forward(1)
    await store.replays.spend("dpop", "not yet", clock.now() + timedelta(minutes=1))
    assert await rows(store) == 2
    monkeypatch.setattr("gateway.store.replay._PURGE_EVERY_S", 0.0)
    await store.replays.spend("dpop", "now", clock.now() + timedelta(minutes=1))
    assert await rows(store) == 2


async def test_what_was_spent_stays_spent_when_the_store_is_opened_again(
    open_replica: OpenStore, clock: HandClock
) -> None:
    first = await open_replica()
    until = clock.now() + timedelta(minutes=1)
    assert await first.replays.spend("assertion", "k", until)
    again = await open_replica()
    assert not await StoredReplays(again.database, clock).spend("assertion", "k", until)
