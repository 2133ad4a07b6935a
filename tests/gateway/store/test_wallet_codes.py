"""A wallet's code on both databases, with two replicas: one gets its grant, the losers end nothing, whoever comes later does;
and an offer behind it is redeemed once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.oauth.keeping import Code, PushedRequest
from gateway.oauth.ports import Grant
from gateway.services.credentials.offer_codes import OfferCodes
from gateway.services.credentials.ports import (
    AUTHORIZATION_CODE,
    Acting,
    HolderGrant,
    NewToken,
    Offer,
    OfferOrigin,
    OfferState,
)
from gateway.store import Store
from gateway.store.credentials.acting_bodies import StoredActingBodies
from gateway.store.credentials.grants import StoredHolderGrants
from gateway.store.credentials.offers import StoredOffers
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry
from tests.fakes.person_house import put_organisations
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
URI = "urn:ietf:params:oauth:request_uri:one"
ACTING = Acting("office", "JUSTICE_OFFICE", "440604", "(2026)粤0604刑初123号")


async def issue(store: Store, clock: HandClock) -> None:
    now = clock.now()
    until = now + timedelta(seconds=60)
    grant = Grant("g1", "wallet", "person", frozenset(), [], {"org_id": "office", "kind": "HOLDER"}, now, until)
    code = Code("g1", "wallet", "com.example.wallet:/cb", "c" * 43, "", until)
    await store.pushed.push(URI, PushedRequest("wallet", {}, expires_at=until))
    assert await store.grants.authorise(URI, "wc.code", code, grant)


@pytest.fixture
async def replicas(open_replica: OpenStore) -> list[Store]:
    return [await open_replica(), await open_replica()]


async def test_of_many_at_once_one_gets_the_grant_and_it_lives(replicas: list[Store], clock: HandClock) -> None:
    await issue(replicas[0], clock)
    found = await asyncio.gather(
        *(replicas[number % 2].grants.redeem_checked("wc.code", within_s=5) for number in range(8))
    )
    won = [grant for grant, _ in found if grant is not None]
    assert [one.grant_id for one in won] == ["g1"]
    assert [ended for _, ended in found if ended is not None] == []
    assert await replicas[1].grants.find("g1") is not None
    clock.forward(seconds=6)
    assert await replicas[1].grants.redeem_checked("wc.code", within_s=5) == (None, "g1")
    assert await replicas[0].grants.find("g1") is None


async def test_looking_spends_nothing_and_a_code_that_never_was_ends_nothing(store: Store, clock: HandClock) -> None:
    await issue(store, clock)
    for _ in range(2):
        assert (await store.grants.look("wc.code")) is not None
    assert await store.grants.look("wc.other") is None
    assert await store.grants.redeem_checked("wc.other", within_s=5) == (None, None)
    assert (await store.grants.redeem_checked("wc.code", within_s=5))[0] is not None


async def subject_of(store: Store) -> str:
    (subject,) = await store.subjects.intern(["440606199003070017"])
    return subject


def holder(number: int, subject: str, clock: HandClock) -> tuple[HolderGrant, NewToken]:
    until = clock.now() + timedelta(seconds=900)
    grant = HolderGrant(f"h{number}", subject, ACTING, ("residence",), {}, "o1", "wallet", "j" * 43, until)
    return grant, NewToken(f"h{number}", f"token-{number}", until, "wallet", "j" * 43)


async def test_an_offer_of_the_code_flow_is_redeemed_once(replicas: list[Store], clock: HandClock) -> None:
    subject = await subject_of(replicas[0])
    codes = OfferCodes(b"c" * 32, b"t" * 32)
    offers = StoredOffers(replicas[0].database, codes, replicas[0].subject_keys.ring, clock)
    offer = Offer(
        "o1", "r" * 43, subject, ("residence",), AUTHORIZATION_CODE, False, ACTING, "lin", OfferOrigin.OFFICER,
        clock.now(), clock.now() + timedelta(days=7),
    )  # fmt: skip
    await offers.add(offer, code=None, tx_code=None)
    holders = [StoredHolderGrants(one.database, codes, clock, tries=5) for one in replicas]

    async def grant(number: int) -> bool:
        return await holders[number % 2].grant(*holder(number, subject, clock))

    assert sorted(await asyncio.gather(*(grant(number) for number in range(6)))) == [False] * 5 + [True]
    found = [await holders[0].find(f"token-{number}") for number in range(6)]
    assert sum(one is not None for one in found) == 1
    kept = await offers.find("o1")
    assert kept is not None
    assert kept.state is OfferState.REDEEMED
    assert [one.kind for one in await offers.timeline("o1")] == ["CREATED", "REDEEMED"]


async def test_an_offer_to_somebody_else_gives_no_token(store: Store, clock: HandClock) -> None:
    subject = await subject_of(store)
    codes = OfferCodes(b"c" * 32, b"t" * 32)
    holders = StoredHolderGrants(store.database, codes, clock, tries=5)
    assert not await holders.grant(*holder(1, subject, clock))
    assert await holders.find("token-1") is None


async def test_the_body_that_supervises_a_person_now_is_the_one_that_acts(store: Store, clock: HandClock) -> None:
    await put_organisations(store)
    subject, bodies = await subject_of(store), StoredActingBodies(store.database, clock)
    assert await bodies.of(subject) is None
    since = clock.now() - timedelta(days=1)
    case_no = "(2026)粤0604刑初123号"
    await store.cases.declare(
        [
            CaseEntry(case_no, subject),
            PartyEntry(case_no, "court", Part.DECIDING, since),
            PartyEntry(case_no, "office", Part.SUPERVISING, since, clock.now() + timedelta(days=2)),
        ]
    )
    assert await bodies.of(subject) == ACTING
    clock.forward(seconds=3 * 86_400)
    assert await bodies.of(subject) is None, "its part in the case is over"


async def test_a_case_that_is_over_lets_nobody_act(store: Store, clock: HandClock) -> None:
    await put_organisations(store)
    subject, case_no = await subject_of(store), "(2026)粤0604刑初124号"
    since = clock.now() - timedelta(days=1)
    parties = [PartyEntry(case_no, "office", Part.SUPERVISING, since)]
    await store.cases.declare([CaseEntry(case_no, subject, state="TERMINATED"), *parties])
    assert await StoredActingBodies(store.database, clock).of(subject) is None
