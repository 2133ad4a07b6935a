"""Floods of equal refusals: few events, no refusal lost, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.caller import AccessEvent, Decision, Receipt
from gateway.errors import EvidenceUnavailable, GatewayError
from gateway.services.flood_evidence import FloodEvidence, as_json, equality, from_json
from gateway.store import Store
from gateway.store.floods import StoredFloods
from gateway.store.tables import access_event
from gateway.store.tables.limits import refusal_flood
from tests.gateway.store.conftest import START, HandClock, OpenStore
from tests.gateway.store.events import event as some_event

pytestmark = pytest.mark.anyio


def refusal(**changes: Any) -> AccessEvent:
    base = replace(some_event(), decision=Decision.DENY, subjects=(), at=START)
    return replace(base, **changes)


def evidence(store: Store, clock: HandClock, **more: Any) -> FloodEvidence:
    return FloodEvidence(store.evidence, StoredFloods(store.database, clock), clock, **more)


async def recorded(store: Store) -> list[Any]:
    async with store.database.read() as connection:
        return list((await connection.execute(sa.select(access_event).order_by(access_event.c.id))).all())


async def test_the_first_ones_stand_alone_the_rest_in_one_event_and_none_is_lost(
    store: Store, clock: HandClock
) -> None:
    kept = evidence(store, clock)
    receipts = [await kept.record(refusal(result_salt=bytes([number]) * 16)) for number in range(40)]
    assert len(await recorded(store)) == 5
    assert await kept.flush() == 0  # the span still runs
    clock.forward(300)
    assert await kept.flush() == 1
    rows = await recorded(store)
    assert [row.repeats for row in rows] == [1, 1, 1, 1, 1, 35]
    assert sum(row.repeats for row in rows) == 40
    assert {receipt.id for receipt in receipts} == {row.id for row in rows[:5]}
    assert rows[-1].rule_ids == rows[0].rule_ids
    assert await kept.flush() == 0


async def test_many_at_once_share_writes_and_all_are_counted(open_replica: OpenStore, clock: HandClock) -> None:
    stores = [await open_replica() for _ in range(2)]
    keepers = [evidence(store, clock, alone=1) for store in stores]
    for keeper in keepers:
        await keeper.record(refusal())
    await asyncio.gather(*(keepers[number % 2].record(refusal()) for number in range(300)))
    clock.forward(300)
    assert sum(await asyncio.gather(*(keeper.flush() for keeper in keepers))) == 1
    assert sum(row.repeats for row in await recorded(stores[0])) == 302


@pytest.mark.parametrize(
    "other",
    [
        {"actor_user": "another"},
        {"client_id": "another"},
        {"subjects": ("s2",)},
        {"rule_ids": ("another",)},
        {"inner_rule_ids": ("sealed",)},
        {"fields": ("identity.phone",)},
        {"case_no": "another"},
    ],
)
async def test_what_differs_in_anything_but_its_moment_is_not_counted_together(
    store: Store, clock: HandClock, other: dict[str, Any]
) -> None:
    kept = evidence(store, clock, alone=1)
    for number in range(3):
        await kept.record(refusal(subjects=("s1",), at=START + timedelta(seconds=number)))
        await kept.record(refusal(**({"subjects": ("s1",)} | other)))
    clock.forward(300)
    assert await kept.flush() == 2


async def test_allowed_answers_are_never_counted_together(store: Store, clock: HandClock) -> None:
    kept = evidence(store, clock, alone=1)
    for _ in range(4):
        await kept.record(refusal(decision=Decision.ALLOW))
        await kept.record_all([refusal(), refusal()])
    assert len(await recorded(store)) == 12


async def test_a_count_that_is_not_durable_is_no_record_and_so_no_answer(store: Store, clock: HandClock) -> None:
    class Broken(StoredFloods):
        async def add(self, *given: Any) -> None:
            raise GatewayError("the database is away")

    kept = FloodEvidence(store.evidence, Broken(store.database, clock), clock, alone=1)
    await kept.record(refusal())
    results = await asyncio.gather(*(kept.record(refusal()) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, EvidenceUnavailable) for one in results)


async def test_a_process_that_ends_leaves_the_count_to_the_next(open_replica: OpenStore, clock: HandClock) -> None:
    first, second = await open_replica(), await open_replica()
    one = evidence(first, clock, alone=1)
    for _ in range(4):
        await one.record(refusal())
    clock.forward(400)
    other = StoredFloods(second.database, clock)
    (taken,) = await other.due(hold=timedelta(minutes=1))  # and dies before it records
    assert taken.event.repeats == 3
    assert await one.flush() == 0
    clock.forward(61)
    assert await one.flush() == 1
    assert sum(row.repeats for row in await recorded(first)) == 4


async def test_a_refusal_that_comes_while_its_flood_is_being_recorded_is_kept(store: Store, clock: HandClock) -> None:
    floods = StoredFloods(store.database, clock)
    key, span, receipt = b"k", timedelta(minutes=5), Receipt("r", START)
    await floods.add(key, span, refusal(), receipt, 2)
    taken = await floods.due(hold=timedelta(minutes=1), at_once=True)
    for _ in range(3):
        await floods.add(key, span, refusal(), receipt, 1)
    await floods.done(taken)
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.sum(refusal_flood.c.count))) == 3


async def test_a_new_span_begins_with_events_of_its_own(store: Store, clock: HandClock) -> None:
    kept = evidence(store, clock, alone=1, span=timedelta(milliseconds=1))
    for _ in range(3):
        await kept.record(refusal())
        await asyncio.sleep(0.005)
    assert len(await recorded(store)) == 3


@given(
    st.lists(st.text(max_size=8), max_size=3),
    st.lists(st.text(max_size=8), max_size=3),
    st.none() | st.text(max_size=8),
    st.binary(min_size=16, max_size=16),
)
def test_an_event_comes_back_from_its_text_as_it_was(
    subjects: list[str], rules: list[str], case_no: str | None, salt: bytes
) -> None:
    event = refusal(subjects=subjects, rule_ids=rules, case_no=case_no, result_salt=salt)
    back = from_json(as_json(event), 7)
    assert back.repeats == 7
    assert equality(back) == equality(event)
    assert orjson.loads(as_json(back)) == orjson.loads(as_json(event)) | {"repeats": 7}
