"""The record of consents, on both databases: nothing is changed, and each step is taken once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.consent.consent import ConsentState, ReferenceTaken
from gateway.consent.ports import Asked
from gateway.store import Store
from gateway.store.tables import change_event
from gateway.store.tables.consents import consent as consent_table
from gateway.store.tables.consents import consent_event
from gateway.store.tables.oauth_keys import revocation
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.consenting import ID_NO, NO, OTHER_ID_NO, YES, asked, given, terms

pytestmark = pytest.mark.anyio


async def kinds(store: Store) -> list[str]:
    async with store.database.read() as connection:
        return list(await connection.scalars(sa.select(change_event.c.kind).order_by(change_event.c.id)))


async def test_the_same_request_is_the_same_and_another_under_its_reference_is_refused(
    store: Store, clock: HandClock
) -> None:
    until = clock.now() + timedelta(days=7)
    first = await store.consents.ask(terms(), Asked(ID_NO, "张三"), until)
    clock.forward(60)
    again = await store.consents.ask(terms(starts_at=clock.now()), Asked(ID_NO, "张三"), until)
    assert again == first
    assert first[0] != first[1]
    for other in (Asked(OTHER_ID_NO, "张三"), Asked(ID_NO, "李四")):
        with pytest.raises(ReferenceTaken):
            await store.consents.ask(terms(), other, until)
    with pytest.raises(ReferenceTaken):
        await store.consents.ask(terms(items=("insurance.status",)), Asked(ID_NO, "张三"), until)
    assert await store.consents.ask(terms(client_id="another"), Asked(ID_NO, "张三"), until) != first
    assert await kinds(store) == ["CONSENT_REQUESTED"] * 2


async def test_who_is_asked_for_is_sealed_and_forgotten_once_it_is_settled(store: Store, clock: HandClock) -> None:
    _, consent_id = await store.consents.ask(terms(), Asked(ID_NO, "张三"), clock.now() + timedelta(days=7))
    found = await store.consents.unsettled(consent_id)
    assert found is not None
    assert found.asked == Asked(ID_NO, "张三")
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(consent_table))).one()
    assert ID_NO.encode() not in bytes(row.person_ct)
    assert ID_NO not in repr(row)
    assert ID_NO not in repr(found)
    (subject,) = await store.subjects.recognise([ID_NO])
    await store.consents.settle(consent_id, subject)
    await store.consents.settle(consent_id, "0" * 32)  # too late to be anybody else's
    assert await store.consents.unsettled(consent_id) is None
    assert await store.consents.of_person(subject, consent_id) is not None
    async with store.database.read() as connection:
        row = (await connection.execute(sa.select(consent_table))).one()
    assert row.person_ct is None


async def test_only_its_own_client_and_its_own_person_find_a_consent(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock)
    assert await store.consents.request("bank-client", consent.request_id) == consent
    assert await store.consents.request("other", consent.request_id) is None
    assert await store.consents.request("bank-client", consent.consent_id) is None
    (stranger,) = await store.subjects.recognise([OTHER_ID_NO])
    assert await store.consents.of_person(stranger, consent.consent_id) is None
    assert await store.consents.receipt(stranger, consent.consent_id) is None
    assert await store.consents.receipt(str(consent.subject_id), consent.consent_id) == "a.b.c"
    assert await store.consents.all_of(stranger) == []
    assert await store.consents.withdraw(stranger, consent.consent_id, "device") is None


async def test_yes_and_no_at_once_are_one_answer(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()
    consent = await asked(one, clock)
    answers = await asyncio.gather(
        *(store.consents.answer(consent, answer) for store in (one, other) for answer in (YES, NO) * 3)
    )
    assert sum(answer is not None for answer in answers) == 1
    async with one.database.read() as connection:
        rows = (await connection.execute(sa.select(consent_event.c.seq).order_by(consent_event.c.seq))).all()
    assert [row.seq for row in rows] == [1, 2]


async def test_a_no_stays_a_no_and_a_late_answer_is_none(store: Store, clock: HandClock) -> None:
    refused = await asked(store, clock)
    assert await store.consents.answer(refused, NO) == ()
    assert await store.consents.answer(refused, YES) is None
    assert await store.consents.withdraw(str(refused.subject_id), refused.consent_id, "device") is None
    late = await asked(store, clock, reference="file-2")
    clock.forward(7 * 86_400)
    assert await store.consents.answer(late, YES) is None


async def test_withdrawing_is_once_and_kills_the_tokens_in_the_same_transaction(
    open_replica: OpenStore, clock: HandClock
) -> None:
    one, other = await open_replica(), await open_replica()
    consent = await given(one, clock)
    subject = str(consent.subject_id)
    ended = await asyncio.gather(
        *(store.consents.withdraw(subject, consent.consent_id, "device") for store in (one, other) * 3)
    )
    assert [e.state for e in ended if e is not None] == [ConsentState.WITHDRAWN]
    found = await one.consents.of_person(subject, consent.consent_id)
    assert found is not None
    assert [event.state for event in found.events] == ["requested", "given", "withdrawn"]
    async with one.database.read() as connection:
        dead = (await connection.execute(sa.select(revocation.c.kind, revocation.c.id))).all()
    assert [tuple(row) for row in dead] == [("consent", consent.consent_id)]
    assert (await kinds(one)).count("CONSENT_WITHDRAWN") == 1


async def test_a_newer_consent_for_the_same_purpose_replaces_the_older(store: Store, clock: HandClock) -> None:
    older = await given(store, clock)
    others = [
        await given(store, clock, reference="p", purpose="OTHER"),
        await given(store, clock, client_id="else"),
        await given(store, clock, OTHER_ID_NO, reference="o"),
    ]
    newer = await asked(store, clock, reference="file-2")
    ended = await store.consents.answer(newer, YES)
    assert ended is not None
    assert [(one.consent_id, one.state) for one in ended] == [(older.consent_id, ConsentState.SUPERSEDED)]
    for other in others:
        found = await store.consents.of_person(str(other.subject_id), other.consent_id)
        assert found is not None
        assert found.in_force(clock.now())


async def test_two_given_at_once_leave_one_in_force(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()
    pairs = [
        [await asked(one, clock, purpose=f"P{number}", reference=f"{number}/{half}") for half in range(2)]
        for number in range(12)
    ]
    for pair in pairs:
        await asyncio.gather(one.consents.answer(pair[0], YES), other.consents.answer(pair[1], YES))
    found = await one.consents.all_of(str(pairs[0][0].subject_id))
    assert sorted(consent.state for consent in found) == ["given"] * 12 + ["superseded"] * 12


async def test_time_ends_what_is_due_once(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()
    live = await given(one, clock)
    await asked(one, clock, reference="file-2", purpose="OTHER")
    assert await one.consents.end_due() == ()
    clock.forward(7 * 86_400)
    assert await one.consents.end_due() == []  # the unanswered one; nobody's consent ended
    clock.forward(30 * 86_400)
    swept = await asyncio.gather(*(store.consents.end_due() for store in (one, other) * 2))
    assert [e.consent_id for ended in swept for e in ended] == [live.consent_id]
    states = [consent.state for consent in await one.consents.all_of(str(live.subject_id))]
    assert states == [ConsentState.EXPIRED, ConsentState.EXPIRED]


async def test_what_is_recorded_of_a_person_names_no_organisation_that_could_list_it(
    store: Store, clock: HandClock
) -> None:
    refused = await asked(store, clock)
    await store.consents.answer(refused, NO)
    async with store.database.read() as connection:
        query = sa.select(change_event).where(change_event.c.kind == "CONSENT_REFUSED")
        row = (await connection.execute(query)).one()
    assert (row.actor_org, row.actor_user, row.detail) == ("", "person", "{}")
