"""Two replicas, both databases, real HTTP: one answer to a request counts, one reading gets it; a key turned meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from credentials.ring_changes import PUBLISHED_AHEAD, rotate
from gateway.clock import SystemClock
from gateway.settings import Settings
from tests.fakes.holder import sealed
from tests.fakes.show_house import ShowHouse, show_house
from tests.gateway.store.conftest import Databases, HandClock, databases, postgres

__all__ = ["databases", "postgres"]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def two(databases: Databases) -> AsyncIterator[tuple[ShowHouse, ShowHouse]]:
    settings: Settings = databases.migrated()
    async with show_house(database_url=settings.database_url) as first, show_house(beside=first) as second:
        yield first, second


async def test_of_many_answers_at_once_one_counts_and_of_many_readings_one_gets_it(
    two: tuple[ShowHouse, ShowHouse],
) -> None:
    first, _ = two
    bank, holder = await first.bank(), await first.wallet()
    _, made = await first.create(bank)
    request = await holder.fetch(first.client, made["links"]["openid4vp"])
    path = request.claims["response_uri"].removeprefix(first.url)

    async def answer(house: ShowHouse) -> int:
        said = {"vp_token": holder.answer(request), "state": request.claims["state"]}
        async with house.client.post(house.url + path, data={"response": sealed(request, said)}) as reply:
            return reply.status

    statuses = await asyncio.gather(*(answer(two[n % 2]) for n in range(12)))
    assert sorted(statuses) == [200] + [404] * 11

    async def read(house: ShowHouse) -> int:
        url = f"/openid4vp/results/{made['id']}"
        headers = bank.headers("GET", first.url + url)
        async with house.client.get(house.url + url, headers=headers) as reply:
            return reply.status

    readings = await asyncio.gather(*(read(two[n % 2]) for n in range(12)))
    assert sorted(readings) == [200] + [404] * 11


async def test_a_request_that_is_out_ends_under_the_key_it_began_with() -> None:
    now = SystemClock().now()
    clock = HandClock(now - 2 * PUBLISHED_AHEAD)
    async with show_house(clock) as house:
        clock.at = now
        bank, holder = await house.bank(), await house.wallet()
        _, made = await house.create(bank)
        await rotate(house.rings.verifier, "operator")
        request = await holder.fetch(house.client, made["links"]["haip"])
        assert request.claims["client_id"] in made["links"]["haip"].replace("%3A", ":")
        assert await holder.send(house.client, request, holder.answer(request)) == (200, {})
        assert (await house.result(bank, made["id"]))[1]["state"] == "ANSWERED"
        _, after = await house.create(bank)
        later = await holder.fetch(house.client, after["links"]["haip"])
        assert later.claims["client_id"] != request.claims["client_id"]
