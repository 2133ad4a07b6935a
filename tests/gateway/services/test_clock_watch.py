"""A replica whose clock is wrong says so once, and once more when it is right again."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry
from structlog.testing import capture_logs

from gateway.services.clock_watch import ClockWatch
from gateway.store.errors import StoreUnavailable
from gateway.web.clock_metrics import ClockMetrics

pytestmark = pytest.mark.anyio


class Offsets:
    def __init__(self, *said: float | None) -> None:
        self._said = list(said)

    async def seconds(self) -> float | None:
        if not self._said:
            raise StoreUnavailable("away")
        return self._said.pop(0)


async def test_it_is_told_when_it_begins_and_when_it_ends() -> None:
    watch = ClockWatch(Offsets(0.01, 4.9, -5.1, -6.0, 0.2))
    with capture_logs() as lines:
        for _ in range(5):
            await watch()
    assert [(line["event"], line["seconds"]) for line in lines] == [("clock_differs", -5.1), ("clock_agrees", 0.2)]


async def test_what_was_not_looked_at_is_not_told() -> None:
    watch = ClockWatch(Offsets(8.0))
    registry = CollectorRegistry()
    registry.register(ClockMetrics(watch))
    assert generate_latest(registry) == b""
    await watch()
    assert b"yimen_clock_offset_seconds 8.0" in generate_latest(registry)
    with pytest.raises(StoreUnavailable):
        await watch()
    assert b"yimen_clock_offset_seconds" not in generate_latest(registry)
