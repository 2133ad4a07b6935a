"""What was issued, on both databases: all of a batch or none, looked at by one worker at a time, dead for good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.services.credentials.ports import CredentialState, Place
from gateway.services.erase_person import ErasePerson
from gateway.store import Store
from gateway.store.errors import StoreUnavailable, SubjectErased
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential as table
from gateway.store.tables.credentials import status_change, status_list
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.credentials.issuing import LI, a_batch, issued_of, person, values

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)
VALID, SUSPENDED, REVOKED = CredentialState


async def kinds(store: Store) -> list[str]:
    async with store.database.read() as connection:
        return list(await connection.scalars(sa.select(change_event.c.kind).order_by(change_event.c.id)))


async def test_a_batch_is_kept_sealed_and_read_back(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now(), 3)
    await issued.add(batch, notification_id="n-1", next_check_at=clock.now() + DAY)
    found = await issued.batch(batch[0].batch_id)
    assert {one.credential_id: (one.facts, one.place, one.state) for one in found} == {
        one.credential_id: (one.facts, one.place, VALID) for one in batch
    }
    assert {one.batch_id for one in await issued.of_person(who)} == {batch[0].batch_id}
    assert await issued.of_person(await person(store, LI)) == []
    there = await issued.at(batch[1].place)
    assert there is not None
    assert there.credential_id == batch[1].credential_id
    assert await issued.at(Place("l1", 999)) is None
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(table))).all()
    assert not any(b"resident" in bytes(row.facts_ct) for row in rows)
    assert await kinds(store) == ["CREDENTIAL_ISSUED"]


async def test_a_place_that_is_taken_stops_the_whole_batch(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    first = await a_batch(store, who, clock.now(), 1)
    await issued.add(first, notification_id="n-1", next_check_at=clock.now() + DAY)
    second = await a_batch(store, who, clock.now(), 2)
    second[1] = replace(second[1], place=first[0].place)
    with pytest.raises(StoreUnavailable):
        await issued.add(second, notification_id="n-2", next_check_at=clock.now() + DAY)
    assert await issued.batch(second[0].batch_id) == []
    assert await kinds(store) == ["CREDENTIAL_ISSUED"]


async def test_the_wallets_word_is_taken_from_its_own_grant_again_and_again(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now())
    await issued.add(batch, notification_id="n-1", next_check_at=clock.now() + DAY)
    for _ in range(2):
        assert await issued.notified("g" * 32, "n-1", "credential_accepted") == batch[0].batch_id
    assert await issued.notified("h" * 32, "n-1", "credential_accepted") is None
    assert await issued.notified("g" * 32, "n-2", "credential_accepted") is None
    assert {one.stored for one in await issued.batch(batch[0].batch_id)} == {"credential_accepted"}


async def test_what_is_due_is_one_workers_for_a_minute(store: Store, open_replica: OpenStore, clock: HandClock) -> None:
    other = await open_replica()
    first, second, who = issued_of(store, clock), issued_of(other, clock), await person(store)
    batches = [await a_batch(store, who, clock.now(), 2) for _ in range(12)]
    for n, batch in enumerate(batches):
        await first.add(batch, notification_id=f"n-{n}", next_check_at=clock.now() + timedelta(seconds=n))
    clock.forward(9)
    taken = await asyncio.gather(*(one.due(clock.now(), 3) for one in (first, second) * 4))
    names = [name for some in taken for name in some]
    assert sorted(names) == sorted(batch[0].batch_id for batch in batches[:10])
    assert not await first.due(clock.now(), 10)
    clock.forward(61)
    assert len(await first.due(clock.now(), 100)) == 12  # whoever took them is gone


async def test_a_look_that_is_done_is_due_at_its_next_time(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now())
    await issued.add(batch, notification_id="n-1", next_check_at=clock.now())
    assert await issued.due(clock.now(), 1) == [batch[0].batch_id]
    await issued.checked(batch[0].batch_id, clock.now() + DAY)
    clock.forward(86_399)
    assert not await issued.due(clock.now(), 1)
    clock.forward(1)
    assert await issued.due(clock.now(), 1) == [batch[0].batch_id]


async def test_what_is_hastened_while_it_is_looked_at_is_looked_at_again(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now())
    await issued.add(batch, notification_id="n-1", next_check_at=clock.now())
    assert await issued.due(clock.now(), 1) == [batch[0].batch_id]
    assert await issued.hasten(who, ["residence"]) == 1
    await issued.checked(batch[0].batch_id, clock.now() + DAY)
    assert await issued.due(clock.now(), 1) == [batch[0].batch_id]


async def test_only_what_was_meant_is_hastened_and_one_persons_comes_first(store: Store, clock: HandClock) -> None:
    issued, zhang, li = issued_of(store, clock), await person(store), await person(store, LI)
    waiting = await a_batch(store, li, clock.now())
    await issued.add(waiting, notification_id="n-0", next_check_at=clock.now() - DAY)
    batch = await a_batch(store, zhang, clock.now())
    await issued.add(batch, notification_id="n-1", next_check_at=clock.now() + DAY)
    assert await issued.hasten(zhang, ["stable-income"]) == 0
    assert await issued.hasten(li, None) == 1
    assert await issued.hasten(zhang, ["residence"]) == 1
    assert len(await issued.due(clock.now(), 1)) == 1
    assert await issued.hasten(None, None) == 1  # the one that was taken; the other is due already


async def test_what_is_past_its_time_is_not_looked_at(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now(), valid_until=clock.now() + timedelta(hours=1))
    await issued.add(batch, notification_id="n-1", next_check_at=clock.now() + timedelta(hours=2))
    clock.forward(7200)
    assert not await issued.due(clock.now(), 5)
    clock.forward(120)
    assert not await issued.due(clock.now(), 5)


async def test_a_batch_turns_as_one_with_its_places_and_their_history(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now(), 3)
    beside = await a_batch(store, who, clock.now(), 1)
    for n, some in enumerate((batch, beside)):
        await issued.add(some, notification_id=f"n-{n}", next_check_at=clock.now() + DAY)
    places, name = [one.place for one in batch], batch[0].batch_id
    for state, reason, shown in (
        (SUSPENDED, "DOUBTED", 2), (VALID, "CLEARED", 0), (SUSPENDED, "DISPUTED", 2), (REVOKED, "FACT_CHANGED", 1),
    ):  # fmt: skip
        clock.forward(1)
        assert await issued.set_state(name, state, reason)
        assert not await issued.set_state(name, state, reason)
        assert await values(store, places) == [shown] * 3
        assert {(one.state, one.reason) for one in await issued.batch(name)} == {(state, reason)}
    for state in (VALID, SUSPENDED):
        assert not await issued.set_state(name, state, "TOO_LATE")
    assert await values(store, [beside[0].place]) == [0]
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(status_change)) == 12
        assert await connection.scalar(sa.select(status_list.c.version)) == 4
    assert await kinds(store) == [
        "CREDENTIAL_ISSUED", "CREDENTIAL_ISSUED", "CREDENTIAL_SUSPENDED", "CREDENTIAL_REINSTATED",
        "CREDENTIAL_SUSPENDED", "CREDENTIAL_REVOKED",
    ]  # fmt: skip
    assert await issued.hasten(who, None) == 1  # what is revoked is not looked at any more


async def test_one_of_many_revokes(store: Store, open_replica: OpenStore, clock: HandClock) -> None:
    other = await open_replica()
    stores, who = (issued_of(store, clock), issued_of(other, clock)), await person(store)
    batch = await a_batch(store, who, clock.now(), 10)
    await stores[0].add(batch, notification_id="n-1", next_check_at=clock.now() + DAY)
    done = await asyncio.gather(*(one.set_state(batch[0].batch_id, REVOKED, "BY_OFFICER") for one in stores * 4))
    assert sorted(done) == [False] * 7 + [True]
    assert (await kinds(store)).count("CREDENTIAL_REVOKED") == 1


async def test_nothing_is_issued_to_whom_was_erased(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batch = await a_batch(store, who, clock.now())
    await ErasePerson(store.erasures, clock)(who, reason="file-7", org="SFJ", user="operator")
    with pytest.raises(SubjectErased):
        await issued.add(batch, notification_id="n-1", next_check_at=clock.now() + DAY)


async def test_getting_it_again_ends_what_another_wallet_held_and_no_more(store: Store, clock: HandClock) -> None:
    issued, zhang, li = issued_of(store, clock), await person(store), await person(store, LI)
    first, copies = await a_batch(store, zhang, clock.now()), await a_batch(store, zhang, clock.now())
    other_form = await a_batch(store, zhang, clock.now(), grant_id="f" * 32, configuration_id="residence.w3c")
    of_li = await a_batch(store, li, clock.now(), grant_id="e" * 32)
    for n, batch in enumerate((first, copies, other_form, of_li)):
        await issued.add(batch, notification_id=f"n-{n}", next_check_at=clock.now() + DAY)
    assert {one.state for one in await issued.of_person(zhang)} == {VALID}
    clock.forward(1)
    again = await a_batch(store, zhang, clock.now(), grant_id="h" * 32)
    await issued.add(again, notification_id="n-9", next_check_at=clock.now() + DAY)
    assert await values(store, [one.place for one in first + copies]) == [1] * 4
    assert await values(store, [one.place for one in other_form + of_li + again]) == [0] * 6
    assert {one.reason for one in await issued.batch(first[0].batch_id)} == {"REPLACED"}
    assert (await kinds(store)).count("CREDENTIAL_REVOKED") == 2
