"""While there is a line, whoever waits to be connected is connected by the dozen, and not one a turn of the event loop."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
from typing import cast

import pytest
import trustme

from gateway.web import accepting as accepting_module
from gateway.web.accepting import BEYOND, Accepting
from gateway.web.serve import bind
from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.fakes.waiting import until
from tests.gateway.web.conftest import Start

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both event loops: the gateway runs on uvloop, their sockets differ."""
    return "asyncio", {"use_uvloop": request.param}


class Line(asyncio.Protocol):
    def __init__(self, made: list[asyncio.Transport]) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made.append(cast(asyncio.Transport, transport))  # uvloop's own class


def knocking(port: int, many: int) -> list[socket.socket]:
    """Connected as far as the kernel is concerned."""
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(many)]


async def test_few_are_taken_at_a_look_where_they_are_let_in_and_all_who_wait_where_they_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting_module, "_MANY", 64)
    made: list[asyncio.Transport] = []
    full = False
    with socket.create_server(("127.0.0.1", 0), backlog=250) as listener:
        listener.setblocking(False)
        accepting = Accepting([listener], lambda: Line(made), lambda: full, lambda: 1_000)
        accepting.more()
        assert not accepting._opening
        callers = knocking(listener.getsockname()[1], 200)
        for all_told in (32, 64):
            accepting.more()
            await until(lambda all_told=all_told: len(made) == all_told and not accepting._opening)  # type: ignore[misc]
        full = True
        accepting.more()
        assert len(accepting._opening) == 64, "the others of this turn come to theirs"
        await until(lambda: len(made) == 200 and not accepting._coming)
        callers += knocking(listener.getsockname()[1], 1)
        await asyncio.sleep(0.05)  # nothing is to happen
        assert len(made) == 200, "nobody is looked for where nobody is left"
        accepting.stop()
        accepting.more()
        assert not accepting._opening
    for one in made:
        one.abort()
    for caller in callers:
        caller.close()


async def test_who_hung_up_while_waiting_does_no_harm() -> None:
    made: list[asyncio.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        gone = knocking(listener.getsockname()[1], 1)[0]
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # with a reset
        gone.close()
        stays = knocking(listener.getsockname()[1], 1)[0]
        Accepting([listener], lambda: Line(made), lambda: False, lambda: 1_000).more()
        await until(lambda: made)
        stays.close()


@pytest.fixture
def certificate() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(made)
    return made


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_flood_of_them_takes_no_more_than_there_is_room_for(
    certificate: ssl.SSLContext, encrypted: bool
) -> None:
    """Neither of those who are connected nor of those who never say what TLS waits for, a minute long."""
    made: list[asyncio.Transport] = []
    with socket.create_server(("127.0.0.1", 0), backlog=250) as listener:
        listener.setblocking(False)
        tls = certificate if encrypted else None
        accepting = Accepting([listener], lambda: Line(made), lambda: True, lambda: 50 - len(made), tls)
        callers = knocking(listener.getsockname()[1], 100)
        for _ in range(5):
            accepting.more()
            await asyncio.sleep(0)  # as many looks as it is asked for, and none of them may take one more
        await until(lambda: encrypted or len(made) == 50)
        accepting.more()
        assert len(made) + len(accepting._opening) == 50
        assert len(made) == (0 if encrypted else 50)
        for caller in callers:
            caller.close()
        await until(lambda: not accepting._opening)  # those who hung up are gone
    for one in made:
        one.abort()


async def test_without_files_nobody_is_taken_and_afterwards_all_is_as_before() -> None:
    made: list[asyncio.Transport] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with bind("127.0.0.1", 0) as listener:
        listener.listen(250)
        listener.setblocking(False)
        accepting = Accepting([listener], lambda: Line(made), lambda: True, lambda: 1_000)
        callers = knocking(listener.getsockname()[1], 20)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 5, hard))
        try:
            for _ in range(3):
                accepting.more()
                await until(lambda: not accepting._opening)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(made) <= 5
        accepting.more()
        await until(lambda: len(made) == 20)
    for one in made:
        assert one.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        one.abort()
    for caller in callers:
        caller.close()


async def test_the_server_has_room_for_a_few_beyond_its_bound(start: Start) -> None:
    async with start(WebSettings(connections=10)) as web:
        assert web.server._room() == 10 + BEYOND
        callers = knocking(web.port, 20)
        await until(lambda: web.server._room() == BEYOND - 10)
        for caller in callers:
            caller.close()


async def test_the_server_takes_them_at_each_look_at_the_line(start: Start) -> None:
    async with start(WebSettings()) as web:
        callers = knocking(web.port, 32)
        web.app.state.gate.in_flight.looked()  # before the event loop has a turn
        connections = web.server.server_state.connections
        for _ in range(2):  # turns of the loop: without `looked` each would take one
            await asyncio.sleep(0)
        assert len(connections) >= 32
        caller = callers[-1]
        caller.setblocking(False)
        body = b'{"query":"{ hello }"}'
        head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer %b\r\n"
        await asyncio.get_running_loop().sock_sendall(
            caller, head % TOKEN.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
        )
        answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(caller, 1000), 5)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        for one in callers:
            one.close()


async def test_who_retires_takes_nobody_more(start: Start) -> None:
    async with start(WebSettings()) as web:
        accepting = web.server._accepting
        assert accepting is not None
        assert accepting._listeners
        web.server.retire()
        assert not accepting._listeners, "the socket is closed, and its number may be another's soon"
