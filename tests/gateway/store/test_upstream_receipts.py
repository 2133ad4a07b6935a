"""Which receipts of other gateways are still to be asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.onward import UpstreamReceipt
from gateway.services.upstream_receipts import Found, Kept, Verdict
from gateway.store import Store
from gateway.store.upstream_receipts import StoredReceipts
from tests.gateway.store.conftest import START, HandClock
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
ONE, TWO = "01a21686-1258-77a5-ab80-ea2ffb8bae44", "01a21686-1258-77a5-ab80-ea2ffb8bae45"
WEEK = START - timedelta(days=7)


async def recorded(store: Store, *ids: str, source: str = "B", leaf: str = "x") -> str:
    given = tuple(UpstreamReceipt(source, one, START.isoformat(), leaf, "DURABLE") for one in ids)
    return (await store.evidence.record(event(upstream=given))).id


def names(found: list[Kept]) -> list[tuple[str, str]]:
    return [(one.event_id, one.id) for one in found]


async def test_what_was_found_good_or_was_looked_at_lately_is_not_asked_for(store: Store, clock: HandClock) -> None:
    receipts = StoredReceipts(store.database)
    first = await recorded(store, ONE, TWO)
    clock.forward(10)
    open_ones = list(await receipts.open(since=WEEK, most=9))
    assert names(open_ones) == [(first, ONE), (first, TWO)]
    await receipts.keep(Found(open_ones[0], Verdict.GOOD, "SEALED"), clock.now())
    await receipts.keep(Found(open_ones[1], Verdict.PENDING, "DURABLE"), clock.now())
    assert names(list(await receipts.open(since=WEEK, most=9))) == [(first, TWO)]
    assert await receipts.open(since=WEEK, most=9, unseen_since=clock.now() - timedelta(seconds=5)) == []
    assert await receipts.open(since=WEEK, most=9, without={"B"}) == []


async def test_an_id_given_again_after_it_was_found_good_is_asked_for_again(store: Store, clock: HandClock) -> None:
    """Or one honest receipt would do for all that were never recorded."""
    receipts = StoredReceipts(store.database)
    await recorded(store, ONE)
    await recorded(store, ONE, source="C")
    clock.forward(10)
    for one in await receipts.open(since=WEEK, most=9):
        if one.source == "B":
            await receipts.keep(Found(one, Verdict.GOOD, "SEALED"), clock.now())
    clock.forward(10)
    again = await recorded(store, ONE, leaf="another")
    found = list(await receipts.open(since=WEEK, most=9))
    assert [(one.source, one.event_id == again) for one in found] == [("B", True), ("C", False)]
