"""A fresh one is offered once however often its job is run; what ends around a credential ends it. On both databases."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from gateway.caller import Job, Message
from gateway.consent.consent import ConsentState
from gateway.consent.ports import ConsentEnded
from gateway.errors import MessagesUnavailable
from gateway.services.credentials.end_credentials import EndCredentials
from gateway.services.credentials.key_compromised import KeyCompromised
from gateway.services.credentials.offer_credential import OfferCredential, OfferTerms
from gateway.services.credentials.ports import CredentialState, Issued
from gateway.services.credentials.renew_credential import JOB, RenewCredential, renew_later
from gateway.services.ledger.seals import Unsealed
from gateway.store import Store
from gateway.store.credentials.key_changes import StoredSignedWith
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.credentials.issuing import LI, a_batch, codes_of, issued_of, offers_of, person, values

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)
REVOKED = CredentialState.REVOKED


class Road:
    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.silent = False

    async def send(self, message: Message) -> None:
        if self.silent:
            raise MessagesUnavailable("no road")
        self.sent.append(message)


async def held(store: Store, clock: HandClock, *, phone: bool = True) -> Issued:
    who = await person(store)
    if phone:
        await store.phones.enrol(who, "13800138000", by="o", org="SFJ", at=clock.now())
    batch = await a_batch(store, who, clock.now())
    await issued_of(store, clock).add(batch, notification_id="n", next_check_at=clock.now() + DAY)
    return batch[0]


def renewing(store: Store, clock: HandClock, road: Road) -> RenewCredential:
    terms = OfferTerms("https://yimen.example", timedelta(days=7), 6)
    offers = offers_of(store, clock)
    offer = OfferCredential(
        offers, codes_of(store), store.phones, road, Unsealed(), clock, terms, lambda: ["residence"]
    )
    return RenewCredential(issued_of(store, clock), offer, offers, store.phones, store.jobs, clock)


async def job_of(store: Store, clock: HandClock) -> Job:
    clock.forward(6)
    job = await store.jobs.lease([JOB], worker="w", seconds=30)
    assert job is not None
    return job


async def renew(progress: float | None = None) -> None:
    return None


async def test_run_again_after_any_crash_it_is_one_offer_and_one_message(store: Store, clock: HandClock) -> None:
    one, road = await held(store, clock), Road()
    renewal, offers = renewing(store, clock, road), offers_of(store, clock)
    await renewal(one)
    await renewal(one)  # the same look again: one job
    job = await job_of(store, clock)
    assert await store.jobs.lease([JOB], worker="w", seconds=30) is None
    await renewal.handle(job, renew)
    assert (await offers.of_person(one.subject_id), road.sent) == ([], []), "the old one has not ended"
    await issued_of(store, clock).set_state(one.batch_id, REVOKED, "FACT_CHANGED")
    road.silent = True
    with pytest.raises(MessagesUnavailable):
        await renewal.handle(job, renew)
    road.silent = False
    for _ in range(2):
        await renewal.handle(job, renew)
    (offer,) = await offers.of_person(one.subject_id)
    assert (offer.origin.value, offer.configuration_ids) == ("FOLLOW", ("residence",))
    assert [message.kind for message in road.sent] == ["CREDENTIAL_RENEWED"]
    assert offer.reference in road.sent[0].values["link"]


async def test_whoever_has_no_phone_finds_it_on_their_page(store: Store, clock: HandClock) -> None:
    one, road = await held(store, clock, phone=False), Road()
    renewal = renewing(store, clock, road)
    await renewal(one)
    await issued_of(store, clock).set_state(one.batch_id, REVOKED, "FACT_CHANGED")
    await renewal.handle(await job_of(store, clock), renew)
    assert (len(await offers_of(store, clock).of_person(one.subject_id)), road.sent) == (1, [])


async def test_what_a_stolen_key_signed_ends_and_its_holder_is_offered_a_fresh_one(
    store: Store, clock: HandClock
) -> None:
    one, road = await held(store, clock), Road()
    issued, renewal = issued_of(store, clock), renewing(store, clock, road)
    end = KeyCompromised(StoredSignedWith(store.database), issued, partial(renew_later, store.jobs, clock))
    assert await end(one.kid, clock.now() + timedelta(seconds=1), actor_user="op") == 0, "signed before the cut-off"
    assert await end(one.kid, clock.now(), actor_user="op") == 1
    assert await end(one.kid, clock.now(), actor_user="op") == 0, "a second look finds it ended"
    batch = await issued.batch(one.batch_id)
    assert {(each.state, each.reason) for each in batch} == {(REVOKED, "KEY_COMPROMISED")}
    assert len(batch) > 1, "all of a batch"
    await renewal.handle(await job_of(store, clock), renew)
    (offer,) = await offers_of(store, clock).of_person(one.subject_id)
    assert (offer.origin.value, offer.configuration_ids) == ("FOLLOW", ("residence",))
    assert [message.kind for message in road.sent] == ["CREDENTIAL_RENEWED"]


async def test_what_ended_for_another_reason_is_not_offered_anew(store: Store, clock: HandClock) -> None:
    one, road = await held(store, clock), Road()
    renewal = renewing(store, clock, road)
    await renewal(one)
    await issued_of(store, clock).set_state(one.batch_id, REVOKED, "BY_PERSON", actor_user="person")
    await renewal.handle(await job_of(store, clock), renew)
    assert await offers_of(store, clock).of_person(one.subject_id) == []


async def test_a_closed_data_space_ends_everything_but_what_is_to_stay(store: Store, clock: HandClock) -> None:
    issued, zhang, li = issued_of(store, clock), await person(store), await person(store, LI)
    batches = {}
    for who, type_id in ((zhang, "residence"), (zhang, "discharge"), (li, "residence")):
        batch = await a_batch(store, who, clock.now(), type_id=type_id, configuration_id=type_id)
        await issued.add(batch, notification_id=who + type_id, next_check_at=clock.now() + DAY)
        batches[who, type_id] = batch
    end = EndCredentials(issued)
    keep = frozenset({"discharge"})
    assert await end.of_person(zhang, actor_org="SFJ", actor_user="officer-1", keep=keep) == 1
    assert await end.of_person(zhang, actor_org="SFJ", actor_user="officer-1", keep=keep) == 0
    for (who, type_id), shown in (((zhang, "residence"), 1), ((zhang, "discharge"), 0), ((li, "residence"), 0)):
        assert await values(store, [one.place for one in batches[who, type_id]]) == [shown] * 2


async def test_an_ended_consent_has_that_persons_looked_at(store: Store, clock: HandClock) -> None:
    one = await held(store, clock, phone=False)
    issued = issued_of(store, clock)
    end = EndCredentials(issued)
    assert not await issued.due(clock.now(), 5)
    for _ in range(2):
        await end(ConsentEnded("c", "bank", one.subject_id, ConsentState.EXPIRED, clock.now()))
    assert await issued.due(clock.now(), 5) == [one.batch_id]
