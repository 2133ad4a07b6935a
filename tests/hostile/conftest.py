"""One gateway for the whole package: what a hostile request does to it, the next one finds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.hostile.attacker import Attacker
from tests.hostile.under_attack import attacked


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """Wider than elsewhere: the server lives as long as the folder's tests, so its loop must too."""
    return "asyncio"


@pytest.fixture(scope="package")
async def attacker(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacker]:
    async with attacked(tmp_path_factory.mktemp("attacked")) as found:
        yield found
