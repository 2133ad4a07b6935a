"""What a department sends unasked: an answer too many is nobody's, and what decodes to nothing comes to an end."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.errors import Reason
from adapters.http_decoding import Inflated, NotDecodable, TooLarge

from .conftest import Open, Pki, answer, raw_server
from .test_http_replies import reply_of, run


class TwiceSaid:
    """A department on a thread of its own, which answers with the last word of the path."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                asked = data.split(b" ")[1].rpartition(b"/")[2]
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked), asked))

    def close(self) -> None:
        self.listener.close()
        for one in self.connections:
            one.close()


@pytest.fixture
def department() -> Iterator[TwiceSaid]:
    made = TwiceSaid()
    yield made
    made.close()


@pytest.mark.anyio
@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsomebody", b""])
async def test_an_answer_nobody_asked_for_is_not_the_next_ones(
    egress: HttpEgress, department: TwiceSaid, surplus: bytes
) -> None:
    """It lies in the kernel, unseen by the event loop, when the next request goes out; and so may an end ("")."""
    pair = f"127.0.0.1:{department.port}"
    channel = egress.open(Rule("LGB", frozenset({pair}), allow_plain_http=True))
    assert (await channel.send("GET", f"http://{pair}/one", timeout_s=5)).body == b"one"
    theirs = department.connections[0]
    if surplus:
        theirs.sendall(surplus)
    else:
        theirs.shutdown(socket.SHUT_WR)
    time.sleep(0.05)  # the loop must not see it; loopback delivers at once
    method, body = ("GET", None) if surplus else ("POST", b"")
    reply = await channel.send(method, f"http://{pair}/two", body=body, timeout_s=5)
    assert reply.body == b"two"
    assert len(department.connections) == 2


@pytest.mark.anyio
async def test_a_call_cancelled_when_its_reply_was_there_leaves_the_connection_to_the_next(channel_to: Open) -> None:
    async with raw_server(answer()) as server:
        channel = channel_to(server, connections=1)
        await channel.send("GET", server.url(), timeout_s=5)
        pool = channel._pool  # type: ignore[attr-defined]
        first = asyncio.create_task(channel.send("GET", server.url(), timeout_s=5))
        await asyncio.sleep(0)
        (busy,) = pool._busy
        first.cancel()  # its future is cancelled now; the task hears of it in the next turn
        busy.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
        second = asyncio.create_task(channel.send("POST", server.url(), body=b"x", timeout_s=5))
        done = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert not isinstance(done[1], Exception)


def test_members_of_nothing_end() -> None:
    """Twenty bytes each, decoding to none, each copying all that comes behind it."""
    nothing = gzip.compress(b"")
    body = Inflated("gzip", 10_000_000)
    began = time.process_time()
    with pytest.raises(NotDecodable):
        body.feed(nothing * 50_000)
    assert time.process_time() - began < 1
    few = nothing * 3 + gzip.compress(b"a")
    got, kept = run([reply_of(f"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(few)}", few)])
    assert (got.body, kept) == (b"a", True)


def test_empty_blocks_of_one_member_end_at_the_cap() -> None:
    body = Inflated("deflate", 1000)
    body.feed(b"\x78\x9c")
    with pytest.raises(TooLarge):
        body.feed(b"\x00\x00\x00\xff\xff" * 100_000)  # stored blocks of length 0
    endless = reply_of("200 OK\r\nContent-Encoding: deflate\r\nTransfer-Encoding: chunked")
    block = b"%x\r\n\x78\x9c" % 2 + b"\r\n"
    got, _ = run([endless + block] + [b"1388\r\n" + b"\x00\x00\x00\xff\xff" * 1000 + b"\r\n"] * 100)
    assert got.fault[0] is Reason.TOO_LARGE


@pytest.mark.anyio
async def test_what_a_question_mark_hides_stays_hidden(channel_to: Open) -> None:
    """`https://host?/x` asks for `/` the second time as it did the first."""
    async with raw_server(answer()) as server:
        channel = channel_to(server)
        for _ in range(2):
            await channel.send("GET", f"http://{server.pair}?a=/x", timeout_s=5)
            await channel.send("GET", f"http://{server.pair}#/x", timeout_s=5)
    assert [head.split(b"\r\n")[0] for head in server.seen] == [b"GET /?a=/x HTTP/1.1", b"GET / HTTP/1.1"] * 2


@pytest.mark.anyio
async def test_over_tls_a_connection_is_kept_all_the_same(channel_to: Open, pki: Pki) -> None:
    """What TLS sends by itself (session tickets) is read with the first reply, and is no surplus."""
    async with raw_server(answer(), tls=pki.server) as server:
        channel = channel_to(server, tls=pki.trust())
        for _ in range(5):
            assert (await channel.send("POST", server.url(), body=b"x", timeout_s=5)).body == b"ok"
            await asyncio.sleep(0.01)
    assert server.connections == 1
