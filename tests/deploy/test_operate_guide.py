"""The operator's guide knows every metric and every reason there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from adapters.errors import Reason
from gateway.services.clock_watch import ClockWatch
from gateway.web.clock_metrics import ClockMetrics
from gateway.web.gate import Gate
from gateway.web.metrics import PrometheusMetrics

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "operate.md").read_text("utf-8")


class Behind:
    async def seconds(self) -> float:
        return -1.0


def metrics() -> set[str]:
    found = PrometheusMetrics()
    found.watch(Gate(in_flight=1, streams=1))
    found.in_force(lambda: ("v1", False))
    found.plans(lambda: {"COLD": 1})
    watch = ClockWatch(Behind())
    asyncio.run(watch())
    found.add(ClockMetrics(watch))
    text = found.exposition().decode()
    return {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.endswith("_created")}


def test_every_metric_is_explained_and_no_other() -> None:
    assert set(re.findall(r"^\| `(yimen_\w+)`", GUIDE, re.MULTILINE)) == metrics()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_to_do(reason: Reason) -> None:
    [row] = [line for line in GUIDE.splitlines() if line.startswith(f"| `{reason}` |")]
    assert len(row.split("|")[4].strip()) > 10
