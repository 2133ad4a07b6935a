"""Replies as bytes, cut anywhere, framed twice, followed by more: the same reply or a failure, never half of one."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.egress import Reply
from adapters.errors import Reason, SourceUnavailable
from adapters.http_connection import Connection, Failure, Unheard
from adapters.http_head import NotAllowed, Origin, request_head

from .conftest import Open, answer, raw_server

CAP = 1000
BARE = zlib.compressobj(wbits=-15)
RAW_DEFLATE = BARE.compress(b"x" * 50) + BARE.flush()


class Transport:
    """Keeps what is written, and whether it was hung up."""

    def __init__(self) -> None:
        self.written, self.gone = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.gone = True

    close = abort

    def is_closing(self) -> bool:
        return self.gone

    def get_write_buffer_size(self) -> int:
        return 0


async def told(pieces: list[bytes], *, eof: bool = False, head_only: bool = False) -> tuple[Any, bool]:
    """What the asker gets (a Reply or the error) and whether the connection is to be used again."""
    freed: list[bool] = []
    connection = Connection(CAP, lambda _, again: freed.append(again), lambda _: None)
    transport: Any = Transport()
    connection.connection_made(transport)
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[Reply] = loop.create_future()
    connection.ask(b"GET / HTTP/1.1\r\n\r\n", None, waiting, loop.time() + 5, loop.time(), head_only=head_only)
    for piece in pieces:
        if not transport.gone:
            connection.data_received(piece)
    if eof:
        connection.eof_received()
    if not waiting.done():
        return None, False
    error = waiting.exception()
    return (error if error is not None else waiting.result()), freed == [True] and not transport.gone


def run(pieces: list[bytes], **how: bool) -> tuple[Any, bool]:
    return asyncio.run(told(pieces, **how))


def reply_of(head: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {head}\r\n\r\n".encode() + body


WHOLE = {
    "a length": (reply_of("200 OK\r\nContent-Length: 5", b"hello"), 200, b"hello", True),
    "nothing": (reply_of("200 OK\r\nContent-Length: 0"), 200, b"", True),
    "chunks": (reply_of("200 OK\r\nTransfer-Encoding: chunked", b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"), 200, b"hello", True),
    "a trailer": (reply_of("200 OK\r\nTransfer-Encoding: Chunked", b"1\r\na\r\n0\r\nX-One: b\r\n\r\n"), 200, b"a", True),
    "no content": (reply_of("204 No Content"), 204, b"", True),
    "content all the same": (reply_of("204 No Content\r\nContent-Length: 5"), 204, b"", False),
    "no content, said twice": (reply_of("204 No Content\r\nContent-Length: 0"), 204, b"", True),
    "not modified": (reply_of("304 Not Modified\r\nContent-Length: 9"), 304, b"", True),
    "interim first": (reply_of("100 Continue") + reply_of("103 E\r\nX: y") + reply_of("200 OK\r\nContent-Length: 1", b"a"), 200, b"a", True),
    "its last": (reply_of("200 OK\r\nConnection: close\r\nContent-Length: 1", b"a"), 200, b"a", False),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "1.0 kept": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
    "gzip": (reply_of(f"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(gzip.compress(b'x' * 50))}", gzip.compress(b"x" * 50)), 200, b"x" * 50, True),
    "two members": (reply_of(f"200 OK\r\nContent-Encoding: x-gzip\r\nContent-Length: {2 * len(gzip.compress(b'ab'))}", gzip.compress(b"ab") * 2), 200, b"abab", True),
    "deflate": (reply_of(f"200 OK\r\nContent-Encoding: deflate\r\nContent-Length: {len(zlib.compress(b'x' * 50))}", zlib.compress(b"x" * 50)), 200, b"x" * 50, True),
    "bare deflate": (reply_of(f"200 OK\r\nContent-Encoding: deflate\r\nContent-Length: {len(RAW_DEFLATE)}", RAW_DEFLATE), 200, b"x" * 50, True),
    "more than asked": (reply_of("200 OK\r\nContent-Length: 1", b"a") + reply_of("200 OK\r\nContent-Length: 1", b"b"), 200, b"a", False),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_wherever_it_is_cut_the_reply_is_the_same(kind: str, data: st.DataObject) -> None:
    text, status, body, again = WHOLE[kind]
    if kind == "more than asked":  # in one piece: what comes later finds an idle connection, and ends it
        pieces = [text]
    else:
        cuts = sorted(data.draw(st.lists(st.integers(1, len(text) - 1), max_size=6, unique=True)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    got, kept = run(pieces)
    assert isinstance(got, Reply), got
    assert (got.status, got.body, kept) == (status, body, again)


@pytest.mark.parametrize("kind", WHOLE)
def test_less_than_all_of_it_is_no_reply(kind: str) -> None:
    text = WHOLE[kind][0] if kind != "more than asked" else WHOLE["a length"][0]
    for end in range(len(text)):
        got, kept = run([text[:end]] if end else [], eof=True)
        assert isinstance(got, Failure if end else Unheard), (end, got)
        assert not kept


MEANINGLESS = {
    "two lengths": reply_of("200 OK\r\nContent-Length: 5\r\nContent-Length: 6", b"hello!"),
    "the same length twice": reply_of("200 OK\r\nContent-Length: 5\r\nContent-Length: 5", b"hello"),
    "a length list": reply_of("200 OK\r\nContent-Length: 5, 5", b"hello"),
    "a signed length": reply_of("200 OK\r\nContent-Length: +5", b"hello"),
    "a negative length": reply_of("200 OK\r\nContent-Length: -5", b"hello"),
    "length and chunks": reply_of("200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "chunks and length": reply_of("200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    "another coding": reply_of("200 OK\r\nTransfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
    "chunked not last": reply_of("200 OK\r\nTransfer-Encoding: chunked, identity", b"0\r\n\r\n"),
    "chunked twice": reply_of("200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    "chunks of 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no number": reply_of("200 OK\r\nTransfer-Encoding: chunked", b"zz\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is longer": reply_of("200 OK\r\nTransfer-Encoding: chunked", b"2\r\nhello\r\n0\r\n\r\n"),
    "a folded header": reply_of("200 OK\r\nX-A: b\r\n c: d\r\nContent-Length: 0"),
    "a header of blanks": reply_of("200 OK\r\nContent-Length : 0"),
    "a header without a colon": reply_of("200 OK\r\nContent-Length"),
    "a NUL": reply_of("200 OK\r\nX-A: \0\r\nContent-Length: 0"),
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no version": b"HTTP 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol": reply_of("101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade"),
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "brotli": reply_of("200 OK\r\nContent-Encoding: br\r\nContent-Length: 5", b"hello"),
    "gzip twice": reply_of("200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 5", b"hello"),
    "half a gzip": reply_of("200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 15", gzip.compress(b"hello")[:15]),
    "gzip and more": reply_of(f"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(gzip.compress(b'a')) + 4}", gzip.compress(b"a") + b"more"),
    "deflate and more": reply_of(f"200 OK\r\nContent-Encoding: deflate\r\nContent-Length: {len(zlib.compress(b'a')) + 4}", zlib.compress(b"a") + b"more"),
    "interim for ever": reply_of("100 Continue") * 5000,
    "too many headers": reply_of("200 OK\r\n" + "X-A: b\r\n" * 200 + "Content-Length: 0"),
    "an endless trailer": reply_of("200 OK\r\nTransfer-Encoding: chunked", b"0\r\nX: " + b"x" * 60_000),
    "an endless extension": reply_of("200 OK\r\nTransfer-Encoding: chunked", b"1;" + b"x" * 60_000),
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000,
    "an endless name": b"HTTP/1.1 200 OK\r\n" + b"x" * 60_000,
    "an endless reason": b"HTTP/1.1 200 " + b"x" * 60_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", MEANINGLESS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_has_no_single_meaning_fails(kind: str, size: int) -> None:
    text = MEANINGLESS[kind]
    got, kept = run([text[start : start + size] for start in range(0, len(text), size)])
    assert isinstance(got, Failure), got
    assert got.fault[0] is Reason.DOWN
    assert not kept


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"]),
)
def test_any_bytes_end_in_a_reply_or_a_failure(noise: bytes, before: bytes) -> None:
    got, _ = run([before + noise], eof=True)
    assert isinstance(got, Reply | Failure | Unheard)


def test_a_body_to_the_end_of_the_connection_is_its_last() -> None:
    got, kept = run([reply_of("200 OK", b"half "), b"and all"], eof=True)
    assert isinstance(got, Reply)
    assert (got.body, kept) == (b"half and all", False)
    assert run([reply_of("200 OK", b"x" * (CAP + 1))])[0].fault[0] is Reason.TOO_LARGE


def test_the_answer_to_head_has_no_body() -> None:
    got, kept = run([reply_of("200 OK\r\nContent-Length: 500")], head_only=True)
    assert (got.status, got.body, kept) == (200, b"", False)


def test_chunks_of_one_byte_pass_and_a_bomb_in_one_chunk_does_not() -> None:
    many = reply_of("200 OK\r\nTransfer-Encoding: chunked", b"1\r\nx\r\n" * 900 + b"0\r\n\r\n")
    assert run([many])[0].body == b"x" * 900
    packed = gzip.compress(bytes(10_000_000))
    bomb = reply_of(f"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}", packed)
    assert run([bomb[:200], bomb[200:]])[0].fault[0] is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"A": "b\r\nC: d"}), ("GET", {"A": "b\nC: d"}), ("GET", {"A": "b\rC: d"}), ("GET", {"A": "\0"}),
        ("GET", {"A\r\nB": "c"}), ("GET", {"A: b": "c"}), ("GET", {"": "c"}), ("GET", {"A ": "c"}), ("GET", {"张": "c"}),
        ("GET", {"A": "\ud800"}), ("GET", {"Host": "elsewhere"}), ("GET", {"content-length": "0"}),
        ("POST", {"Transfer-Encoding": "chunked"}), ("GET", {"Connection": "upgrade"}),
        ("GET / HTTP/1.1\r\nX:", {}), ("", {}), ("GE T", {}),
    ],
)  # fmt: skip
def test_a_head_is_never_two(method: str, headers: dict[str, str]) -> None:
    origin = Origin("h", 80, False, " HTTP/1.1\r\nHost: h\r\n")
    for _ in range(2):  # what was refused once is not taken for known
        with pytest.raises(NotAllowed):
            request_head(method, "/", origin, headers, None)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=6), st.text(max_size=10), max_size=4))
def test_any_head_that_leaves_has_the_lines_it_should(headers: dict[str, str]) -> None:
    origin = Origin("h", 80, False, " HTTP/1.1\r\nHost: h\r\n")
    try:
        head = request_head("POST", "/", origin, headers, b"")
    except NotAllowed:
        return
    lines = head.decode().split("\r\n")
    assert lines[-2:] == ["", ""]
    assert [f"{name}: {value}" for name, value in headers.items()] == lines[2 : 2 + len(headers)]
    assert sum("\n" in line or "\r" in line for line in lines) == 0


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "connections"), [("GET", 2), ("POST", 1)])
async def test_a_kept_connection_closed_under_a_request(channel_to: Open, method: str, connections: int) -> None:
    """Sent anew only where that cannot make anything happen twice."""

    async def once(head: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) == 2:
            writer.transport.abort()
        else:
            await answer()(head, writer)

    async with raw_server(once) as server:
        channel = channel_to(server)
        await channel.send("GET", server.url(), timeout_s=5)
        if method == "GET":
            assert (await channel.send(method, server.url(), timeout_s=5)).body == b"ok"
        else:
            with pytest.raises(SourceUnavailable) as raised:
                await channel.send(method, server.url(), body=b"x", timeout_s=5)
            assert raised.value.reason is Reason.DOWN
    assert server.connections == connections


@pytest.mark.anyio
async def test_a_fresh_connection_that_is_closed_unheard_is_not_tried_for_ever(channel_to: Open) -> None:
    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with raw_server(never) as server:
        with pytest.raises(SourceUnavailable):
            await channel_to(server).send("GET", server.url(), timeout_s=5)
    assert len(server.seen) == 1


@pytest.mark.anyio
async def test_a_cancelled_call_gives_its_place_to_the_next(channel_to: Open) -> None:
    async def first_waits(head: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) == 1:
            asked.set()
            await asyncio.sleep(30)
        await answer()(head, writer)

    asked = asyncio.Event()
    async with raw_server(first_waits) as server:
        channel = channel_to(server, connections=1)
        first = asyncio.create_task(channel.send("GET", server.url(), timeout_s=30))
        await asyncio.wait_for(asked.wait(), 5)
        inline = [asyncio.create_task(channel.send("GET", server.url(), timeout_s=5)) for _ in range(3)]
        await asyncio.sleep(0)
        inline[0].cancel()
        first.cancel()
        replies = await asyncio.gather(first, *inline, return_exceptions=True)
    assert [getattr(reply, "body", None) for reply in replies] == [None, None, b"ok", b"ok"]


@pytest.mark.anyio
async def test_an_idle_connection_elsewhere_makes_room(channel_to: Open) -> None:
    async with raw_server(answer(b"1")) as one, raw_server(answer(b"2"), "127.0.0.2") as two:
        channel = channel_to(one, two, connections=1)
        bodies = [(await channel.send("GET", place.url(), timeout_s=5)).body for place in (one, two, one)]
    assert bodies == [b"1", b"2", b"1"]
