"""Requests to show something, kept: one answer, one reading, in whichever replica; results sealed and gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.services.presenting.ports import CLERK, Outcome, Presentation, Secrets, Step
from gateway.store import Store
from gateway.store.credentials.presentations import StoredPresentations
from gateway.store.tables import change_event
from gateway.store.tables.credentials import presentation as table
from tests.gateway.store.conftest import START, HandClock, OpenStore

pytestmark = pytest.mark.anyio
SECRETS = Secrets({"kty": "EC", "kid": "k", "d": "secret-d"}, "x509_hash:abc", "kid-1", True)
ASKED = Presentation(
    "p" * 32, "r" * 43, "a" * 43, "bank-client", "bank", "bank-client", "bank-account-opening", "LOAN_SERVICE", "acc-1",
    {"credentials": []}, "haip", False, None, "n" * 43, "s" * 43, START, START + timedelta(minutes=5), SECRETS,
)  # fmt: skip
SHOWN = Outcome(Step.ANSWERED, result={"credentials": {"residence": [{"claims": {"livesInDistrict": "440604"}}]}})


@pytest.fixture
def kept(store: Store, clock: HandClock) -> StoredPresentations:
    return StoredPresentations(store.database, store.keys, clock)


async def row(store: Store) -> sa.Row[tuple[object, ...]]:
    async with store.database.read() as connection:
        return (await connection.execute(sa.select(table))).one()


async def changes(store: Store) -> list[tuple[str, str | None, str]]:
    async with store.database.read() as connection:
        asked = sa.select(change_event.c.kind, change_event.c.subject_id, change_event.c.actor_org)
        found = await connection.execute(asked.where(change_event.c.kind.like("PRESENTATION_%")))
        return [tuple(one) for one in found]


async def test_from_asked_to_read_each_step_once(store: Store, kept: StoredPresentations) -> None:
    await kept.add(ASKED)
    assert await kept.by_request(ASKED.request_ref) == ASKED
    assert await kept.by_response(ASKED.response_ref) is None  # nobody fetched it
    assert not await kept.end(ASKED.presentation_id, SHOWN)
    await kept.fetched(ASKED.presentation_id)
    await kept.fetched(ASKED.presentation_id)
    assert await kept.by_response(ASKED.response_ref) == replace(ASKED, step=Step.FETCHED)
    assert await kept.take(ASKED.presentation_id, "bank-client", None, None) is None
    assert await kept.end(ASKED.presentation_id, SHOWN)
    assert not await kept.end(ASKED.presentation_id, Outcome(Step.FAILED, "signature"))
    assert await kept.by_response(ASKED.response_ref) is None
    assert await kept.by_request(ASKED.request_ref) is None
    taken = await kept.take(ASKED.presentation_id, "bank-client", None, None)
    assert taken is not None
    assert taken.step is Step.ANSWERED
    assert taken.result == SHOWN.result
    assert await kept.take(ASKED.presentation_id, "bank-client", None, None) is None
    told = await changes(store)
    assert [one[0] for one in told] == ["PRESENTATION_CREATED", "PRESENTATION_ANSWERED", "PRESENTATION_RETRIEVED"]
    assert {one[1:] for one in told} == {(None, "bank")}  # never with a person


async def test_what_was_shown_and_the_key_are_sealed_and_go_with_their_use(
    store: Store, kept: StoredPresentations
) -> None:
    await kept.add(ASKED)
    await kept.fetched(ASKED.presentation_id)
    assert b"secret-d" not in bytes((await row(store)).encryption_ct)
    await kept.end(ASKED.presentation_id, SHOWN)
    ended = await row(store)
    assert ended.encryption_ct is None
    assert b"440604" not in bytes(ended.result_ct)
    await kept.take(ASKED.presentation_id, "bank-client", None, None)
    assert (await row(store)).result_ct is None


async def test_of_forty_answers_in_two_replicas_one_counts_and_of_forty_readings_one_gets_it(
    open_replica: OpenStore, clock: HandClock
) -> None:
    stores = [await open_replica(), await open_replica()]
    both = [StoredPresentations(one.database, one.keys, clock) for one in stores]
    await both[0].add(ASKED)
    await both[1].fetched(ASKED.presentation_id)
    ended = await asyncio.gather(*(both[n % 2].end(ASKED.presentation_id, SHOWN) for n in range(40)))
    assert sum(ended) == 1
    taken = await asyncio.gather(
        *(both[n % 2].take(ASKED.presentation_id, "bank-client", None, None) for n in range(40))
    )
    assert len([one for one in taken if one is not None]) == 1
    told = await changes(stores[0])
    assert sorted(one[0] for one in told) == ["PRESENTATION_ANSWERED", "PRESENTATION_CREATED", "PRESENTATION_RETRIEVED"]


async def test_nobody_else_finds_or_takes_it(kept: StoredPresentations) -> None:
    await kept.add(ASKED)
    await kept.fetched(ASKED.presentation_id)
    await kept.end(ASKED.presentation_id, SHOWN)
    for client, user in (("other-client", None), (CLERK, "bank-client"), ("", None)):
        assert await kept.find(ASKED.presentation_id, client, user) is None
        assert await kept.take(ASKED.presentation_id, client, user, None) is None
    assert await kept.find(ASKED.presentation_id, "bank-client", None) is not None


async def test_a_clerks_is_that_clerks_alone(kept: StoredPresentations) -> None:
    await kept.add(replace(ASKED, client_id=CLERK, actor_user="officer-lin"))
    assert await kept.find(ASKED.presentation_id, CLERK, "officer-wu") is None
    assert await kept.find(ASKED.presentation_id, CLERK, None) is None
    assert await kept.find(ASKED.presentation_id, CLERK, "officer-lin") is not None


async def test_for_the_same_device_only_its_code_takes_it(kept: StoredPresentations) -> None:
    await kept.add(replace(ASKED, same_device=True, return_to="https://bank.example/back"))
    await kept.fetched(ASKED.presentation_id)
    await kept.end(ASKED.presentation_id, replace(SHOWN, code="c" * 43))
    for wrong in (None, "", "c" * 42):
        assert await kept.take(ASKED.presentation_id, "bank-client", None, wrong) is None
    assert await kept.take(ASKED.presentation_id, "bank-client", None, "c" * 43) is not None


async def test_for_the_same_device_without_a_code_there_is_nothing_to_take(kept: StoredPresentations) -> None:
    await kept.add(replace(ASKED, same_device=True, return_to="https://bank.example/back"))
    await kept.fetched(ASKED.presentation_id)
    await kept.end(ASKED.presentation_id, SHOWN)
    for wrong in (None, ""):
        assert await kept.take(ASKED.presentation_id, "bank-client", None, wrong) is None


async def test_after_its_end_it_is_neither_fetched_nor_answered(kept: StoredPresentations, clock: HandClock) -> None:
    await kept.add(ASKED)
    await kept.fetched(ASKED.presentation_id)
    clock.forward(300)
    assert await kept.by_request(ASKED.request_ref) is None
    assert await kept.by_response(ASKED.response_ref) is None
    assert not await kept.end(ASKED.presentation_id, SHOWN)


async def test_a_result_nobody_fetches_goes_and_then_the_row(
    store: Store, kept: StoredPresentations, clock: HandClock
) -> None:
    await kept.add(ASKED)
    await kept.fetched(ASKED.presentation_id)
    await kept.end(ASKED.presentation_id, SHOWN)
    clock.forward(300 + 599)
    await kept.purge()
    assert (await row(store)).result_ct is not None
    clock.forward(1)
    assert await kept.take(ASKED.presentation_id, "bank-client", None, None) is None
    await kept.purge()
    assert (await row(store)).result_ct is None
    clock.forward(24 * 3600)
    assert await kept.purge() == 1
