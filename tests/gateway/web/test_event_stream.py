"""Server-sent events, distinct connections mode."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.fakes.waiting import until
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio


def ask(web: Running, query: str, **more: Any) -> Any:
    headers = {"authorization": f"Bearer {TOKEN}", "accept": "text/event-stream"}
    return web.client.post(web.url, json={"query": query, **more}, headers=headers)


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"]) if lines.get("data") else None))
    return found


async def test_answers_arrive_one_by_one_and_then_the_end(web: Running) -> None:
    async with ask(web, "subscription { count(to: 2) }") as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        assert events(await response.text()) == [
            ("next", {"data": {"count": 0}}),
            ("next", {"data": {"count": 1}}),
            ("complete", None),
        ]
    await until(lambda: web.app.state.gate.empty)


async def test_a_query_is_one_answer(web: Running) -> None:
    async with ask(web, "{ hello }") as response:
        assert events(await response.text()) == [("next", {"data": {"hello": "你好"}}), ("complete", None)]


@pytest.mark.parametrize(("name", "code"), [("Boom", "INTERNAL"), ("Denied", "FORBIDDEN")])
async def test_a_failure_is_the_last_answer(web: Running, name: str, code: str) -> None:
    async with ask(web, f"query {name} {{ hello }}", operationName=name) as response:
        (kind, answer), end = events(await response.text())
    assert (kind, answer["errors"][0]["extensions"]["code"], end[0]) == ("next", code, "complete")
    quoted = response.headers["x-request-id"] if code == "INTERNAL" else None
    assert answer["errors"][0]["extensions"].get("requestId") == quoted


async def test_a_bad_request_is_refused_before_the_stream(web: Running) -> None:
    response = await web.post({"query": 7}, accept="text/event-stream")
    assert (response.status, response.content_type) == (400, "application/json")
    response = await web.get(params={"query": "{ hello }"}, accept="text/event-stream")
    assert response.status == 406


async def test_a_subscription_without_a_stream_is_406(web: Running) -> None:
    response = await web.post({"query": "subscription { count(to: 1) }"})
    assert response.status == 406
    assert (await response.json())["errors"][0]["extensions"]["code"] == "SUBSCRIPTION_NEEDS_STREAM"


async def test_silence_is_filled_and_the_time_limit_lifted(start: Start) -> None:
    async with start(WebSettings(stream_ping_s=0.05, request_s=0.2)) as web:
        async with ask(web, "subscription { forever }") as response:
            held = b""
            while held.count(b":\n\n") < 6:
                held += await asyncio.wait_for(response.content.readany(), 5)
        await until(lambda: web.execute.closed == 1)


async def test_a_client_that_leaves_ends_its_subscription(web: Running) -> None:
    async with ask(web, "subscription { forever }") as response:
        await response.content.readany()
    await until(lambda: web.execute.closed == 1)
    await until(lambda: web.app.state.gate.empty)


async def test_a_stream_never_outlives_its_token(web: Running) -> None:
    web.authenticate.expires_at = datetime.now(UTC) + timedelta(seconds=0.2)
    async with ask(web, "subscription { forever }") as response:
        assert [kind for kind, _ in events(await response.text())] == ["next", "complete"]


async def test_a_reader_that_does_not_read_stops_the_source_and_is_cut_off(start: Start) -> None:
    async with start(WebSettings(stream_send_s=0.3)) as web:
        async with ask(web, "subscription { flood(bytes: 100000) }") as response:
            transport = response.connection.transport
            transport.pause_reading()
            await until(lambda: web.execute.closed == 1)
            assert web.execute.produced < 300
            transport.resume_reading()
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        await until(lambda: web.app.state.gate.empty)


async def test_streams_are_bounded_apart_from_requests(start: Start) -> None:
    async with start(WebSettings(streams=1, in_flight=1)) as web, ask(web, "subscription { forever }") as response:
        await response.content.readany()
        async with ask(web, "subscription { forever }") as second:
            assert second.status == 503
        assert (await web.post({"query": "{ hello }"})).status == 200


async def test_draining_ends_streams_properly(web: Running) -> None:
    async with ask(web, "subscription { forever }") as response:
        await response.content.readany()
        web.app.state.gate.drain()
        assert [kind for kind, _ in events(await response.text())] == ["complete"]
