"""What those who watch see."""

from __future__ import annotations

import asyncio

import pytest

from gateway.caller import Metrics
from gateway.web.metrics import PrometheusMetrics
from gateway.web.settings import WebSettings
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio


async def test_alive_and_ready(web: Running) -> None:
    for path in ("/livez", "/readyz"):
        response = await web.get(path, authorization="")
        assert (response.status, response.content_type) == (200, "application/json")
        assert (await web.client.head(f"http://127.0.0.1:{web.port}{path}")).status == 200
        response = await web.client.post(f"http://127.0.0.1:{web.port}{path}")
        assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


async def test_readiness_names_what_fails_and_nothing_else(start: Start) -> None:
    async def good() -> bool:
        return True

    async def bad() -> bool:
        return False

    async def broken() -> bool:
        raise OSError("password=secret")

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    checks = {"store": good, "keys": bad, "log": broken, "clock": hangs}
    async with start(checks=checks) as web:
        response = await web.get("/readyz")
        body = await response.json()
    assert response.status == 503
    assert (body["ready"], body["failing"]) == (False, ["keys", "log", "clock"])
    assert "secret" not in str(body)


async def test_requests_are_counted_by_route_and_never_by_address(web: Running) -> None:
    await web.post({"query": "{ hello }"})
    await web.get("/somewhere/else")
    text = await (await web.get("/metrics")).text()
    assert 'yimen_http_requests_total{method="POST",route="/graphql",status="200"} 1.0' in text
    assert 'yimen_http_requests_total{method="GET",route="-",status="404"} 1.0' in text
    assert 'yimen_in_flight{kind="request"} 0.0' in text
    assert "somewhere" not in text


async def test_metrics_may_be_kept_off_this_port(start: Start) -> None:
    async with start(WebSettings(metrics=False)) as web:
        assert (await web.get("/metrics")).status == 404


def test_labels_are_codes_and_few() -> None:
    counted: Metrics = PrometheusMetrics()
    counted.part("identity", "FRESH", 3)
    counted.part("identity", "FRESH", -1)
    counted.upstream("SB", "FAILED", "TIMEOUT", 0.5)
    counted.upstream("SB", "OK", "", 0.1)
    counted.operation("query", "OK", 0.01)
    counted.part("张三", "44060419900307123X")
    counted.upstream("x" * 100, "a b", "GET /?x=1", 1.0)
    for number in range(1_000):
        counted.part(f"noun{number}", "FRESH")
    assert isinstance(counted, PrometheusMetrics)
    text = counted.exposition().decode()
    assert 'yimen_answer_parts_total{noun="identity",state="FRESH"} 3.0' in text
    assert 'yimen_answer_parts_total{noun="OTHER",state="OTHER"} 1.0' in text
    assert 'yimen_upstream_calls_total{outcome="FAILED",reason="TIMEOUT",source="SB"} 1.0' in text
    assert "张三" not in text
    assert "44060419900307123" not in text
    assert text.count("yimen_answer_parts_total{") < 310
