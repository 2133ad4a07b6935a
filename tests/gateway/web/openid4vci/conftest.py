"""An issuer on a real port with a clock that moves by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.fakes.issuing import IssuerHouse, issuer_house
from tests.gateway.store.conftest import MASTER_KEY, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url=f"sqlite:///{tmp_path}/y.db",
        master_key=MASTER_KEY,
        demo=True,
        state_dir=tmp_path,
        dpop_nonces="off",
    )


@pytest.fixture
async def house(settings: Settings, clock: HandClock) -> AsyncIterator[IssuerHouse]:
    async with issuer_house(settings, clock) as found:
        yield found
