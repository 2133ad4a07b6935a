"""Consents as decisions read them: live, narrow, and spent in the statement that reads them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.caller import CallerKind, SharingDetail
from gateway.oauth.client import Client
from gateway.store import Store
from gateway.store.tables import alert
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.consenting import ITEMS, NO, OTHER_ID_NO, asked, given, partner

pytestmark = pytest.mark.anyio
LOAN = "LOAN_SERVICE"


async def alerts(store: Store) -> list[tuple[str, str, str, str | None]]:
    async with store.database.read() as connection:
        rows = (await connection.execute(sa.select(alert))).all()
    return [(row.type, row.about_id, row.org_id, row.subject_id) for row in rows]


async def test_a_consent_in_force_is_found_with_its_items_and_end(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock)
    subject = str(consent.subject_id)
    found, nobody = await store.live_consents.use(partner(consent), LOAN, [subject, "0" * 32])
    assert nobody is None
    assert found is not None
    assert (found.consent_id, found.items, found.until) == (consent.consent_id, frozenset(ITEMS), consent.terms.until)


async def test_once_is_once_for_ever_also_side_by_side(open_replica: OpenStore, clock: HandClock) -> None:
    one, other = await open_replica(), await open_replica()
    consent = await given(one, clock, mode="one_time", max_per_day=1)
    caller, subject = partner(consent), str(consent.subject_id)
    found = await asyncio.gather(
        *(store.live_consents.use(caller, LOAN, [subject]) for store in (one, other) for _ in range(8))
    )
    assert sum(one is not None for (one,) in found) == 1
    clock.forward(86_400)
    assert await one.live_consents.use(caller, LOAN, [subject]) == [None]


async def test_a_daily_limit_holds_across_replicas_and_begins_anew_at_midnight_in_china(
    open_replica: OpenStore, clock: HandClock
) -> None:
    one, other = await open_replica(), await open_replica()
    consent = await given(one, clock, max_per_day=5)
    caller, subject = partner(consent), str(consent.subject_id)
    found = await asyncio.gather(
        *(store.live_consents.use(caller, LOAN, [subject]) for store in (one, other) for _ in range(10))
    )
    assert sum(one is not None for (one,) in found) == 5
    clock.at = clock.at.replace(hour=15, minute=59)  # 23:59 in China
    assert await one.live_consents.use(caller, LOAN, [subject]) == [None]
    clock.forward(60)
    assert await one.live_consents.use(caller, LOAN, [subject]) != [None]


async def test_a_person_named_twice_in_one_call_costs_one_use(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock, mode="one_time", max_per_day=1)
    subject = str(consent.subject_id)
    first, second = await store.live_consents.use(partner(consent), LOAN, [subject, subject])
    assert first == second
    assert first is not None


async def test_the_token_narrows_and_never_widens(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock)
    subject = str(consent.subject_id)
    (found,) = await store.live_consents.use(
        partner(consent, items=frozenset({ITEMS[0], "business.name"})), LOAN, [subject]
    )
    assert found is not None
    assert found.items == {ITEMS[0]}
    detail = partner(consent).details[0]
    strict = replace(partner(consent), details=(replace(detail, max_per_day=1),))
    assert await store.live_consents.use(strict, LOAN, [subject]) == [None]  # one was used today
    generous = replace(partner(consent), details=(replace(detail, max_per_day=100),))
    assert await store.live_consents.use(generous, LOAN, [subject]) != [None]
    assert await store.live_consents.use(generous, LOAN, [subject]) == [None]  # the consent says two


async def test_nothing_else_opens_it(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock)
    subject = str(consent.subject_id)
    caller = partner(consent)
    detail = caller.details[0]
    for wrong in (
        replace(caller, client_id="other"),
        replace(caller, org_id="other"),
        replace(caller, kind=CallerKind.OFFICER),
        replace(caller, kind=CallerKind.SYSTEM),
        replace(caller, details=()),
        replace(caller, details=(replace(detail, consent_id=None),)),
        replace(caller, details=(replace(detail, consent_id="0" * 32),)),
        replace(caller, details=(replace(detail, consent_id=consent.request_id),)),
        replace(caller, details=(replace(detail, purpose="OTHER"),)),
        replace(caller, details=(replace(detail, datatypes=None),)),
        replace(caller, details=(replace(detail, until=clock.now()),)),
        replace(caller, details=(replace(detail, datatypes=frozenset({"identity.name"})),)),
    ):
        assert await store.live_consents.use(wrong, LOAN, [subject]) == [None], wrong
    assert await store.live_consents.use(caller, "OTHER", [subject]) == [None]
    (stranger,) = await store.subjects.recognise([OTHER_ID_NO])
    assert await store.live_consents.use(caller, LOAN, [stranger]) == [None]
    assert await alerts(store) == []


async def test_unanswered_and_refused_consents_open_nothing_and_raise_nothing(store: Store, clock: HandClock) -> None:
    waiting = await asked(store, clock)
    refused = await asked(store, clock, reference="file-2")
    await store.consents.answer(refused, NO)
    for consent in (waiting, refused):
        assert await store.live_consents.use(partner(consent), LOAN, [str(consent.subject_id)]) == [None]
    assert await alerts(store) == []


async def test_a_withdrawal_counts_at_once_in_every_replica_and_a_use_after_it_is_told_to_the_partners_own(
    open_replica: OpenStore, clock: HandClock
) -> None:
    one, other = await open_replica(), await open_replica()
    consent = await given(one, clock)
    caller, subject = partner(consent), str(consent.subject_id)
    assert await other.live_consents.use(caller, LOAN, [subject]) != [None]
    assert await one.consents.withdraw(subject, consent.consent_id, "device") is not None
    assert await other.live_consents.use(caller, LOAN, [subject]) == [None]
    assert await alerts(one) == [("A16_CONSENT_USED_AFTER_END", "bank-client", "bank-org", None)]
    await other.live_consents.note_dead_token(caller)
    assert len(await alerts(one)) == 1  # counted, not doubled


async def test_an_end_by_time_counts_before_anybody_put_it_down(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock)
    clock.at = consent.terms.until - timedelta(microseconds=1)
    assert await store.live_consents.use(partner(consent), LOAN, [str(consent.subject_id)]) != [None]
    clock.at = consent.terms.until
    assert await store.live_consents.use(partner(consent), LOAN, [str(consent.subject_id)]) == [None]
    assert [kind for kind, *_ in await alerts(store)] == ["A16_CONSENT_USED_AFTER_END"]


async def test_a_superseded_consent_opens_nothing_and_is_no_misuse(store: Store, clock: HandClock) -> None:
    older = await given(store, clock)
    await given(store, clock, reference="file-2")
    assert await store.live_consents.use(partner(older), LOAN, [str(older.subject_id)]) == [None]
    assert await alerts(store) == []


def bank(**changes: object) -> Client:
    client = Client("bank-client", "Bank", CallerKind.PARTNER, "bank-org", "BANK", "", {}, purposes=frozenset({LOAN}))
    return replace(client, **changes)  # type: ignore[arg-type]


async def test_a_token_is_covered_only_by_a_consent_that_holds_all_of_it(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock)
    good = SharingDetail(LOAN, None, frozenset({ITEMS[0]}), consent.consent_id)
    cover = store.live_consents.cover
    assert await cover(bank(), [good, good]) == [consent.terms.until] * 2
    for wrong in (
        replace(good, consent_id="0" * 32),
        replace(good, consent_id=None),
        replace(good, purpose="OTHER"),
        replace(good, datatypes=None),
        replace(good, datatypes=frozenset({ITEMS[0], "business.name"})),
    ):
        assert await cover(bank(), [good, wrong]) == [consent.terms.until, None], wrong
    assert await cover(bank(client_id="other"), [good]) == [None]
    assert await cover(bank(org_id="other"), [good]) == [None]
    assert await cover(bank(kind=CallerKind.SYSTEM), [good]) == [None]
    await store.consents.withdraw(str(consent.subject_id), consent.consent_id, "device")
    assert await cover(bank(), [good]) == [None]


async def test_looking_at_issue_spends_nothing(store: Store, clock: HandClock) -> None:
    consent = await given(store, clock, mode="one_time", max_per_day=1)
    for _ in range(3):
        await store.live_consents.cover(bank(), [SharingDetail(LOAN, None, frozenset(ITEMS), consent.consent_id)])
    assert await store.live_consents.use(partner(consent), LOAN, [str(consent.subject_id)]) != [None]
