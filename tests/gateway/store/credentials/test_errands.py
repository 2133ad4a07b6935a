"""A paper nobody had to fetch counts once, and whose it was is nowhere."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.store import Store
from gateway.store.credentials.errands import StoredErrands
from tests.gateway.store.conftest import HandClock, OpenStore

pytestmark = pytest.mark.anyio
PAPERS = frozenset({"residence", "stable-income"})


async def test_each_type_of_a_showing_counts_once_in_whatever_process(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    other = await open_replica()
    errands = [StoredErrands(one.database, clock, PAPERS) for one in (store, other)]
    await asyncio.gather(*(one.count("p1", ["residence", "stable-income"], "BANK") for one in errands * 2))
    await errands[0].count("p2", ["residence", "residence"], "COURT")
    assert await errands[0].totals() == {
        ("residence", "BANK"): 1, ("stable-income", "BANK"): 1, ("residence", "COURT"): 1,
    }  # fmt: skip
    assert sum((one.counted for one in errands), start=errands[0].counted.__class__()) == {
        "residence": 2, "stable-income": 1,
    }  # fmt: skip


async def test_where_no_paper_was_asked_before_no_errand_is_avoided(store: Store, clock: HandClock) -> None:
    errands = StoredErrands(store.database, clock, PAPERS)
    await errands.count("p1", ["conduct-plan"], "BANK")
    assert await errands.totals() == {}


async def test_a_span_ends_where_it_says(store: Store, clock: HandClock) -> None:
    errands = StoredErrands(store.database, clock, PAPERS)
    await errands.count("p1", ["residence"], "BANK")
    begun = clock.now()
    clock.forward(86_400)
    await errands.count("p2", ["residence"], "BANK")
    assert await errands.totals(until=begun + timedelta(seconds=1)) == {("residence", "BANK"): 1}
    assert await errands.totals(since=begun + timedelta(seconds=1)) == {("residence", "BANK"): 1}
    assert await errands.totals(since=begun) == {("residence", "BANK"): 2}
