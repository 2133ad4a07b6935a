"""Changes in the health of the sources reach every listener, from one look."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Reason
from adapters.health import Health
from gateway.federation.health_watch import HealthWatch
from tests.fakes.federated import opened

pytestmark = pytest.mark.anyio


class Moody:
    """A source whose health a test sets, and which counts how often it is looked at."""

    def __init__(self, code: str) -> None:
        self.state: Any = "UP"
        self.looks = 0
        self.source = replace(opened(code, "residence", {}, [])[0], health=self._health)
        self._code = code

    def _health(self) -> Health:
        self.looks += 1
        reason = Reason.DOWN if self.state == "DOWN" else None
        return Health(self._code, self.state, "CLOSED", None, None, reason, 0, None, 0, 0)


async def test_every_listener_gets_the_present_and_then_each_change() -> None:
    one, other = Moody("LGB"), Moody("SB")
    watch = HealthWatch([one.source, other.source])
    listeners = [watch.listen() for _ in range(50)]
    async with asyncio.timeout(5):
        for listener in listeners:
            first = [await anext(listener), await anext(listener)]
            assert {(entry["source"], entry["state"]) for entry in first} == {("LGB", "UP"), ("SB", "UP")}
        other.state = "DOWN"
        changes = [await anext(listener) for listener in listeners]
        assert {(entry["source"], entry["state"], entry["reason"]) for entry in changes} == {("SB", "DOWN", "DOWN")}
    for listener in listeners:
        await listener.aclose()  # type: ignore[attr-defined]
    assert one.looks < 20, "fifty listeners, one look at a time"
    looked = one.looks
    await asyncio.sleep(0.6)
    assert one.looks == looked, "nobody listens, nobody looks"
