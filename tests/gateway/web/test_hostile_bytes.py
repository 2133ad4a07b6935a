"""Bytes on a raw socket: bounded time, bounded memory, and the worker lives."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import psutil
import pytest
from starlette.routing import Route

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
HEAD = (
    b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    + TOKEN.encode()
    + b"\r\n"
)
BODY = b'{"query":"{ hello }"}'
QUICK = WebSettings(header_s=0.3, body_s=0.3, keep_alive_s=1)


async def lives(web: Running) -> None:
    assert (await web.post({"query": "{ hello }"})).status == 200


async def test_headers_that_never_end_are_408(start: Start) -> None:
    async with start(QUICK) as web:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        began = time.monotonic()

        async def drip() -> None:
            with contextlib.suppress(OSError):
                for letter in b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000:
                    writer.write(bytes([letter]))
                    await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        answer = await asyncio.wait_for(reader.read(), 5)
        assert time.monotonic() - began < 2
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"HEADERS_TIMEOUT" in answer
        dripping.cancel()
        writer.close()
        await lives(web)


async def test_a_silent_connection_is_closed(start: Start) -> None:
    async with start(QUICK) as web:
        assert (await web.talk()).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_never_ends_is_408(start: Start) -> None:
    async with start(QUICK) as web:
        answer = await web.talk(HEAD + b"Content-Length: 100\r\n\r\n" + BODY)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"BODY_TIMEOUT" in answer
        await lives(web)


@pytest.mark.parametrize(
    "extra",
    [
        b"X-Big: " + b"x" * 20_000 + b"\r\n",
        b"".join(b"X-%d: y\r\n" % n for n in range(600)),
        b"Authorization: Bearer " + b"x" * 200_000 + b"\r\n",
    ],
)
async def test_giant_headers_are_431(web: Running, extra: bytes) -> None:
    answer = await web.talk(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + extra + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"HEADERS_TOO_LARGE" in answer
    await lives(web)


async def test_a_giant_address_is_431(web: Running) -> None:
    answer = await web.talk(b"GET /graphql?query=" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_header_without_an_end_is_not_collected(web: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Endless: ")
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 50_000_000:
            writer.write(b"x" * 65_536)
            await asyncio.wait_for(writer.drain(), 5)
            sent += 65_536
    assert sent < 20_000_000
    writer.close()
    await lives(web)


async def test_an_announced_giant_is_refused_before_it_is_sent(web: Running) -> None:
    answer = await web.talk(HEAD + b"Connection: close\r\nContent-Length: 67108864\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"BODY_TOO_LARGE" in answer


async def test_a_streamed_giant_is_refused_on_the_way_in_bounded_memory(web: Running) -> None:
    before = psutil.Process().memory_info().rss
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 64 * 1_048_576:
            writer.write(chunk)
            await asyncio.wait_for(writer.drain(), 5)
            sent += 65_536
    with contextlib.suppress(OSError):
        assert (await asyncio.wait_for(reader.read(20), 5)).startswith(b"HTTP/1.1 413 ")
    assert sent < 32 * 1_048_576
    assert psutil.Process().memory_info().rss - before < 40 * 1_048_576
    writer.close()
    await lives(web)


async def test_a_real_64_megabyte_body_is_413_or_cut(web: Running) -> None:
    with contextlib.suppress(OSError):
        answer = await web.talk(HEAD + b"Content-Length: 67108864\r\n\r\n", b"x" * 67_108_864)
        assert answer.startswith(b"HTTP/1.1 413 ")
    await lives(web)


async def test_a_body_a_little_too_large_gets_its_answer(start: Start) -> None:
    async with start(WebSettings(body_bytes=10_000)) as web:
        response = await web.post(raw=b'{"query":"{ hello }"}' + b" " * 15_000)
        assert (response.status, (await response.json())["errors"][0]["extensions"]["code"]) == (413, "BODY_TOO_LARGE")
        await lives(web)


async def test_strangers_are_refused_before_their_body_is_read(web: Running) -> None:
    head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(head)  # and not one byte of the body
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_who_goes_on_after_a_refusal_is_cut_off(start: Start) -> None:
    async with start(QUICK) as web:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)).startswith(b"HTTP/1.1 401 ")
        began = time.monotonic()
        while not reader.at_eof():  # a byte now and then keeps the connection from being idle
            writer.write(b"x")
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(reader.read(1000), 0.05)
            assert time.monotonic() - began < 2
        writer.close()


@pytest.mark.parametrize(
    "lie",
    [
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"Content-Length: -5\r\n\r\nhello",
        b"Content-Length: 99999999999999999999999999\r\n\r\nhello",
        b"Content-Length: 5x\r\n\r\nhello",
    ],
)
async def test_lies_about_the_body_are_refused(web: Running, lie: bytes) -> None:
    answer = await web.talk(HEAD + lie, end=True)
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 413")
    assert web.execute.requests == []
    await lives(web)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
        b"\x00" * 1000,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.example/graphql HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_our_words(web: Running, noise: bytes) -> None:
    answer = await web.talk(noise, end=True)
    assert answer[:10] in (b"", b"HTTP/1.1 4")
    assert b"Traceback" not in answer
    assert b"text/plain" not in answer
    await lives(web)


async def test_half_a_body_and_goodbye_reaches_nobody(web: Running) -> None:
    await web.talk(HEAD + b"Content-Length: 500\r\n\r\n" + BODY, end=True)
    await lives(web)
    assert len(web.execute.requests) == 1  # the one of `lives`


async def test_requests_in_one_breath_are_answered_in_order(web: Running) -> None:
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    last = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    answer = await web.talk(one * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.rindex(b"HTTP/1.1 400") > answer.rindex(b"HTTP/1.1 200")


async def test_connections_are_bounded(start: Start) -> None:
    async with start(WebSettings(connections=2)) as web:
        held = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert (await web.talk()).startswith(b"HTTP/1.1 503 ")
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize("path", [b"/%00", b"/graphql%00", b"/graphql/a%00b"])
async def test_no_address_has_a_nul_in_it(start: Start, path: bytes) -> None:
    """PostgreSQL has no such text: what is looked up by a piece of a path would answer that the database is away."""
    reached = []

    async def lookup(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        raise AssertionError

    async with start(pages=[Route("/{rest:path}", lookup)]) as web:
        answer = await web.talk(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404 ")
        await lives(web)
    assert reached == []
