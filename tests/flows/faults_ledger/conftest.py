"""One scene for all that is done to a finished log; each test spoils a copy of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.flows.faults_ledger.scene import Scene, remembered, scene_of
from tests.gateway.bootstrap.conftest import postgresql, serve, server

__all__ = ["postgresql", "serve", "server"]


@pytest.fixture(scope="package")
async def a_day(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene_of(tmp_path_factory.mktemp("day")) as opened:
        yield opened


@pytest.fixture
def scene(a_day: Scene) -> Iterator[Scene]:
    with remembered(a_day.five):
        yield a_day
