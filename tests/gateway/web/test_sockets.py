"""graphql-transport-ws, as its protocol has it."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.fakes.waiting import until
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
INIT = {"type": "connection_init", "payload": {"Authorization": f"Bearer {TOKEN}"}}
HELLO = {"query": "{ hello }"}


@asynccontextmanager
async def socket(web: Running, *said: Any, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with web.client.ws_connect(web.url, protocols=("graphql-transport-ws",), **options) as ws:
        for one in said:
            await ws.send_json(one)
        yield ws


async def told(ws: aiohttp.ClientWebSocketResponse) -> Any:
    """The next message, or the close code."""
    message = await ws.receive(timeout=5)
    return message.json() if message.type is aiohttp.WSMsgType.TEXT else ws.close_code


def subscribe(operation: str, query: str, **more: Any) -> dict[str, Any]:
    return {"id": operation, "type": "subscribe", "payload": {"query": query, **more}}


async def test_a_subscription_runs_to_its_end(web: Running) -> None:
    async with socket(web, INIT, subscribe("1", "subscription { count(to: 2) }")) as ws:
        assert ws.protocol == "graphql-transport-ws"
        assert await told(ws) == {"type": "connection_ack"}
        assert await told(ws) == {"id": "1", "type": "next", "payload": {"data": {"count": 0}}}
        assert await told(ws) == {"id": "1", "type": "next", "payload": {"data": {"count": 1}}}
        assert await told(ws) == {"id": "1", "type": "complete"}
        await ws.send_json(subscribe("1", "{ hello }"))  # the id is free again
        assert (await told(ws))["payload"] == {"data": {"hello": "你好"}}
        assert await told(ws) == {"id": "1", "type": "complete"}


async def test_a_refused_operation_is_an_error_message_and_the_socket_lives(web: Running) -> None:
    async with socket(web, INIT, subscribe("a", "{ nothing }")) as ws:
        await told(ws)
        message = await told(ws)
        assert (message["id"], message["type"]) == ("a", "error")
        assert message["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        await ws.send_json(subscribe("b", "query Boom { hello }", operationName="Boom"))
        failed = (await told(ws))["payload"][0]["extensions"]
        assert (failed["code"], len(failed["requestId"])) == ("INTERNAL", 16)
        await ws.send_json({"type": "ping"})
        assert await told(ws) == {"type": "pong"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([subscribe("1", "{ hello }")], 4401),
        ([{"type": "connection_init"}], 4403),
        ([{"type": "connection_init", "payload": {"Authorization": "Bearer wrong"}}], 4403),
        ([{"type": "connection_init", "payload": {"Authorization": 7}}], 4403),
        ([{"type": "connection_init", "payload": {"Authorization": f"Bearer {TOKEN}", "authorization": "x"}}], 4403),
        ([{"type": "connection_init", "payload": 7}], 4400),
        ([INIT, INIT], 4429),
        ([INIT, subscribe("1", "subscription { forever }"), subscribe("1", "{ hello }")], 4409),
        ([INIT, {"id": "", "type": "subscribe", "payload": HELLO}], 4400),
        ([INIT, {"id": "x" * 200, "type": "subscribe", "payload": HELLO}], 4400),
        ([INIT, {"id": 1, "type": "subscribe", "payload": HELLO}], 4400),
        ([INIT, {"id": "1", "type": "subscribe"}], 4400),
        ([INIT, {"id": "1", "type": "subscribe", "payload": {"query": 7}}], 4400),
        ([INIT, {"type": "start"}], 4400),
        ([INIT, {"type": "complete"}], 4400),
        ([{}], 4400),
        ([[]], 4400),
        ([7], 4400),
    ],
)
async def test_what_breaks_the_protocol_closes_the_socket_with_its_code(
    web: Running, said: list[Any], code: int
) -> None:
    async with socket(web, *said) as ws:
        last = await told(ws)
        while isinstance(last, dict):
            last = await told(ws)
        assert last == code


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"type":"ping","type":"ping"}', '{"type":NaN}'])
async def test_text_that_is_no_message_is_4400(web: Running, text: str) -> None:
    async with socket(web) as ws:
        await ws.send_str(text)
        assert await told(ws) == 4400


async def test_bytes_are_no_message(web: Running) -> None:
    async with socket(web) as ws:
        await ws.send_bytes(b'{"type":"ping"}')
        assert await told(ws) == 4400


async def test_a_message_too_large_closes_the_socket(start: Start) -> None:
    async with start(WebSettings(socket_message_bytes=1_000)) as web, socket(web, INIT) as ws:
        await told(ws)
        await ws.send_json(subscribe("1", "{ hello } #" + "x" * 2_000))
        assert await told(ws) == 1009


async def test_another_subprotocol_is_4406(web: Running) -> None:
    async with web.client.ws_connect(web.url, protocols=("graphql-ws",)) as ws:
        assert await told(ws) == 4406


async def test_who_says_nothing_is_sent_away(start: Start) -> None:
    async with start(WebSettings(socket_init_s=0.1)) as web, socket(web) as ws:
        assert await told(ws) == 4408


async def test_a_socket_never_outlives_its_token(web: Running) -> None:
    web.authenticate.expires_at = datetime.now(UTC) + timedelta(seconds=0.2)
    async with socket(web, INIT, subscribe("1", "subscription { forever }")) as ws:
        await told(ws)
        await told(ws)
        assert await told(ws) == 4403
    await until(lambda: web.execute.closed == 1)


async def test_complete_ends_the_operation_and_nothing_follows(web: Running) -> None:
    async with socket(web, INIT, subscribe("1", "subscription { forever }")) as ws:
        await told(ws)
        await told(ws)
        await ws.send_json({"id": "1", "type": "complete"})
        await until(lambda: web.execute.closed == 1)
        await ws.send_json({"type": "ping"})
        assert await told(ws) == {"type": "pong"}


async def test_operations_on_one_socket_are_bounded(start: Start) -> None:
    async with start(WebSettings(socket_operations=2)) as web:
        forever = [subscribe(str(n), "subscription { forever }") for n in range(3)]
        async with socket(web, INIT, *forever) as ws:
            told_all = [await told(ws) for _ in range(4)]
        (refused,) = [one for one in told_all if one["type"] == "error"]
        assert refused["id"] == "2"
        assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"


async def test_a_client_that_leaves_ends_its_operations(web: Running) -> None:
    async with socket(web, INIT, subscribe("1", "subscription { forever }")) as ws:
        await told(ws)
        await told(ws)
    await until(lambda: web.execute.closed == 1)
    await until(lambda: web.app.state.gate.empty)


async def test_a_reader_that_does_not_read_stops_the_source_and_is_let_go(start: Start) -> None:
    async with start(WebSettings(stream_send_s=0.3)) as web:
        async with socket(web, INIT, subscribe("1", "subscription { flood(bytes: 100000) }")) as ws:
            transport = ws._response.connection.transport  # type: ignore[union-attr]
            transport.pause_reading()
            await until(lambda: web.execute.closed == 1)
            assert web.execute.produced < 300  # the kernel's buffers and no more
            transport.resume_reading()
        await until(lambda: web.app.state.gate.empty)


async def test_pages_of_other_sites_cannot_open_a_socket(web: Running) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1.evil:{web.port}"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await web.client.ws_connect(web.url, protocols=("graphql-transport-ws",), origin=origin)
        assert caught.value.status == 403
    async with socket(web, INIT, origin=f"http://127.0.0.1:{web.port}") as ws:
        assert await told(ws) == {"type": "connection_ack"}


async def test_sockets_are_bounded(start: Start) -> None:
    async with start(WebSettings(streams=1)) as web, socket(web):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await web.client.ws_connect(web.url, protocols=("graphql-transport-ws",))
        assert caught.value.status == 503
        assert caught.value.headers is not None
        assert caught.value.headers["retry-after"] == "2"


async def test_draining_tells_sockets_to_come_back(web: Running) -> None:
    async with socket(web, INIT, subscribe("1", "subscription { forever }")) as ws:
        await told(ws)
        await told(ws)
        web.app.state.gate.drain()
        assert await told(ws) == 1012


async def test_a_closed_socket_leaves_nothing_behind(web: Running) -> None:
    for _ in range(3):
        async with socket(web, INIT, subscribe("1", "subscription { forever }")) as ws:
            await told(ws)
    await until(lambda: web.app.state.gate.empty)

    def sessions() -> int:
        gc.collect()
        return sum(type(one).__name__ == "_Session" for one in gc.get_objects())

    await until(lambda: sessions() == 0)
