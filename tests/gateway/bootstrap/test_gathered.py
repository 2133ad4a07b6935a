"""A scrape that reaches one worker is told of all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.bootstrap.gathered import gathered, merged, offered
from gateway.web.metrics import PrometheusMetrics

pytestmark = pytest.mark.anyio


def counted(times: int) -> PrometheusMetrics:
    metrics = PrometheusMetrics()
    metrics.in_force(lambda: ("v1", False))
    for _ in range(times):
        metrics.operation("query", "OK", 0.1)
    return metrics


def samples(page: bytes, name: str) -> dict[str, float]:
    families = list(text_string_to_metric_families(page.decode()))
    assert len({family.name for family in families}) == len(families), "a family stands together"
    return {
        sample.labels["worker"]: sample.value for family in families for sample in family.samples if sample.name == name
    }


async def test_every_worker_is_on_the_page_by_its_number(tmp_path: Path) -> None:
    async with offered(tmp_path, 0, counted(1).exposition), offered(tmp_path, 10, counted(3).exposition):
        page = await gathered(tmp_path)
        assert samples(page, "yimen_operations_total") == {"0": 1.0, "10": 3.0}
        assert samples(page, "yimen_reload_failed") == {"0": 0.0, "10": 0.0}
        assert samples(page, "yimen_snapshot_info") == {"0": 1.0, "10": 1.0}
    assert list(tmp_path.iterdir()) == []


async def test_a_worker_that_is_stuck_or_dead_is_left_out(tmp_path: Path) -> None:
    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)
        writer.close()

    stuck = await asyncio.start_unix_server(never, tmp_path / "1")
    (tmp_path / "2").touch()
    async with offered(tmp_path, 0, counted(1).exposition):
        assert samples(await gathered(tmp_path), "yimen_operations_total") == {"0": 1.0}
    stuck.close()


async def test_a_replacement_takes_the_place_of_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "0").touch()
    async with offered(tmp_path, 0, counted(2).exposition):
        assert samples(await gathered(tmp_path), "yimen_operations_total") == {"0": 2.0}


def test_nothing_offered_is_an_empty_page() -> None:
    assert merged({}) == b""
