"""One town for all stories of this folder; each story file opens gateways of its own on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.flows.house import House
from tests.flows.town import Town, gateway_of, shunde, town_of, unhurried


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """Wider than elsewhere: the servers live as long as the folder's tests, so their loop must too."""
    return "asyncio"


@pytest.fixture(scope="package")
async def bare_town(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town_of(tmp_path_factory.mktemp("town"), limits=False) as opened:
        yield opened


@pytest.fixture(scope="package")
async def neighbour(bare_town: Town) -> AsyncIterator[House]:
    """Shunde's yimen, a source of ours and a house of its own."""
    async with shunde(bare_town) as opened:
        yield opened


@pytest.fixture(scope="package")
async def wide_town(bare_town: Town, neighbour: House) -> Town:
    """The departments and the neighbour."""
    return bare_town


@pytest.fixture
async def town(wide_town: Town) -> AsyncIterator[Town]:
    """The town with every switch off and every counter at nought, before the test and after it."""
    await wide_town.heal()
    yield wide_town
    await wide_town.heal()


@pytest.fixture(scope="module")
async def wide_gateway(wide_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One gateway a story file: what one file does to a breaker is nothing to another. Nobody limits the rate here."""
    await wide_town.heal()
    async with gateway_of(wide_town, tmp_path_factory.mktemp("gateway"), unhurried) as opened:
        yield opened


@pytest.fixture
async def gateway(town: Town, wide_gateway: House) -> House:
    return wide_gateway
