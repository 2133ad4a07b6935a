"""A log that was opened and is led."""

from __future__ import annotations

import pytest

from gateway.store import Store
from tests.gateway.store.ledger.appending import NAME, YEAR


@pytest.fixture
async def leader(store: Store) -> Store:
    await store.log.open(NAME, YEAR)
    assert await store.log.lead()
    return store
