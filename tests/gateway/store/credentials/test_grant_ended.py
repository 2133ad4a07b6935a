"""A grant knows which of its documents somebody ended: on both databases, by token and in the background."""

from __future__ import annotations

import pytest

from gateway.services.credentials.ports import CredentialState, HolderGrant
from gateway.store import Store
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.credentials.issuing import a_batch, issued_of
from tests.gateway.store.credentials.test_holder_grants import grants_of, new, offered

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("BY_PERSON", True),
        ("BY_OFFICER", True),
        ("DATA_SPACE_CLOSED", True),
        ("REPLACED", True),
        ("2026/17", True),
        ("FACT_CHANGED", False),
        ("NO_GROUND", False),
        ("KEY_COMPROMISED", False),
    ],
)
async def test_what_somebody_ended_is_known_with_the_grant(
    store: Store, clock: HandClock, reason: str, ended: bool
) -> None:
    grants, issued = grants_of(store, clock), issued_of(store, clock)
    offer, code = await offered(store, clock, configuration_ids=("residence", "business", "stable-income"))
    token = new(clock)
    made = await grants.redeem(code, None, token)
    assert isinstance(made, HolderGrant)
    assert made.ended == frozenset()
    for configuration_id in ("residence", "business", "stable-income"):
        batch = await a_batch(
            store, offer.subject_id, clock.now(), grant_id=made.grant_id, configuration_id=configuration_id
        )
        await issued.add(batch, notification_id=configuration_id, next_check_at=clock.now())
        if configuration_id != "stable-income":
            await issued.set_state(batch[0].batch_id, CredentialState.REVOKED, reason)
    expected = frozenset({"residence", "business"} if ended else ())
    for found in (await grants.find(token.token), await grants.by_id(made.grant_id)):
        assert found is not None
        assert found.ended == expected
