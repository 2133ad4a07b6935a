"""Our clock against the database server's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.clock import SystemClock
from gateway.store import Store
from gateway.store.clock_offset import StoredClockOffset

pytestmark = pytest.mark.anyio


class Wrong:
    """So far ahead of this machine's."""

    def __init__(self, seconds: float) -> None:
        self._by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return SystemClock().now() + self._by


@pytest.mark.parametrize("seconds", [-90.0, 0.0, 8.0])
async def test_it_is_how_far_we_are_ahead(store: Store, seconds: float) -> None:
    found = await StoredClockOffset(store.database, Wrong(seconds)).seconds()
    if store.database.is_sqlite:
        assert found is None, "there is no server but this process"
    else:
        assert found == pytest.approx(seconds, abs=1.5)
