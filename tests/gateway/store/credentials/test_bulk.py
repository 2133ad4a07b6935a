"""Many offers at once, on both databases: one outcome each, and nobody twice whoever begins again."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.caller import Caller, Message
from gateway.errors import GatewayError, MessagesUnavailable, RequestRefused
from gateway.services.credentials.bulk_offers import Bulk, BulkOffers, Wishes
from gateway.services.credentials.offer_credential import OfferCredential, OfferTerms
from gateway.services.ledger.seals import Unsealed
from gateway.store import Store
from gateway.store.credentials.bulk import StoredBulks
from tests.gateway.store.conftest import START, HandClock, OpenStore
from tests.gateway.store.credentials.issuing import ACTING, codes_of, offers_of

pytestmark = pytest.mark.anyio
CALLER = Caller("operator", ACTING.org_id, ACTING.org_kind, frozenset(), "t", START)


class Killed(BaseException):
    """What a kill looks like from inside: nothing behind it runs."""


class Desk:
    """A bulk over a real store; rules and road of messages are made up."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store, self.sent, self.refused, self.silent = store, list[Message](), set[str](), False
        self.kill_after: int | None = None
        self.error: GatewayError | None = None
        self.bulks, self.offers = StoredBulks(store.database, clock), offers_of(store, clock)
        terms = OfferTerms("https://yimen.example", timedelta(days=7), 6)
        offer = OfferCredential(
            self.offers, codes_of(store), store.phones, self, Unsealed(), clock, terms, lambda: ["residence"]
        )
        self.bulk = BulkOffers(self.bulks, offer, self.offers, self.allowed, self.case_of)

    async def allowed(self, caller: Caller, subject_id: str, type_ids: Any, case_no: str | None) -> None:
        if self.error is not None:
            raise self.error
        if subject_id in self.refused:
            raise RequestRefused("NO_GROUND")

    async def case_of(self, subject_id: str, org_id: str) -> str | None:
        return f"case-{subject_id[:6]}"

    async def send(self, message: Message) -> None:
        if self.kill_after is not None and len(self.sent) >= self.kill_after:
            raise Killed
        if self.silent:
            raise MessagesUnavailable("no road")
        self.sent.append(message)

    async def begun(self, people: list[str], **wishes: Any) -> Bulk:
        return await self.bulk.begin(people, ["residence"], Wishes(replace(ACTING, case_no=None), **wishes), "operator")


async def crowd(store: Store, number: int, clock: HandClock) -> list[str]:
    numbers = [
        f"4406061990{month:02}{day:02}{n:03}X" for n in range(1, 3) for month in range(1, 13) for day in range(1, 29)
    ]
    people = list(await store.subjects.intern(numbers[:number]))
    for n, who in enumerate(people):
        await store.phones.enrol(who, f"138{n:08}", by="o", org="SFJ", at=clock.now())
    return people


async def test_each_has_an_outcome_of_their_own(store: Store, clock: HandClock) -> None:
    desk, people = Desk(store, clock), await crowd(store, 12, clock)
    (stranger,) = await store.subjects.recognise(["440606198807213328"])
    desk.refused = {people[3], stranger}
    bulk = await desk.begun([*people, people[0], stranger])
    told: list[Counter[str]] = []
    counts = await desk.bulk.run(bulk, CALLER, lambda counts: told.append(Counter(counts)))
    assert counts == {"OFFERED": 11, "NO_GROUND": 2}
    assert len(desk.sent) == 11
    outcomes = await desk.bulks.outcomes(bulk.bulk_id)
    assert [n for n, outcome, _ in outcomes if outcome == "NO_GROUND"] == [3, 12]
    offer = await desk.offers.find(outcomes[0][2] or "")
    assert offer is not None
    assert (offer.subject_id, offer.bulk_id, offer.origin.value) == (people[0], bulk.bulk_id, "BULK")
    assert offer.acting.case_no == f"case-{people[0][:6]}"
    assert told[-1] == counts
    assert await desk.bulks.find(bulk.bulk_id) == bulk
    assert [one.bulk_id for one in await desk.bulks.recent(5)] == [bulk.bulk_id]


@pytest.mark.parametrize("tx_code", [False, True])
async def test_killed_at_any_moment_it_goes_on_and_nobody_is_sent_two_links(
    store: Store, clock: HandClock, tx_code: bool
) -> None:
    desk, people = Desk(store, clock), await crowd(store, 10, clock)
    bulk = await desk.begun(people, tx_code=tx_code)
    for after in (1, 4, 9):
        desk.kill_after = after
        with pytest.raises(BaseException):  # noqa: B017  (a group or the kill itself, as asyncio has it)
            await desk.bulk.run(bulk, CALLER)
        await asyncio.sleep(0)
    desk.kill_after = None
    assert await desk.bulk.run(bulk, CALLER) == {"OFFERED": 10}
    links = Counter(message.subject_id for message in desk.sent if message.kind == "CREDENTIAL_OFFERED")
    assert links == dict.fromkeys(people, 1)
    for who in people:
        live = [one for one in await desk.offers.of_person(who) if one.state.value == "OPEN"]
        assert len(live) == 1, "what lost its code has ended"
        (link,) = [one for one in desk.sent if one.subject_id == who and one.kind == "CREDENTIAL_OFFERED"]
        assert live[0].reference in link.values["link"]


async def test_what_says_nothing_about_a_person_stops_it_all(store: Store, clock: HandClock) -> None:
    desk, people = Desk(store, clock), await crowd(store, 5, clock)
    bulk = await desk.begun(people)
    desk.error = RequestRefused("POLICY_UNAVAILABLE")
    with pytest.raises(RequestRefused):
        await desk.bulk.run(bulk, CALLER)
    assert await desk.bulks.counts(bulk.bulk_id) == {"": 5}
    desk.error = None
    assert await desk.bulk.run(bulk, CALLER) == {"OFFERED": 5}


async def test_a_message_that_does_not_get_out_is_an_outcome_too(store: Store, clock: HandClock) -> None:
    desk, people = Desk(store, clock), await crowd(store, 3, clock)
    desk.silent = True
    bulk = await desk.begun(people)
    assert await desk.bulk.run(bulk, CALLER) == {"OFFERED_NOT_SENT": 3}


async def test_whoever_has_no_phone_is_told_apart_and_the_others_go_on(store: Store, clock: HandClock) -> None:
    desk, people = Desk(store, clock), await crowd(store, 3, clock)
    (without,) = await store.subjects.intern(["440606198807213328"])
    counts = await desk.bulk.run(await desk.begun([without, *people]), CALLER)
    assert counts == {"OFFERED": 3, "PERSON_NOT_ENROLLED": 1}


async def test_two_who_work_on_one_bulk_make_one_offer_each(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    desk, people = Desk(store, clock), await crowd(store, 20, clock)
    other = Desk(await open_replica(), clock)
    bulk = await desk.begun(people, send=False)
    await asyncio.gather(desk.bulk.run(bulk, CALLER), other.bulk.run(bulk, CALLER))
    assert await desk.bulks.counts(bulk.bulk_id) == {"OFFERED": 20}
    for who in people:
        assert len(await desk.offers.of_person(who)) == 1
