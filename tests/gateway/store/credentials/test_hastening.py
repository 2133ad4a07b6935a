"""What the register of cases hears hastens what rests on it, in the same transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.policy.facts import Seal
from gateway.store import Store
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry, SealEntry
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.credentials.issuing import LI, a_batch, issued_of, person

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


async def test_a_case_a_part_and_a_seal_hasten_those_they_concern(store: Store, clock: HandClock) -> None:
    issued, zhang, li = issued_of(store, clock), await person(store), await person(store, LI)
    for who in (zhang, li):
        batch = await a_batch(store, who, clock.now(), grant_id=who)
        await issued.add(batch, notification_id=who, next_check_at=clock.now() + DAY)
    (mine, *_) = {one.batch_id for one in await issued.of_person(zhang)}
    for entry in (
        CaseEntry("2026-001", zhang),
        PartyEntry("2026-001", "SFJ-SHUNDE", Part.SUPERVISING, clock.now(), None),
        CaseEntry("2026-001", zhang, "DISCHARGED"),
        SealEntry(zhang, Seal.SEALED_JUVENILE),
    ):
        assert await store.cases.declare([entry]) == 1
        assert await issued.due(clock.now(), 5) == [mine]
        await issued.checked(mine, clock.now() + DAY)
        assert await store.cases.declare([entry]) == 0  # the same again is no news
        assert not await issued.due(clock.now(), 5)
