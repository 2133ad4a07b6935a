"""Single use, on both databases and with two replicas: of any number who try at once, one gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.oauth.keeping import Code, InitialPolicy, PushedRequest, RefreshToken
from gateway.oauth.ports import Admission, Grant
from gateway.store import Store
from gateway.store.oauth_purge import OAuthPurge
from gateway.store.tables import change_event
from gateway.store.tables.oauth import oauth_code, oauth_pushed_request, oauth_refresh_token
from tests.fakes.authorization import BANK
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio

URI = "urn:ietf:params:oauth:request_uri:one"
RESOURCE = "https://gw.example/graphql"


def grant(clock: HandClock, grant_id: str = "g1", user_id: str = "u1") -> Grant:
    now = clock.now()
    return Grant(
        grant_id, "desk", user_id, frozenset({"graphql"}), [], {"org_id": "o1"}, now, now + timedelta(hours=12)
    )


def code(clock: HandClock, grant_id: str = "g1") -> Code:
    return Code(grant_id, "desk", "https://desk.example/cb", "c" * 43, RESOURCE, clock.now() + timedelta(seconds=60))


def refresh(clock: HandClock, grant_id: str = "g1") -> RefreshToken:
    return RefreshToken(grant_id, "desk", RESOURCE, clock.now(), clock.now() + timedelta(hours=12))


async def push(store: Store, clock: HandClock, uri: str = URI) -> None:
    until = clock.now() + timedelta(seconds=300)
    await store.pushed.push(uri, PushedRequest("desk", {"state": "s"}, expires_at=until))


async def issue(store: Store, clock: HandClock, grant_id: str = "g1") -> None:
    await push(store, clock, URI + grant_id)
    assert await store.grants.authorise(
        URI + grant_id, f"code-{grant_id}", code(clock, grant_id), grant(clock, grant_id)
    )


async def at_once(stores: list[Store], ask: Callable[[Store, int], Awaitable[Any]], times: int = 8) -> list[Any]:
    return await asyncio.gather(*(ask(stores[number % len(stores)], number) for number in range(times)))


@pytest.fixture
async def replicas(open_replica: OpenStore) -> list[Store]:
    """Two processes on PostgreSQL; on SQLite, which is one process by rule, two handles all the same."""
    return [await open_replica(), await open_replica()]


async def test_a_pushed_request_is_authorised_once(replicas: list[Store], clock: HandClock) -> None:
    await push(replicas[0], clock)

    async def authorise(store: Store, number: int) -> bool:
        name = f"g{number}"
        return await store.grants.authorise(URI, f"code-{name}", code(clock, name), grant(clock, name))

    assert sorted(await at_once(replicas, authorise)) == [False] * 7 + [True]
    async with replicas[0].database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(oauth_code)) == 1
    assert await replicas[1].pushed.find(URI) is None


async def test_a_pushed_request_is_either_authorised_or_refused(replicas: list[Store], clock: HandClock) -> None:
    await push(replicas[0], clock)

    async def end(store: Store, number: int) -> bool:
        if number % 4 < 2:
            return await store.pushed.burn(URI)
        name = f"g{number}"
        return await store.grants.authorise(URI, f"code-{name}", code(clock, name), grant(clock, name))

    assert sum(await at_once(replicas, end)) == 1


async def test_a_code_is_redeemed_once_and_shown_again_it_ends_its_grant(
    replicas: list[Store], clock: HandClock
) -> None:
    await issue(replicas[0], clock)
    found = await at_once(replicas, lambda store, _: store.grants.redeem("code-g1"))
    assert sum(one is not None for one in found) == 1
    assert await replicas[0].grants.find("g1") is None
    assert not await replicas[1].grants.add_refresh_token("late", refresh(clock))
    seen = Admission(None, clock.now(), "t", "g1", "desk", "u1", (), clock.now())
    assert await replicas[1].door.admit(seen) == "REVOKED"
    async with replicas[0].database.read() as connection:
        kinds = list(await connection.scalars(sa.select(change_event.c.kind).order_by(change_event.c.id)))
    assert kinds == ["GRANT_CREATED", "GRANT_REVOKED"]  # ended once, however many tried


async def test_a_code_that_never_was_ends_nothing(store: Store, clock: HandClock) -> None:
    await issue(store, clock)
    assert await store.grants.redeem("made up") is None
    assert await store.grants.redeem("\ud800") is None
    assert await store.grants.find("g1") is not None


async def test_a_refresh_token_is_rotated_once_and_shown_again_it_ends_its_grant(
    replicas: list[Store], clock: HandClock
) -> None:
    await issue(replicas[0], clock)
    assert await replicas[0].grants.add_refresh_token("r0", refresh(clock))

    async def rotate(store: Store, number: int) -> bool:
        return await store.grants.rotate_refresh_token("r0", "desk", f"r{number + 1}", refresh(clock))

    assert sum(await at_once(replicas, rotate)) <= 1
    for number in range(9):
        assert await replicas[1].grants.find_refresh_token(f"r{number}") is None


async def test_a_stranger_s_use_of_a_rotated_token_ends_nothing(store: Store, clock: HandClock) -> None:
    await issue(store, clock)
    assert await store.grants.add_refresh_token("r0", refresh(clock))
    assert await store.grants.rotate_refresh_token("r0", "desk", "r1", refresh(clock))
    await store.grants.reused("r0", "stranger")
    await store.grants.reused("r1", "desk")  # not rotated away: no reuse
    assert await store.grants.find_refresh_token("r1") is not None
    await store.grants.reused("r0", "desk")
    assert await store.grants.find_refresh_token("r1") is None


async def test_a_revocation_and_a_new_refresh_token_at_once_leave_no_live_token(
    replicas: list[Store], clock: HandClock
) -> None:
    for number in range(6):
        name = f"g{number}"
        await issue(replicas[0], clock, name)
        await asyncio.gather(
            replicas[0].grants.revoke(name, "desk"),
            replicas[1].grants.add_refresh_token(f"r-{name}", refresh(clock, name)),
        )
        assert await replicas[0].grants.find_refresh_token(f"r-{name}") is None


async def test_secrets_are_kept_as_hashes_only(store: Store, clock: HandClock) -> None:
    await issue(store, clock)
    await store.grants.add_refresh_token("refresh-secret", refresh(clock))
    async with store.database.read() as connection:
        for table, column, secret in (
            (oauth_code, "code_hash", "code-g1"),
            (oauth_refresh_token, "token_hash", "refresh-secret"),
            (oauth_pushed_request, "request_hash", URI + "g1"),
        ):
            (row,) = (await connection.execute(sa.select(table))).all()
            assert len(row._mapping[column]) == 32
            assert all(secret not in str(value) for value in row._mapping.values())


async def test_an_initial_token_registers_as_many_clients_as_it_says(replicas: list[Store], clock: HandClock) -> None:
    policy = InitialPolicy("bank-1", "BANK", "", "PARTNER", frozenset({"graphql"}), frozenset({"LOAN_SERVICE"}),
                           frozenset({"client_credentials"}))  # fmt: skip
    until = clock.now() + timedelta(days=1)
    await replicas[0].registrations.invite("initial", policy, uses=2, until=until, actor=("o", "u"))

    async def register(store: Store, number: int) -> bool:
        made = replace(BANK, client_id=f"bank-{number}")
        return await store.registrations.register("initial", f"own-{number}", lambda _: made) is not None

    assert sum(await at_once(replicas, register)) == 2
    assert len(await replicas[1].clients.all()) == 2


async def test_a_registration_that_fails_spends_nothing(store: Store, clock: HandClock) -> None:
    policy = InitialPolicy("bank-1", "BANK", "", "PARTNER", frozenset(), frozenset(), frozenset())
    until = clock.now() + timedelta(days=1)
    await store.registrations.invite("initial", policy, uses=1, until=until, actor=("o", "u"))

    def fail(_: InitialPolicy) -> Any:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await store.registrations.register("initial", "own", fail)
    assert await store.registrations.register("initial", "own", lambda _: BANK) is not None
    assert await store.registrations.register("initial", "own2", lambda _: BANK) is None
    clock.forward(2 * 86_400)
    assert await store.registrations.register("initial", "own3", lambda _: BANK) is None


async def test_a_registration_token_opens_its_own_client_until_it_is_deleted_once(
    replicas: list[Store], clock: HandClock
) -> None:
    policy = InitialPolicy("bank-1", "BANK", "", "PARTNER", frozenset(), frozenset(), frozenset())
    until = clock.now() + timedelta(days=1)
    await replicas[0].registrations.invite("initial", policy, uses=1, until=until, actor=("o", "u"))
    await replicas[0].registrations.register("initial", "own", lambda _: BANK)
    found = await replicas[1].registrations.find("own")
    assert found is not None
    assert (found.client, found.policy) == (BANK, policy)
    ended = await at_once(replicas, lambda store, _: store.registrations.delete("own"))
    assert [one for one in ended if one is not None] == ["bank"]
    assert await replicas[0].registrations.find("own") is None
    assert await replicas[0].clients.find("bank") is None


async def test_what_is_over_goes_and_what_could_still_be_misused_stays(store: Store, clock: HandClock) -> None:
    await issue(store, clock)
    await store.grants.redeem("code-g1")
    await store.grants.add_refresh_token("r0", refresh(clock))
    purge = OAuthPurge(store.database, clock)
    clock.forward(12 * 3600 + 60)
    assert await purge() == 0  # the grant is over; its code shown again would still be noticed
    clock.forward(86_400)
    await issue(store, clock, "g2")
    assert await purge() == 4  # request, code, refresh token, grant
    assert await store.grants.find("g1") is None
    assert await store.grants.redeem("code-g2") is not None
