"""Links, codes, sessions and devices on both databases: found by hash, spent once, and counted before they are judged."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.consent.persons import CODE_LIVES, CODE_TRIES, PersonLink, PersonSession
from gateway.store import Store
from gateway.store.tables.consents import person_device, person_link, person_session
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
PERSON, PHONE = "a" * 32, "phone-1"


async def linked(store: Store, clock: HandClock, code: str | None = "123456") -> str:
    token = await store.person_access.make_link(PersonLink(PERSON, PHONE, None, clock.now() + timedelta(days=1)))
    if code is not None:
        assert await store.person_access.set_code(token, code, clock.now() + CODE_LIVES)
    return token


async def test_a_link_is_found_until_it_ends_and_looking_changes_nothing(store: Store, clock: HandClock) -> None:
    token = await linked(store, clock, None)
    for _ in range(3):
        found = await store.person_access.link(token)
        assert found is not None
        assert (found.subject_id, found.enrolment_id, found.consent_id) == (PERSON, PHONE, None)
    assert await store.person_access.link(token[:-1] + "-") is None
    assert await store.person_access.link("\ud800") is None
    clock.forward(86_400)
    assert await store.person_access.link(token) is None
    assert not await store.person_access.set_code(token, "123456", clock.now() + CODE_LIVES)


async def test_no_secret_stands_in_a_table(store: Store, clock: HandClock) -> None:
    token = await linked(store, clock)
    session = await store.person_access.open_session(PersonSession(PERSON, PHONE, "device", clock.now() + CODE_LIVES))
    device = await store.person_access.remember_device(PERSON, PHONE, clock.now() + CODE_LIVES)
    async with store.database.read() as connection:
        rows = [
            (await connection.execute(sa.select(table))).one() for table in (person_link, person_session, person_device)
        ]
    for secret in (token, session, device, "123456"):
        assert secret not in repr(rows)
        assert secret.encode() not in b"".join(bytes(one) for row in rows for one in row if isinstance(one, bytes))


async def test_the_right_code_is_good_once_also_side_by_side(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()
    token = await linked(one, clock)
    spent = await asyncio.gather(
        *(store.person_access.spend_code(token, "123456") for store in (one, other) for _ in range(2))
    )
    assert sum(spent) == 1
    assert not await one.person_access.spend_code(token, "123456")


async def test_five_wrong_ones_and_even_the_right_one_is_refused(store: Store, clock: HandClock) -> None:
    token = await linked(store, clock)
    for guess in range(CODE_TRIES):
        assert not await store.person_access.spend_code(token, f"00000{guess}")
    assert not await store.person_access.spend_code(token, "123456")


async def test_guesses_side_by_side_are_counted_all_the_same(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()
    token = await linked(one, clock)
    guesses = [f"{number:06}" for number in range(20)]
    await asyncio.gather(*(store.person_access.spend_code(token, guess) for store in (one, other) for guess in guesses))
    async with one.database.read() as connection:
        assert await connection.scalar(sa.select(person_link.c.code_tries)) == CODE_TRIES
    assert not await one.person_access.spend_code(token, "123456")


async def test_a_code_ends_and_a_new_one_replaces_it(store: Store, clock: HandClock) -> None:
    token = await linked(store, clock)
    clock.forward(CODE_LIVES.total_seconds())
    assert not await store.person_access.spend_code(token, "123456")
    await store.person_access.set_code(token, "222222", clock.now() + CODE_LIVES)
    await store.person_access.set_code(token, "333333", clock.now() + CODE_LIVES)
    assert not await store.person_access.spend_code(token, "222222")
    assert await store.person_access.spend_code(token, "333333")


async def test_a_code_is_no_good_on_another_link(store: Store, clock: HandClock) -> None:
    mine, other = await linked(store, clock), await linked(store, clock, None)
    assert not await store.person_access.spend_code(other, "123456")
    assert await store.person_access.spend_code(mine, "123456")


async def test_a_session_ends_by_time_and_by_leaving(store: Store, clock: HandClock) -> None:
    until = clock.now() + timedelta(minutes=20)
    session = PersonSession(PERSON, PHONE, "one_time_code", until)
    first, second = await store.person_access.open_session(session), await store.person_access.open_session(session)
    assert await store.person_access.session(first) == session
    await store.person_access.close_session(first)
    assert await store.person_access.session(first) is None
    assert await store.person_access.session(second) == session
    clock.at = until
    assert await store.person_access.session(second) is None


async def test_a_device_is_known_for_its_person_and_their_phone_only(store: Store, clock: HandClock) -> None:
    until = clock.now() + timedelta(days=14)
    device = await store.person_access.remember_device(PERSON, PHONE, until)
    assert await store.person_access.knows_device(device, PERSON, PHONE)
    assert not await store.person_access.knows_device(device, "b" * 32, PHONE)
    assert not await store.person_access.knows_device(device, PERSON, "phone-2")
    await store.person_access.forget_device(device)
    assert not await store.person_access.knows_device(device, PERSON, PHONE)
    late = await store.person_access.remember_device(PERSON, PHONE, until)
    clock.at = until
    assert not await store.person_access.knows_device(late, PERSON, PHONE)


async def test_messages_to_one_person_are_counted_across_replicas(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()

    async def send(store: Store) -> bool:
        return await store.person_access.spend_message(PERSON, "CODE", span_s=3600, most=5)

    sent = await asyncio.gather(*(send(store) for store in (one, other) for _ in range(6)))
    assert sum(sent) == 5
    assert await one.person_access.spend_message("b" * 32, "CODE", span_s=3600, most=5)
    assert await one.person_access.spend_message(PERSON, "LINK", span_s=3600, most=5)
    clock.forward(3600)
    assert await send(one)
