"""The HTTP client against servers that stream for ever, bomb, stall, cut, redirect and forge."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable

import pytest

from adapters.egress import Channel, Rule
from adapters.egress_http import HttpEgress
from adapters.errors import Reason, SourceUnavailable

from .conftest import Behaviour, Open, Pki, answer, raw_server

pytestmark = pytest.mark.anyio
SECRET = "440606199003070017"


async def refused(channel: Channel, url: str, *, timeout_s: float = 5.0, method: str = "GET") -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as raised:
        await channel.send(method, url, headers={"X-Token": SECRET}, timeout_s=timeout_s)
    error = raised.value
    assert SECRET not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None  # a socket's or parser's own error may name the URL
    return error


async def test_a_reply_is_complete(channel_to: Open) -> None:
    body = "张三".encode()
    async with raw_server(answer(body, "404 Not Found", "X-One: a\r\nX-One: b\r\nSet-Cookie: k=v\r\n")) as server:
        channel = channel_to(server)
        reply = await channel.send("POST", server.url("/p?x=%20"), headers={"A": "b"}, body=b"", timeout_s=5)
        await channel.send("GET", server.url(), timeout_s=5)
    assert (reply.status, reply.body, reply.headers["x-one"]) == (404, body, "a, b")
    assert server.seen[0].startswith(b"POST /p?x=%20 HTTP/1.1\r\n")
    assert server.connections == 1  # the pool is used
    assert b"cookie" not in server.seen[1].lower()


async def test_a_gzip_body_arrives_decoded(channel_to: Open) -> None:
    async with raw_server(answer(gzip.compress(b"x" * 1000), headers="Content-Encoding: gzip\r\n")) as server:
        reply = await channel_to(server).send("GET", server.url(), timeout_s=5)
    assert reply.body == b"x" * 1000


async def test_a_proxy_of_the_environment_is_ignored(channel_to: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(answer()) as server, raw_server(answer(b"proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("no_proxy", "")
        reply = await channel_to(server, read_timeout_s=2).send("GET", server.url(), timeout_s=5)
    assert reply.body == b"ok"
    assert proxy.connections == 0


async def test_a_host_off_the_list_is_blocked_before_a_socket_opens(channel_to: Open) -> None:
    async with raw_server(answer()) as allowed, raw_server(answer(), "127.0.0.2") as other:
        error = await refused(channel_to(allowed), other.url(f"/?k={SECRET}"))
    assert error.reason is Reason.BLOCKED
    assert other.connections == 0


async def test_a_body_of_exactly_the_cap_passes_and_one_byte_more_does_not(channel_to: Open) -> None:
    async with raw_server(answer(b"x" * 1000)) as server:
        reply = await channel_to(server, max_response_bytes=1000).send("GET", server.url(), timeout_s=5)
        assert len(reply.body) == 1000
        assert (await refused(channel_to(server, max_response_bytes=999), server.url())).reason is Reason.TOO_LARGE


async def streams_for_ever(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def no_length_no_end(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 0x10000)
        await writer.drain()


async def gzip_bomb(_: bytes, writer: asyncio.StreamWriter) -> None:
    """About 1 GiB of zeros in 1 MiB."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    again = zlib.compressobj(9, zlib.DEFLATED, -15)
    more = again.compress(bytes(1 << 20)) + again.flush(zlib.Z_FULL_FLUSH)
    body = block + more * 1023
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("behaviour", [streams_for_ever, no_length_no_end, gzip_bomb])
async def test_an_endless_or_swelling_body_is_cut_at_the_cap(channel_to: Open, behaviour: Behaviour) -> None:
    async with raw_server(behaviour) as server:
        channel = channel_to(server, max_response_bytes=4 << 20)
        tracemalloc.start()
        try:
            error = await refused(channel, server.url(), timeout_s=20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error.reason is Reason.TOO_LARGE
    assert peak < 24 << 20


async def test_a_huge_declared_length_is_refused_unread(channel_to: Open) -> None:
    async def boast(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")

    async with raw_server(boast) as server:
        assert (await refused(channel_to(server), server.url())).reason is Reason.TOO_LARGE


async def drips_headers(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drips_body(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def says_nothing(_: bytes, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("behaviour", [drips_headers, drips_body, says_nothing])
async def test_the_deadline_holds_however_slowly_bytes_drip(channel_to: Open, behaviour: Behaviour) -> None:
    async with raw_server(behaviour) as server:
        start = time.monotonic()
        error = await refused(channel_to(server), server.url(), timeout_s=0.3)
    assert error.reason is Reason.TIMEOUT
    assert time.monotonic() - start < 4


async def test_a_silent_read_ends_at_the_read_timeout(channel_to: Open) -> None:
    async with raw_server(says_nothing) as server:
        start = time.monotonic()
        error = await refused(channel_to(server, read_timeout_s=0.2), server.url(), timeout_s=10)
    assert error.reason is Reason.TIMEOUT
    assert time.monotonic() - start < 4


async def test_a_connection_nobody_accepts_ends_at_the_connect_timeout(egress: HttpEgress) -> None:
    with socket.socket() as full:  # a listen queue that is full: further SYNs get no answer
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        rule = Rule("LGB", frozenset({f"127.0.0.1:{port}"}), connect_timeout_s=0.2, allow_plain_http=True)
        start = time.monotonic()
        error = await refused(egress.open(rule), f"http://127.0.0.1:{port}/", timeout_s=10)
        for filler in fillers:
            filler.close()
    assert error.reason is Reason.TIMEOUT
    assert time.monotonic() - start < 4


async def resets(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def cuts_the_body(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def cuts_the_chunks(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    await writer.drain()
    writer.close()


async def speaks_no_http(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(f"220 ftp.test {SECRET}\r\n\r\n".encode())


async def many_headers(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5000 + b"Content-Length: 0\r\n\r\n")


async def long_header(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n")


async def not_gzip(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf")


@pytest.mark.parametrize(
    "behaviour",
    [resets, cuts_the_body, cuts_the_chunks, speaks_no_http, many_headers, long_header, not_gzip],
)
async def test_a_lost_cut_or_meaningless_answer_is_down(channel_to: Open, behaviour: Behaviour) -> None:
    async with raw_server(behaviour) as server:
        error = await refused(channel_to(server), server.url(f"/?k={SECRET}"))
    assert error.reason is Reason.DOWN


async def test_a_closed_port_is_down(egress: HttpEgress) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        rule = Rule("LGB", frozenset({f"127.0.0.1:{port}"}), allow_plain_http=True)
        assert (await refused(egress.open(rule), f"http://127.0.0.1:{port}/?k={SECRET}")).reason is Reason.DOWN


async def test_a_redirect_on_the_list_is_followed_with_no_secret_for_another_host(channel_to: Open) -> None:
    async with (
        raw_server(answer(b"there"), "127.0.0.2") as there,
        raw_server(answer(b"", "302 Found", f"Location: {there.url('/x')}\r\n")) as here,
    ):
        channel = channel_to(here, there)
        headers = {"Authorization": f"Bearer {SECRET}", "x-tif-signature": SECRET, "Accept": "a/b"}
        reply = await channel.send("GET", here.url(), headers=headers, timeout_s=5)
    assert reply.body == b"there"
    assert b"Accept: a/b" in there.seen[0]
    assert SECRET.encode() not in there.seen[0]


async def test_a_redirect_to_the_same_host_keeps_its_headers(channel_to: Open) -> None:
    async def behave(head: bytes, writer: asyncio.StreamWriter) -> None:
        await (answer() if head.startswith(b"GET /b") else answer(b"", "307 T", "Location: /b\r\n"))(head, writer)

    async with raw_server(behave) as server:
        reply = await channel_to(server).send("GET", server.url("/a"), headers={"X-Token": SECRET}, timeout_s=5)
    assert reply.status == 200
    assert SECRET.encode() in server.seen[1]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_off_the_list_is_blocked(channel_to: Open, method: str) -> None:
    async with (
        raw_server(answer(), "127.0.0.2") as off,
        raw_server(answer(b"", "302 Found", f"Location: {off.url(f'/{SECRET}')}\r\n")) as here,
    ):
        error = await refused(channel_to(here), here.url(), method=method)
    assert error.reason is Reason.BLOCKED
    assert off.connections == 0


async def test_a_post_is_never_sent_twice_by_a_redirect(channel_to: Open) -> None:
    async with raw_server(answer(b"", "307 Temporary", "Location: /again\r\n")) as server:
        reply = await channel_to(server).send("POST", server.url(), body=b"", timeout_s=5)
    assert (reply.status, len(server.seen)) == (307, 1)


async def test_a_redirect_loop_ends_after_two_steps(channel_to: Open) -> None:
    async with raw_server(answer(b"", "302 Found", "Location: /again\r\n")) as server:
        error = await refused(channel_to(server), server.url())
    assert (error.reason, len(server.seen)) == (Reason.BLOCKED, 3)


async def test_a_trusted_certificate_is_accepted_and_no_other(channel_to: Open, pki: Pki) -> None:
    async with raw_server(answer(), tls=pki.server) as server:
        assert (await channel_to(server, tls=pki.trust()).send("GET", server.url(), timeout_s=5)).status == 200
        assert (await refused(channel_to(server), server.url())).reason is Reason.DOWN  # the system's trust store
    for tls in (pki.misnamed, pki.stranger):
        async with raw_server(answer(), tls=tls) as server:
            error = await refused(channel_to(server, tls=pki.trust()), server.url(f"/{SECRET}"))
            assert error.reason is Reason.DOWN
            assert "certificate" in str(error)
            assert server.seen == []  # nothing was said to it


async def test_a_client_certificate_opens_the_door_and_its_lack_does_not(channel_to: Open, pki: Pki) -> None:
    async with raw_server(answer(), tls=pki.mutual) as server:
        with_one = channel_to(server, tls=pki.trust(with_client=True))
        assert (await with_one.send("GET", server.url(), timeout_s=5)).status == 200
        assert (await refused(channel_to(server, tls=pki.trust()), server.url())).reason is Reason.DOWN


async def test_a_header_cannot_carry_a_second_one(channel_to: Open) -> None:
    async with raw_server(answer()) as server:
        with pytest.raises(SourceUnavailable) as raised:
            await channel_to(server).send("GET", server.url(), headers={"A": f"b\r\nC: {SECRET}"}, timeout_s=5)
    assert raised.value.reason is Reason.BLOCKED
    assert SECRET not in str(raised.value)
    assert server.seen == []


async def test_a_cancelled_call_hangs_up(channel_to: Open) -> None:
    gone = asyncio.Event()

    async def waits(_: bytes, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:  # until the other side is gone
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    asked = asyncio.Event()
    async with raw_server(waits) as server:
        call = asyncio.create_task(channel_to(server).send("GET", server.url(), timeout_s=30))
        await asyncio.wait_for(asked.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(gone.wait(), 5)


async def test_calls_beyond_the_pool_wait_their_turn_and_not_beyond_the_deadline(channel_to: Open) -> None:
    async with raw_server(says_nothing) as server:
        channel = channel_to(server, connections=2)
        errors = await asyncio.gather(
            *(refused(channel, server.url(), timeout_s=0.8 if i < 2 else 0.2) for i in range(6))
        )
    assert {error.reason for error in errors} == {Reason.TIMEOUT}
    assert server.connections == 2


@pytest.mark.parametrize("close", ["egress", "channel"])
async def test_after_close_nothing_leaves(egress: HttpEgress, channel_to: Open, close: str) -> None:
    async with raw_server(answer()) as server:
        channel = channel_to(server)
        await channel.send("GET", server.url(), timeout_s=5)
        shut: Callable[[], Awaitable[None]] = egress.close if close == "egress" else channel.close
        await shut()
        error = await refused(channel, server.url())
    assert error.reason is Reason.DOWN
    assert len(server.seen) == 1
