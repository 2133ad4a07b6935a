"""Offers, on both databases: kept without their codes, looked at for nothing, ended once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.caller import Change
from gateway.services.credentials.ports import OfferOrigin, OfferState
from gateway.services.erase_person import ErasePerson
from gateway.store import Store
from gateway.store.errors import SubjectErased
from gateway.store.recording.outbox import change_face
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential_offer as table
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.credentials.issuing import LI, an_offer, codes_of, offers_of, person

pytestmark = pytest.mark.anyio


async def changes(store: Store) -> list[Change]:
    async with store.database.read() as connection:
        rows = await connection.execute(sa.select(change_event).order_by(change_event.c.id))
        return [Change(row.kind, row.object_id, row.actor_org, row.actor_user, row.subject_id) for row in rows]


async def test_an_offer_is_found_by_its_link_however_often_and_its_code_is_nowhere(
    store: Store, clock: HandClock
) -> None:
    offers, codes = offers_of(store, clock), codes_of(store)
    offer = an_offer(await person(store), clock.now(), tx_code=True)
    code = codes.code_of(offer.offer_id)
    await offers.add(offer, code=code, tx_code="123456")
    for _ in range(3):
        assert await offers.by_reference(offer.reference) == offer
    assert await offers.find(offer.offer_id) == offer
    assert await offers.by_reference("x" * 43) is None
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(table))).one()
    assert row.code_hash == codes.code_hash(code)
    assert row.tx_hash == codes.tx_hash(offer.offer_id, "123456") != codes.tx_hash("0" * 32, "123456")
    assert code not in repr(row)
    assert "123456" not in repr([value for value in row if isinstance(value, (str, bytes))])
    assert offer.reference not in repr(offer)


async def test_it_is_in_the_ledger_with_its_body_and_a_persons_own_without(store: Store, clock: HandClock) -> None:
    offers, who = offers_of(store, clock), await person(store)
    of_officer, of_person = an_offer(who, clock.now()), an_offer(who, clock.now(), origin=OfferOrigin.PERSON)
    for offer in (of_officer, of_person):
        await offers.add(offer, code="c" + offer.offer_id, tx_code=None)
    first, second = await changes(store)
    assert first == Change("CREDENTIAL_OFFERED", of_officer.offer_id, "SFJ-SHUNDE", "officer-1", who)
    assert second == Change("CREDENTIAL_OFFERED", of_person.offer_id, "SFJ-SHUNDE", "person", who)
    faces = [
        change_face({"kind": one.kind, "actor_user": one.actor_user, "actor_org": one.actor_org})
        for one in (first, second)
    ]
    assert faces == [("credential", "SFJ-SHUNDE"), ("credential", "person")]


async def test_the_same_offer_added_again_is_one(store: Store, clock: HandClock) -> None:
    offers = offers_of(store, clock)
    offer = an_offer(await person(store), clock.now())
    await offers.add(offer, code="code", tx_code=None)
    await offers.add(replace(offer, reference="y" * 43), code="code", tx_code=None)
    assert await offers.find(offer.offer_id) == offer
    assert [one.kind for one in await changes(store)] == ["CREDENTIAL_OFFERED"]


async def test_the_timeline_has_each_look_once_and_every_try(store: Store, clock: HandClock) -> None:
    offers = offers_of(store, clock)
    offer = an_offer(await person(store), clock.now())
    await offers.add(offer, code="code", tx_code=None)
    for kind in ("SENT", "OPENED", "OPENED", "CODE_WRONG", "CODE_WRONG", "REDEEMED", "STORED"):
        clock.forward(1)
        await offers.note(offer.offer_id, kind)
    told = await offers.timeline(offer.offer_id)
    assert [one.kind for one in told] == ["CREATED", "SENT", "OPENED", "CODE_WRONG", "CODE_WRONG", "REDEEMED", "STORED"]
    assert (told[2].at - told[0].at).seconds == 2


async def test_one_of_many_who_cancel_does(store: Store, open_replica: OpenStore, clock: HandClock) -> None:
    other = await open_replica()
    first, second = offers_of(store, clock), offers_of(other, clock)
    offer = an_offer(await person(store), clock.now())
    await first.add(offer, code="code", tx_code=None)
    done = await asyncio.gather(
        *(one.cancel(offer.offer_id, actor_org="SFJ-SHUNDE", actor_user="officer-1") for one in (first, second) * 3)
    )
    assert sorted(done) == [False] * 5 + [True]
    found = await first.find(offer.offer_id)
    assert found is not None
    assert found.state is OfferState.CANCELLED
    assert [one.kind for one in await changes(store)] == ["CREDENTIAL_OFFERED", "CREDENTIAL_OFFER_CANCELLED"]
    assert [one.kind for one in await first.timeline(offer.offer_id)] == ["CREATED", "CANCELLED"]


async def test_each_persons_and_each_bodys_are_told_apart(store: Store, clock: HandClock) -> None:
    offers, zhang, li = offers_of(store, clock), await person(store), await person(store, LI)
    older, newer = an_offer(zhang, clock.now()), an_offer(li, clock.now())
    clock.forward(1)
    newest = an_offer(zhang, clock.now())
    for offer in (older, newer, newest):
        await offers.add(offer, code=offer.offer_id, tx_code=None)
    assert await offers.of_person(zhang) == [newest, older]
    assert len(await offers.recent("SFJ-SHUNDE", 2)) == 2
    assert await offers.recent("BANK", 2) == []


async def test_nothing_is_offered_to_whom_was_erased(store: Store, clock: HandClock) -> None:
    offers, who = offers_of(store, clock), await person(store)
    await ErasePerson(store.erasures, clock)(who, reason="file-7", org="SFJ", user="operator")
    with pytest.raises(SubjectErased):
        await offers.add(an_offer(who, clock.now()), code="code", tx_code=None)
    assert await offers.of_person(who) == []
