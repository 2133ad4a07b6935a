"""Batches that are kept at the same time, on both databases: each whole or not at all, whoever shares its transaction."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.services.credentials.ports import CredentialState
from gateway.store import Store
from gateway.store.errors import StoreUnavailable
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential, credential_offer_event
from gateway.store.tables.ledger import ledger_outbox
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.credentials.issuing import LI, a_batch, an_offer, issued_of, offers_of, person

pytestmark = pytest.mark.anyio


async def count(store: Store, table: sa.Table, *which: sa.ColumnElement[bool]) -> int:
    async with store.database.read() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(table).where(*which)) or 0


async def test_many_at_once_are_kept_each_with_its_record_and_moment(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    offer = an_offer(who, clock.now())
    await offers_of(store, clock).add(offer, code="c" * 43, tx_code=None)
    waiting = await count(store, ledger_outbox)
    batches = [await a_batch(store, who, clock.now(), offer_id=offer.offer_id) for _ in range(20)]
    store.database.ledger_news.clear()
    await asyncio.gather(
        *(issued.add(b, notification_id=f"n{n}", next_check_at=clock.now()) for n, b in enumerate(batches))
    )
    assert await count(store, credential) == 40
    assert await count(store, change_event, change_event.c.kind == "CREDENTIAL_ISSUED") == 20
    assert await count(store, ledger_outbox) == waiting + 20
    assert await count(store, credential_offer_event, credential_offer_event.c.kind == "ISSUED") == 20
    assert store.database.ledger_news.is_set()
    for batch in batches:
        (first, second) = await issued.batch(batch[0].batch_id)
        assert {first.facts, second.facts} == {batch[0].facts}
        assert await count(store, change_event, change_event.c.object_id == batch[0].batch_id) == 1


async def test_of_two_wallets_at_once_one_ends_the_other(store: Store, clock: HandClock) -> None:
    issued, who = issued_of(store, clock), await person(store)
    batches = [await a_batch(store, who, clock.now(), 1, grant_id=f"{n}" * 32) for n in range(6)]
    await asyncio.gather(
        *(issued.add(b, notification_id=f"n{n}", next_check_at=clock.now()) for n, b in enumerate(batches))
    )
    states = [one.state for one in await issued.of_person(who)]
    assert sorted(states) == [CredentialState.REVOKED] * 5 + [CredentialState.VALID]
    assert await count(store, change_event, change_event.c.kind == "CREDENTIAL_REVOKED") == 5


async def test_what_does_not_fit_costs_nobody_else_theirs(store: Store, clock: HandClock) -> None:
    issued, who, other = issued_of(store, clock), await person(store), await person(store, LI)
    good = [await a_batch(store, who, clock.now()) for _ in range(5)]
    bad = await a_batch(store, other, clock.now())
    bad = [replace(one, place=good[0][0].place) for one in bad]  # a place that is another's
    asked = [issued.add(b, notification_id=f"n{n}", next_check_at=clock.now()) for n, b in enumerate([*good, bad])]
    *fine, refused = await asyncio.gather(*asked, return_exceptions=True)
    assert fine == [None] * 5
    assert isinstance(refused, StoreUnavailable)
    assert await count(store, credential) == 10
    assert await count(store, change_event, change_event.c.object_id == bad[0].batch_id) == 0
