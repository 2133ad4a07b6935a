"""Many requests on one connection: each gets its own answer, in its turn, and who does not read or left costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import Any

import pytest

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.fakes.waiting import until
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
AUTHORIZED = b"Host: localhost\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(query: str, *, name: str | None = None, more: bytes = b"", chunked: bool = False) -> bytes:
    body = json.dumps({"query": query} | ({"operationName": name} if name else {})).encode()
    head = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n" + AUTHORIZED + more
    if chunked:
        pieces = b"".join(b"1\r\n%c\r\n" % letter for letter in body)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\nX-Late: y\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def connections(web: Running) -> list[Any]:
    """The gateway's ends."""
    return list(web.server.server_state.connections)


def answers(text: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each, by their lengths alone."""
    found = []
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None, head
        size = int(length[1])
        assert len(rest) >= size
        found.append((int(head.split(b" ", 2)[1]), rest[:size]))
        text = rest[size:]
    return found


@pytest.mark.parametrize("size", [1, 13, 1 << 20])
async def test_each_gets_its_own_answer_in_its_turn(web: Running, size: int) -> None:
    """However they are cut: whole, refused, slow, chunked, too long for its line, and nothing empty."""
    wanted = [
        (post("{ a: hello }"), 200, b'"a"'),
        (post("{ b: hello }", more=b"Accept: text/plain\r\n"), 406, b"NOT_ACCEPTABLE"),
        (post("{ c: hello }", chunked=True), 200, b'"c"'),
        (post("{ d: hello }").replace(TOKEN.encode(), b"x" * len(TOKEN)), 401, b"UNAUTHENTICATED"),
        (LIVEZ, 200, b"alive"),
        (post("query Boom { hello }", name="Boom"), 500, b"INTERNAL"),
        (post("{ e: big(bytes: 200000) }"), 200, b'"e"'),
        (post("{ f: hello }", more=b"Content-Encoding: gzip\r\n"), 415, b"UNSUPPORTED_MEDIA_TYPE"),
        (post("{ g: hello }", more=b"Connection: close\r\n"), 200, b'"g"'),
    ]
    sent = b"".join(one[0] for one in wanted)
    got = answers(await web.talk(*[sent[start : start + size] for start in range(0, len(sent), size)]))
    assert [status for status, _ in got] == [status for _, status, _ in wanted]
    for (_, body), (_, _, inside) in zip(got, wanted, strict=True):
        assert inside in body, body


async def test_whoever_is_refused_and_does_not_read_is_not_written_to_without_end(start: Start) -> None:
    async with start(WebSettings(in_flight=1)) as web:
        held = asyncio.create_task(web.post({"query": "query Held { hello }", "operationName": "Held"}))
        await until(lambda: web.execute.running == 1)
        _, writer = await asyncio.open_connection("127.0.0.1", web.port)
        many = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20_000
        with contextlib.suppress(OSError):  # also a TimeoutError
            async with asyncio.timeout(3):
                for _ in range(12):
                    writer.write(many)
                    await writer.drain()
        theirs = connections(web)
        assert max(one.transport.get_write_buffer_size() for one in theirs) < 8_000_000  # of 100 MB
        assert max(len(one.pipeline) for one in theirs) <= 64
        writer.transport.abort()
        web.execute.held.set()
        assert (await held).status == 200


async def test_who_sends_more_than_is_taken_at_once_is_told_where_it_ended(web: Running) -> None:
    held, lots = post("query Held { hello }", name="Held"), LIVEZ * 5_000
    talking = asyncio.create_task(web.talk(held + lots, lots, b"what is no HTTP\r\n\r\n"))
    await until(lambda: web.execute.running == 1)
    await until(lambda: max(len(one.pipeline) for one in connections(web)) >= 64)
    assert max(len(one.pipeline) for one in connections(web)) == 64
    web.execute.held.set()
    text = await talking
    assert [status for status, _ in answers(text)] == [200] * 65
    assert text.count(b"connection: close") == 1


async def test_what_comes_after_the_last_request_does_not_cost_its_answer(web: Running) -> None:
    last = post("query Held { hello }", name="Held", more=b"Connection: close\r\n")
    talking = asyncio.create_task(web.talk(last + b"\x00\x01 no HTTP\r\n\r\n" + LIVEZ))
    await until(lambda: web.execute.running == 1)
    web.execute.held.set()
    assert [status for status, _ in answers(await talking)] == [200]


async def test_bodies_that_wait_behind_another_request_are_bounded(start: Start) -> None:
    async with start(WebSettings(body_bytes=100_000)) as web:
        _, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(post("query Held { hello }", name="Held"))
        big = post("{ hello }" + " " * 60_000)
        with contextlib.suppress(OSError):
            for _ in range(40):
                writer.write(big)
                await writer.drain()
                await asyncio.sleep(0.01)
        held = [len(cycle.body) for one in connections(web) for cycle, _ in one.pipeline]
        assert sum(held) < 400_000
        writer.transport.abort()


async def test_a_refused_head_brings_no_body_that_would_begin_the_next_answer(start: Start) -> None:
    async with start(WebSettings(in_flight=1)) as web:
        held = asyncio.create_task(web.post({"query": "query Held { hello }", "operationName": "Held"}))
        await until(lambda: web.execute.running == 1)
        asks = b"HEAD /graphql HTTP/1.1\r\n" + AUTHORIZED + b"\r\n"
        ends = LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        text = await web.talk(asks, ends)
        web.execute.held.set()
        assert (await held).status == 200
    refused, _, rest = text.partition(b"\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert re.search(rb"content-length: [1-9]", refused)
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("full", [True, False])
async def test_a_refusal_instead_of_go_on_ends_the_connection(start: Start, full: bool) -> None:
    """Its client may send the body now or not: taken for the next request it would be one nobody wrote."""
    async with start(WebSettings(in_flight=1)) as web:
        held = asyncio.create_task(web.post({"query": "query Held { hello }", "operationName": "Held"}))
        if full:
            await until(lambda: web.execute.running == 1)
        asks = post("{ hello }", more=b"Expect: 100-continue\r\n")
        if not full:
            asks = asks.replace(TOKEN.encode(), b"x" * len(TOKEN))
        head, _, _ = asks.partition(b"\r\n\r\n")
        text = await web.talk(head + b"\r\n\r\n")
        assert answers(text)[0][0] == (503 if full else 401)
        assert b"connection: close\r\n" in text
        web.execute.held.set()
        assert (await held).status == 200


async def test_who_asks_whether_to_go_on_is_told_so_and_the_connection_stays(web: Running) -> None:
    head, _, body = post("{ a: hello }", more=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(head + b"\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body + LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert [status for status, _ in answers(await asyncio.wait_for(reader.read(), 5))] == [200, 200]
    writer.close()


async def test_a_stream_ends_with_its_connection_though_another_request_stands_behind_it(web: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", web.port)
    gate = web.app.state.gate
    writer.write(post("subscription { forever }", more=b"Accept: text/event-stream\r\n") + LIVEZ)
    await until(lambda: gate.inside["stream"] == 1)
    writer.transport.abort()
    await until(lambda: gate.inside["stream"] == 0)


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_body_of_a_request_that_offers_another_protocol_is_never_a_request(
    web: Running, at_once: bool
) -> None:
    """The parser does not read that body: what stands in it came from whoever wrote the body, not the connection's owner."""
    inside = LIVEZ + LIVEZ
    head = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n" + AUTHORIZED
    head += b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(inside)
    text = await web.talk(*([head + inside] if at_once else [head, inside]))
    assert [status for status, _ in answers(text)] == [400]
    assert b"connection: close\r\n" in text


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
async def test_what_is_asked_to_be_another_protocol_shares_no_connection(web: Running, upgrade: bytes) -> None:
    """The parser drops what it read behind such a request: half of a next one would be read as a whole."""
    asks = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    held = post("query Held { hello }", name="Held") if upgrade == b"websocket" else b""
    talking = asyncio.create_task(web.talk(held + asks + LIVEZ[:20], LIVEZ[20:] + LIVEZ))
    if held:
        await until(lambda: web.execute.running == 1)
    web.execute.held.set()
    text = await talking
    assert text == b"" if held else [status for status, _ in answers(text)] == [200]
    assert held or b"connection: close\r\n" in text
