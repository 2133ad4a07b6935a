"""Signing keys: sealed, two at a time, changed with an overlap that cuts nobody off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from gateway.oauth.access_token import AccessTokens, TokenInvalid
from gateway.oauth.ports import Grant
from gateway.oauth.signing_keys import KeyState, SigningKeys
from gateway.store import Store, StoreRefused
from gateway.store.errors import CiphertextInvalid
from gateway.store.tables import change_event
from gateway.store.tables.oauth_keys import oauth_signing_key
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
ISSUER = "https://gw.example"


async def states(store: Store) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kept in await store.signing_keys.load():
        found.setdefault(str(kept.state), []).append(kept.key.kid)
    return found


def tokens(store: Store, clock: HandClock, refresh_s: float = 0.0) -> AccessTokens:
    return AccessTokens(ISSUER, SigningKeys(store.signing_keys, clock, refresh_s), clock)


async def issue(of: AccessTokens) -> str:
    grant = Grant("g1", "c1", "u1", frozenset({"graphql"}), (), {"kind": "OFFICER"})
    return (await of.issue(grant, audience="a", cnf={"jkt": "x"}, lifetime_s=3600)).token


async def test_replicas_that_start_together_agree_on_the_first_two(open_replica: OpenStore) -> None:
    replicas = [await open_replica(), await open_replica()]
    seen = await asyncio.gather(*(states(one) for one in replicas * 2))
    assert all(one == seen[0] for one in seen)
    assert {name: len(kids) for name, kids in seen[0].items()} == {"CURRENT": 1, "NEXT": 1}


async def test_only_ciphertext_is_stored_and_it_opens_nowhere_else(store: Store) -> None:
    kept = await store.signing_keys.load()
    async with store.database.write() as connection:
        rows = (await connection.execute(sa.select(oauth_signing_key))).all()
        for row in rows:
            assert b'"d"' not in row.private_jwk_ct
        swapped = sa.update(oauth_signing_key).where(oauth_signing_key.c.kid == rows[0].kid)
        await connection.execute(swapped.values(private_jwk_ct=rows[1].private_jwk_ct))
    assert len(kept) == 2
    with pytest.raises(CiphertextInvalid):
        await store.signing_keys.load()


async def test_a_rotation_moves_each_key_one_on_and_is_evidenced(store: Store, clock: HandClock) -> None:
    before = await states(store)
    clock.forward(15 * 60 + 1)
    assert [await store.signing_keys.rotate(actor_user="cli:ops")] == before["NEXT"]
    after = await states(store)
    assert after["CURRENT"] == before["NEXT"]
    assert after["RETIRED"] == before["CURRENT"]
    assert after["NEXT"] not in (before["NEXT"], before["CURRENT"])
    async with store.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "SIGNING_KEY_ROTATED").order_by(change_event.c.id)
        events = (await connection.execute(query)).all()
    assert [event.actor_user for event in events] == ["", "cli:ops"]


async def test_a_key_nobody_has_seen_yet_does_not_sign(store: Store, clock: HandClock) -> None:
    with pytest.raises(StoreRefused, match="no signing keys"):
        await store.signing_keys.rotate(actor_user="cli:ops")
    await store.signing_keys.load()
    clock.forward(60)
    with pytest.raises(StoreRefused, match="15 minutes"):
        await store.signing_keys.rotate(actor_user="cli:ops")


async def test_two_who_rotate_at_once_rotate_once(open_replica: OpenStore, clock: HandClock) -> None:
    replicas = [await open_replica(), await open_replica()]
    await replicas[0].signing_keys.load()
    clock.forward(3600)
    done = await asyncio.gather(
        *(one.signing_keys.rotate(actor_user="cli:ops") for one in replicas), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["StoreRefused", "str"]
    assert {name: len(kids) for name, kids in (await states(replicas[0])).items()} == {
        "CURRENT": 1, "NEXT": 1, "RETIRED": 1,
    }  # fmt: skip


async def test_tokens_of_before_and_after_a_rotation_verify_in_both_replicas(
    open_replica: OpenStore, clock: HandClock
) -> None:
    here, there = await open_replica(), await open_replica()
    rotating, other = tokens(here, clock), tokens(there, clock, refresh_s=3600)  # the other one does not look by itself
    old = await issue(rotating)
    await other.verify(old)
    clock.forward(16 * 60)
    await here.signing_keys.rotate(actor_user="cli:ops")
    new = await issue(rotating)
    late = await issue(other)  # signed with what is retired meanwhile
    for one in (rotating, other):
        for token in (old, new, late):
            await one.verify(token)


async def test_nobody_is_cut_off_while_keys_are_rotated_under_load(open_replica: OpenStore, clock: HandClock) -> None:
    stores = [await open_replica(), await open_replica()]
    issuing = [tokens(one, clock, refresh_s=0.02) for one in stores]
    verifying = [tokens(one, clock, refresh_s=3600) for one in stores]  # they look only for what they do not know
    done, rotated = 0, False

    async def work(number: int) -> None:
        nonlocal done
        while not rotated:
            token = await issue(issuing[number % 2])
            await asyncio.sleep(0.002)
            for one in verifying:
                await one.verify(token)
            done += 1

    async def rotate() -> None:
        nonlocal rotated
        for turn in range(3):
            await asyncio.sleep(1.05)  # an unknown key is looked for once a second; rotations are a quarter hour apart
            clock.forward(16 * 60)  # tokens live an hour, so that all of them are still good
            await stores[turn % 2].signing_keys.rotate(actor_user="cli:ops")
        await asyncio.sleep(0.1)
        rotated = True

    await asyncio.gather(rotate(), *(work(number) for number in range(4)))
    assert done > 100


async def test_a_retired_key_verifies_until_its_last_token_is_past(store: Store, clock: HandClock) -> None:
    await store.signing_keys.load()
    clock.forward(16 * 60)
    of = tokens(store, clock)
    before = await states(store)
    await issue(of)
    await store.signing_keys.rotate(actor_user="cli:ops")
    clock.forward(3600)
    assert before["CURRENT"][0] in (await states(store))["RETIRED"]
    clock.forward(10 * 60)
    assert "RETIRED" not in await states(store)
    assert len((await SigningKeys(store.signing_keys, clock).jwks())["keys"]) == 2


async def test_every_token_of_a_compromised_key_is_dead(store: Store, clock: HandClock) -> None:
    of = tokens(store, clock)
    token = await issue(of)
    await of.verify(token)
    await store.signing_keys.rotate(actor_user="cli:ops", compromised=True)
    with pytest.raises(TokenInvalid, match="key"):
        await of.verify(token)  # also where it was verified and remembered before
    await of.verify(await issue(of))


async def test_what_is_published_is_public_and_begins_with_what_signs(store: Store, clock: HandClock) -> None:
    keys = SigningKeys(store.signing_keys, clock)
    shown = (await keys.jwks())["keys"]
    assert [key["kid"] for key in shown] == [kept.key.kid for kept in sorted(
        await store.signing_keys.load(), key=lambda kept: list(KeyState).index(KeyState.CURRENT) if kept.state == "CURRENT" else 9
    )]  # fmt: skip
    for key in shown:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (await keys.current()).kid == shown[0]["kid"]
    assert await keys.find(None) is None
    assert await keys.find("../nobody") is None
