"""Two processes over one database: each look is one's, and of two wallets that get the same at once one is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from credentials.type_files import load_types
from gateway.services.credentials.facts_digest import FactsDigest
from gateway.services.credentials.follow_the_fact import FollowTheFact, Looked, Pace
from gateway.services.credentials.ports import Acting, CredentialState, FactsState, Fetched, Issued
from gateway.store import Store
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.credentials.issuing import LI, a_batch, issued_of, person, values

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


async def test_what_is_due_is_looked_at_once_whoever_sweeps(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    replicas, who, digest = (store, await open_replica()), await person(store), FactsDigest(b"d" * 32)
    asked: Counter[str] = Counter()

    async def facts(subject_id: str, type_id: str, acting: Acting, *, purpose: str, reference: str) -> Fetched:
        asked[reference] += 1
        await asyncio.sleep(0)
        return Fetched(FactsState.NOT_MET if len(asked) % 2 else FactsState.UNAVAILABLE)

    async def renew(batch: Issued) -> None:
        raise AssertionError("nothing is to be offered")

    async def never(*_: object) -> bool:
        return False

    issued = [issued_of(one, clock) for one in replicas]
    for n in range(40):
        batch = await a_batch(store, who, clock.now(), 2, facts_digest=digest.of(who, "residence", {}))
        await issued[0].add(batch, notification_id=f"n-{n}", next_check_at=clock.now())
    follows = [FollowTheFact(one, facts, digest, load_types(), renew, clock, Pace(DAY), never, never) for one in issued]
    counts = await asyncio.gather(*(one.sweep() for one in follows))
    assert set(asked.values()) == {1}
    assert len(asked) == 40
    together = Counter(counts[0]) + Counter(counts[1])
    assert together[Looked.REVOKED] + together[Looked.LATER] == 40
    revoked = {one.batch_id for one in await issued[0].of_person(who) if one.state is CredentialState.REVOKED}
    assert len(revoked) == together[Looked.REVOKED] > 0


async def test_of_wallets_that_get_the_same_at_once_one_is_left(
    store: Store, open_replica: OpenStore, clock: HandClock
) -> None:
    other = await open_replica()
    issued, who, li = [issued_of(one, clock) for one in (store, other)], await person(store), await person(store, LI)
    batches = [await a_batch(store, who, clock.now(), 2, grant_id=f"{n:032}") for n in range(8)]
    beside = await a_batch(store, li, clock.now(), 1)
    await asyncio.gather(
        issued[0].add(beside, notification_id="li", next_check_at=clock.now() + DAY),
        *(
            issued[n % 2].add(batch, notification_id=f"n-{n}", next_check_at=clock.now() + DAY)
            for n, batch in enumerate(batches)
        ),
    )
    live = {one.batch_id for one in await issued[0].of_person(who) if one.state is CredentialState.VALID}
    assert len(live) == 1
    for batch in batches:
        assert await values(store, [one.place for one in batch]) == [0 if batch[0].batch_id in live else 1] * 2
    assert await values(store, [beside[0].place]) == [0]
