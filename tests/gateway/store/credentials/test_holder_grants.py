"""Codes, tokens and grants of wallets: each single use once, on both databases and with two replicas."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.services.credentials.ports import CodeRefused, HolderGrant, NewToken, Offer, OfferState
from gateway.store import Store
from gateway.store.credentials.grants import StoredHolderGrants
from gateway.store.credentials.holder_purge import HolderPurge
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential_grant, credential_offer, credential_token
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.credentials.issuing import ACTING, LI, an_offer, codes_of, offers_of, person

pytestmark = pytest.mark.anyio
TRIES = 5


def grants_of(store: Store, clock: HandClock) -> StoredHolderGrants:
    return StoredHolderGrants(store.database, codes_of(store), clock, tries=TRIES)


def new(clock: HandClock, **given: Any) -> NewToken:
    return NewToken(secrets.token_hex(16), secrets.token_urlsafe(32), clock.now() + timedelta(minutes=15), **given)


async def offered(store: Store, clock: HandClock, *, tx_code: str | None = None, **given: Any) -> tuple[Offer, str]:
    offer = an_offer(await person(store), clock.now(), tx_code=tx_code is not None, **given)
    code = codes_of(store).code_of(offer.offer_id)
    await offers_of(store, clock).add(offer, code=code, tx_code=tx_code)
    return offer, code


async def state(store: Store, offer: Offer) -> OfferState:
    async with store.database.read() as connection:
        found = await connection.scalar(
            sa.select(credential_offer.c.state).where(credential_offer.c.offer_id == offer.offer_id)
        )
    return OfferState(str(found))


async def changes(store: Store, offer: Offer) -> Sequence[str]:
    query = sa.select(change_event.c.kind).where(change_event.c.object_id == offer.offer_id).order_by(change_event.c.id)
    async with store.database.read() as connection:
        return (await connection.scalars(query)).all()


async def test_a_code_becomes_a_grant_with_all_of_the_offer(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    offer, code = await offered(store, clock, configuration_ids=("residence", "business"))
    token = new(clock, jkt="k" * 43)
    made = await grants.redeem(code, None, token)
    assert isinstance(made, HolderGrant)
    found = await grants.find(token.token)
    assert found == made
    assert (found.subject_id, found.acting, found.offer_id) == (offer.subject_id, ACTING, offer.offer_id)
    assert (found.configuration_ids, found.jkt, found.identifiers) == (("residence", "business"), "k" * 43, {})
    assert await changes(store, offer) == ["CREDENTIAL_OFFERED", "CREDENTIAL_OFFER_REDEEMED"]
    async with store.database.read() as connection:
        kept = (await connection.execute(sa.select(credential_token))).one()
    assert token.token.encode() not in bytes(kept.token_hash)


@pytest.mark.parametrize("many", [12])
async def test_of_many_replicas_and_requests_one_wins(open_replica: OpenStore, clock: HandClock, many: int) -> None:
    stores = [await open_replica(), await open_replica()]
    offer, code = await offered(stores[0], clock)
    asking = [grants_of(stores[n % 2], clock).redeem(code, None, new(clock)) for n in range(many)]
    said = await asyncio.gather(*asking)
    winners = [one for one in said if isinstance(one, HolderGrant)]
    assert len(winners) == 1
    assert [one for one in said if one not in winners] == [CodeRefused.UNKNOWN] * (many - 1)
    assert await grants_of(stores[1], clock).by_id(winners[0].grant_id) is not None, "the losers ended nothing"
    async with stores[0].database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(credential_grant)) == 1
    assert (await changes(stores[0], offer)).count("CREDENTIAL_OFFER_REDEEMED") == 1


async def test_guesses_of_many_replicas_at_once_are_not_looked_at_beyond_those_allowed(
    open_replica: OpenStore, clock: HandClock
) -> None:
    stores = [await open_replica(), await open_replica()]
    offer, code = await offered(stores[0], clock, tx_code="314159")
    guesses = [f"{n:06}" for n in range(20)]
    asking = [grants_of(stores[n % 2], clock).redeem(code, one, new(clock)) for n, one in enumerate(guesses)]
    said = await asyncio.gather(*asking)
    assert said.count(CodeRefused.TX_CODE_WRONG) == TRIES
    assert said.count(CodeRefused.UNKNOWN) == len(guesses) - TRIES
    assert await state(stores[0], offer) is OfferState.BURNT
    assert await grants_of(stores[0], clock).redeem(code, "314159", new(clock)) is CodeRefused.UNKNOWN
    kinds = [one.kind for one in await offers_of(stores[0], clock).timeline(offer.offer_id)]
    assert (kinds.count("CODE_WRONG"), kinds.count("BURNT")) == (TRIES, 1)
    assert (await changes(stores[0], offer))[-1] == "CREDENTIAL_OFFER_BURNT"


async def test_what_was_not_asked_for_is_no_try(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    offer, code = await offered(store, clock, tx_code="314159")
    for _ in range(TRIES + 1):
        assert await grants.redeem(code, None, new(clock)) is CodeRefused.TX_CODE_MISSING
    assert isinstance(await grants.redeem(code, "314159", new(clock)), HolderGrant)
    _, plain = await offered(store, clock)
    for _ in range(TRIES + 1):
        assert await grants.redeem(plain, "314159", new(clock)) is CodeRefused.TX_CODE_UNEXPECTED
    assert isinstance(await grants.redeem(plain, None, new(clock)), HolderGrant)
    assert await state(store, offer) is OfferState.REDEEMED


async def test_the_right_code_of_another_offer_is_a_wrong_one(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    _, code = await offered(store, clock, tx_code="111111")
    await offered(store, clock, tx_code="222222")
    assert await grants.redeem(code, "222222", new(clock)) is CodeRefused.TX_CODE_WRONG


async def test_past_and_cancelled_offers_are_unknown(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    _, late = await offered(store, clock)
    cancelled, code = await offered(store, clock)
    await offers_of(store, clock).cancel(cancelled.offer_id, actor_org="o", actor_user="u")
    assert await grants.redeem(code, None, new(clock)) is CodeRefused.UNKNOWN
    clock.forward(7 * 86_400)
    assert await grants.redeem(late, None, new(clock)) is CodeRefused.UNKNOWN
    assert await grants.redeem("nonsense \ud800", None, new(clock)) is CodeRefused.UNKNOWN


async def test_only_what_is_offered_may_be_wanted_and_asking_for_more_spends_nothing(
    store: Store, clock: HandClock
) -> None:
    grants = grants_of(store, clock)
    _, code = await offered(store, clock, configuration_ids=("residence", "business"))
    for wanted in (("discharge",), ("residence", "discharge"), ()):
        assert await grants.redeem(code, None, new(clock, wanted=wanted)) is CodeRefused.NOT_OFFERED
    made = await grants.redeem(code, None, new(clock, wanted=("business",), identified=True))
    assert isinstance(made, HolderGrant)
    assert made.configuration_ids == ("business",)
    assert list(made.identifiers.values()) == ["business"]


async def test_a_token_lasts_is_extended_and_ends(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    _, code = await offered(store, clock)
    token = new(clock)
    made = await grants.redeem(code, None, token)
    assert isinstance(made, HolderGrant)
    until = clock.now() + timedelta(days=7)
    await grants.extend(made.grant_id, until)
    await grants.extend(made.grant_id, clock.now() + timedelta(seconds=1))
    found = await grants.find(token.token)
    assert found is not None
    assert found.expires_at == until, "never shortened"
    clock.forward(7 * 86_400)
    assert await grants.find(token.token) is None
    await grants.extend(made.grant_id, clock.now() + timedelta(days=7))
    assert await grants.find(token.token) is None, "what is past stays it"


async def test_a_revoked_grant_opens_nothing(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    _, code = await offered(store, clock)
    token = new(clock)
    made = await grants.redeem(code, None, token)
    assert isinstance(made, HolderGrant)
    await grants.revoke(made.grant_id)
    await grants.revoke(made.grant_id)
    assert await grants.find(token.token) is None
    assert await grants.by_id(made.grant_id) is None
    async with store.database.read() as connection:
        ended = sa.select(sa.func.count()).select_from(change_event)
        assert await connection.scalar(ended.where(change_event.c.kind == "CREDENTIAL_GRANT_ENDED")) == 1


async def test_a_person_that_is_another_has_other_tokens(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    _, code = await offered(store, clock)
    other = an_offer(await person(store, LI), clock.now())
    await offers_of(store, clock).add(other, code=codes_of(store).code_of(other.offer_id), tx_code=None)
    made = await grants.redeem(code, None, new(clock))
    theirs = await grants.redeem(codes_of(store).code_of(other.offer_id), None, new(clock))
    assert isinstance(made, HolderGrant)
    assert isinstance(theirs, HolderGrant)
    assert made.subject_id != theirs.subject_id


async def test_what_nobody_can_need_any_more_goes(store: Store, clock: HandClock) -> None:
    grants = grants_of(store, clock)
    _, code = await offered(store, clock)
    _, other = await offered(store, clock)
    await grants.redeem(code, None, new(clock))
    clock.forward(2 * 86_400)
    live = new(clock)
    made = await grants.redeem(other, None, live)
    assert isinstance(made, HolderGrant)
    assert await HolderPurge(store.database, clock)() == 2, "the old token, and the grant that has none left"
    assert await grants.find(live.token) is not None
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(credential_offer)) == 2
