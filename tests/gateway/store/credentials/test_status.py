"""Status lists on both databases and two replicas: a place is one credential's for ever, and a revocation shows at once."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from credentials.jose import parse
from credentials.key_files import KeyFiles
from credentials.keys import KeyUse
from credentials.ring import FolderRing
from credentials.ring_changes import compromise
from credentials.status_list import INVALID, SUSPENDED, VALID, StatusList, read_token
from credentials.x5c import check_chain
from gateway.services.credentials.ports import Place
from gateway.store import Store
from gateway.store.credentials.flips import flip
from gateway.store.credentials.status import LIFE, RENEWED, StoredStatusLists
from gateway.store.tables.credentials import status_change, status_list
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
BASE = "https://sj.example.gov.cn/credentials"


@pytest.fixture
def ring(tmp_path: Path, clock: HandClock) -> FolderRing:
    folder = tmp_path / "issuer"
    return FolderRing(folder, KeyFiles(folder, bytes(32)), KeyUse.ISSUER, BASE, clock.now, look_s=0.0)


def uri_of(list_id: str) -> str:
    return f"{BASE}/status/{list_id}"


def lists_of(store: Store, ring: FolderRing, clock: HandClock, size: int = 4096) -> StoredStatusLists:
    return StoredStatusLists(
        store.database, ring, clock, uri_of=uri_of, aggregation_uri=f"{BASE}/status-lists", size=size, ttl_s=30
    )


async def turn(store: Store, clock: HandClock, value: int, *places: Place) -> list[Place]:
    async with store.database.write() as connection:
        return list(await flip(connection, places, value, clock.now()))


async def read(lists: StoredStatusLists, ring: FolderRing, clock: HandClock, list_id: str) -> StatusList:
    """As a verifier reads it: chain, signature, sub, exp."""
    found = await lists.token(list_id)
    assert found is not None
    return believed(found[0], ring, list_id, clock.now())


def believed(token: str, ring: FolderRing, list_id: str, now: datetime) -> StatusList:
    key = check_chain(parse(token, limit=10**7).header["x5c"], ring.roots, now)
    return read_token(token, key, uri_of(list_id), now=now)


async def test_of_many_at_once_in_two_replicas_no_two_get_one_place(
    open_replica: OpenStore, ring: FolderRing, clock: HandClock
) -> None:
    replicas = [lists_of(await open_replica(), ring, clock, size=1024) for _ in range(2)]
    got = await asyncio.gather(*(replicas[n % 2].allot(10) for n in range(80)))
    places = [place for batch in got for place in batch]
    assert len(set(places)) == len(places) == 800
    a_list = Counter(place.list_id for place in places)
    assert max(a_list.values()) <= 512  # half of it, so that whoever is drawn is one of many
    assert set(await replicas[0].lists()) >= set(a_list)
    assert all(0 <= place.index < 1024 for place in places)


async def test_places_are_drawn_and_not_counted(store: Store, ring: FolderRing, clock: HandClock) -> None:
    lists = lists_of(store, ring, clock, size=100_000)
    indices = [place.index for place in await lists.allot(200)]
    assert sorted(indices) != indices
    assert max(indices) - min(indices) > 50_000
    steps = Counter(later - earlier for earlier, later in itertools.pairwise(indices))
    assert steps.most_common(1)[0][1] <= 3


async def test_a_process_that_ended_leaves_its_places_unused(
    open_replica: OpenStore, ring: FolderRing, clock: HandClock
) -> None:
    store = await open_replica()
    first = await lists_of(store, ring, clock).allot(3)
    again = [place for _ in range(10) for place in await lists_of(store, ring, clock).allot(20)]
    assert not set(first) & set(again)


async def test_a_revocation_shows_with_the_next_request_on_every_replica(
    open_replica: OpenStore, ring: FolderRing, clock: HandClock
) -> None:
    stores = [await open_replica(), await open_replica()]
    here, there = (lists_of(store, ring, clock) for store in stores)
    one, two, three = await here.allot(3)
    assert (await read(here, ring, clock, one.list_id)).at(one.index) == VALID
    assert (await there.token(one.list_id)) == (await here.token(one.list_id))
    assert await turn(stores[0], clock, INVALID, one, two) == sorted([one, two], key=lambda place: place.index)
    for lists in (there, here):
        found = await read(lists, ring, clock, one.list_id)
        assert [found.at(place.index) for place in (one, two, three)] == [INVALID, INVALID, VALID]
    assert (await there.token(one.list_id)) == (await here.token(one.list_id))
    await turn(stores[1], clock, SUSPENDED, three)
    assert (await read(here, ring, clock, one.list_id)).at(three.index) == SUSPENDED
    await turn(stores[1], clock, VALID, three)
    assert (await read(here, ring, clock, one.list_id)).at(three.index) == VALID


async def test_revoked_is_final_and_what_did_not_change_is_not_told(
    store: Store, ring: FolderRing, clock: HandClock
) -> None:
    lists = lists_of(store, ring, clock)
    (one, two) = await lists.allot(2)
    assert await turn(store, clock, INVALID, one)
    token = await lists.token(one.list_id)
    for value in (VALID, SUSPENDED, INVALID):
        assert await turn(store, clock, value, one) == []
    assert await turn(store, clock, VALID, two) == []
    unused = next(n for n in range(4096) if n not in (one.index, two.index))
    assert await turn(store, clock, INVALID, Place("0" * 16, 1)) == []
    assert await lists.token(one.list_id) == token
    assert (await read(lists, ring, clock, one.list_id)).at(unused) == VALID
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(status_change)) == 1


async def test_a_flip_that_is_undone_with_its_transaction_shows_nowhere(
    store: Store, ring: FolderRing, clock: HandClock
) -> None:
    lists = lists_of(store, ring, clock)
    (one,) = await lists.allot(1)

    async def fails() -> None:
        async with store.database.write() as connection:
            await flip(connection, [one], INVALID, clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert (await read(lists, ring, clock, one.list_id)).at(one.index) == VALID


async def test_of_many_who_ask_at_once_one_signs(
    store: Store, ring: FolderRing, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = lists_of(store, ring, clock)
    (one,) = await lists.allot(1)
    signed: list[str] = []
    real = lists._sign

    async def counted(*given: object) -> str:
        signed.append(str(given[1]))
        return await real(*given)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(lists, "_sign", counted)
    tokens = await asyncio.gather(*(lists.token(one.list_id) for _ in range(50)))
    assert len(set(tokens)) == len(signed) == 1
    other = lists_of(store, ring, clock)
    assert await other.token(one.list_id) == tokens[0]  # kept for all
    clock.forward(RENEWED.total_seconds() - 1)
    assert await lists.token(one.list_id) == tokens[0]
    clock.forward(1)
    assert await lists.token(one.list_id) != tokens[0]
    assert len(signed) == 2


async def test_a_token_says_how_long_it_holds_and_where_the_others_are(
    store: Store, ring: FolderRing, clock: HandClock
) -> None:
    lists = lists_of(store, ring, clock)
    (one,) = await lists.allot(1)
    found = await lists.token(one.list_id)
    assert found is not None
    jws = parse(found[0], typ="statuslist+jwt")
    assert jws.header["kid"] == (await ring.signer()).kid
    assert (jws.claims["ttl"], jws.claims["sub"]) == (30, uri_of(one.list_id))
    assert jws.claims["exp"] - jws.claims["iat"] == LIFE.total_seconds()
    assert jws.claims["status_list"]["aggregation_uri"] == f"{BASE}/status-lists"
    assert found[0] not in found[1]
    assert await lists.token("0" * 16) is None


async def test_whoever_moves_to_another_address_signs_for_that_one(
    store: Store, ring: FolderRing, clock: HandClock
) -> None:
    lists = lists_of(store, ring, clock)
    (one,) = await lists.allot(1)
    await lists.token(one.list_id)
    moved = StoredStatusLists(
        store.database, ring, clock, uri_of=lambda list_id: f"https://new/{list_id}", aggregation_uri="https://new"
    )
    found = await moved.token(one.list_id)
    assert found is not None
    assert parse(found[0]).claims["sub"] == f"https://new/{one.list_id}"
    assert await moved.token(one.list_id) == found


async def test_a_key_given_up_signs_no_list_any_more(store: Store, ring: FolderRing, clock: HandClock) -> None:
    lists = lists_of(store, ring, clock)
    (one,) = await lists.allot(1)
    before = await lists.token(one.list_id)
    stolen = (await ring.signer()).kid
    await compromise(ring, stolen, clock.now(), "op")
    after = await lists.token(one.list_id)
    assert before is not None
    assert after is not None
    assert parse(before[0]).header["kid"] == stolen != parse(after[0]).header["kid"]


async def test_what_a_list_said_at_any_moment(store: Store, ring: FolderRing, clock: HandClock) -> None:
    lists = lists_of(store, ring, clock)
    begun = clock.now()
    (one, two) = await lists.allot(2)
    clock.forward(100)
    await turn(store, clock, SUSPENDED, one)
    clock.forward(100)
    await turn(store, clock, INVALID, one, two)
    clock.forward(100)
    said = {0: (0, 0), 99: (0, 0), 100: (2, 0), 199: (2, 0), 200: (1, 1), 300: (1, 1)}
    for seconds, values in said.items():
        at = begun + timedelta(seconds=seconds)
        token = await lists.history(one.list_id, at)
        assert token is not None
        found = believed(token, ring, one.list_id, at)
        assert (found.at(one.index), found.at(two.index)) == values
        assert found.issued_at <= at.timestamp() < (found.expires_at or 0)
    assert await lists.history(one.list_id, begun - timedelta(seconds=2)) is None
    assert await lists.history(one.list_id, clock.now() + timedelta(seconds=1)) is None
    assert await lists.history("0" * 16, begun) is None


async def test_asking_for_the_past_again_and_again_signs_once(
    store: Store, ring: FolderRing, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = lists_of(store, ring, clock)
    begun = clock.now()
    (one,) = await lists.allot(1)
    clock.forward(500)
    await turn(store, clock, INVALID, one)
    clock.forward(500)
    tokens = {await lists.history(one.list_id, begun + timedelta(seconds=n)) for n in range(0, 1000, 20)}
    assert len(tokens) == 2


async def test_two_who_revoke_at_once_in_any_order_wait_for_each_other_and_both_are_done(
    open_replica: OpenStore, ring: FolderRing, clock: HandClock
) -> None:
    stores = [await open_replica(), await open_replica()]
    lists = lists_of(stores[0], ring, clock, size=1024)
    places = [place for _ in range(12) for place in await lists.allot(100)]
    assert len({place.list_id for place in places}) > 1
    done = await asyncio.gather(
        *(turn(stores[n % 2], clock, INVALID, *(places if n % 2 else places[::-1])) for n in range(6))
    )
    assert sorted(len(one) for one in done) == [0, 0, 0, 0, 0, 1200]
    async with stores[0].database.read() as connection:
        versions = set(await connection.scalars(sa.select(status_list.c.version)))
    assert versions == {2}
