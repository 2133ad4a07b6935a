"""Fixtures every test may use; a floor's own stand in its own folder."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
