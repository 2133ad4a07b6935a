"""Who is let in, and what happens when the house closes."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gateway.web.gate import Gate
from gateway.web.serve import PortInUse, bind
from gateway.web.settings import WebSettings
from gateway.web.streams import until_revoked
from tests.fakes.execute import TOKEN
from tests.fakes.waiting import until
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
HELD = {"query": "query Held { hello }", "operationName": "Held"}
HELLO = {"query": "{ hello }"}


async def test_one_more_than_fits_is_503_and_those_who_watch_still_see(start: Start) -> None:
    async with start(WebSettings(in_flight=1)) as web:
        held = asyncio.create_task(web.post(HELD))
        await until(lambda: web.execute.running == 1)
        response = await web.post(HELLO)
        assert (response.status, (await response.json())["errors"][0]["extensions"]["code"]) == (503, "OVERLOADED")
        assert response.headers["retry-after"] == "2"
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await web.get(path)).status == 200
        web.execute.held.set()
        assert (await held).status == 200
        assert (await web.post(HELLO)).status == 200


async def test_whoever_is_slow_to_send_takes_no_place_of_others(start: Start) -> None:
    """A stranger needs no token to begin a request: some hundred begun ones must not shut everybody out."""
    head = (
        b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %b\r\n"
        + b"content-type: application/json\r\ncontent-length: 99\r\n\r\n{"
    )
    async with start(WebSettings(in_flight=1)) as web:
        gate = web.app.state.gate
        connections = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(3)]
        for number, (_, writer) in enumerate(connections, 1):
            writer.write(head % TOKEN.encode())
            await until(lambda number=number: gate.inside["request"] == number)
        assert (await web.post(HELLO)).status == 200
        assert not gate.empty  # a drain still waits for them
        for _, writer in connections:
            writer.close()
        await until(lambda: gate.empty and gate.waiting == 0)


async def test_with_several_processes_a_connection_ends_so_that_none_keeps_them_all(start: Start) -> None:
    one = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with start(WebSettings(connection_requests=3)) as web:
        answer = await web.talk(one, one, one)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"connection: close") == 1


async def test_an_answer_too_late_is_504(start: Start) -> None:
    async with start(WebSettings(request_s=0.1)) as web:
        response = await web.post(HELD)
        assert (response.status, (await response.json())["errors"][0]["extensions"]["code"]) == (504, "TIME_LIMIT")
        assert web.execute.running == 0
        assert web.app.state.gate.empty


async def test_a_draining_gateway_finishes_what_runs_and_refuses_the_rest(web: Running) -> None:
    held = asyncio.create_task(web.post(HELD))
    await until(lambda: web.execute.running == 1)
    web.server.handle_exit(signal.SIGTERM, None)
    await until(lambda: web.app.state.gate.draining)
    response = await web.post(HELLO)
    assert (response.status, (await response.json())["errors"][0]["extensions"]["code"]) == (503, "DRAINING")
    ready = await web.get("/readyz")
    assert (ready.status, (await ready.json())["failing"]) == (503, ["draining"])
    assert (await web.get("/livez")).status == 200
    web.execute.held.set()
    assert (await held).status == 200
    await until(lambda: web.server.should_exit)


async def test_a_drain_does_not_wait_for_ever(start: Start) -> None:
    async with start(WebSettings(drain_s=0.2)) as web:
        held = asyncio.create_task(web.post(HELD))
        await until(lambda: web.execute.running == 1)
        web.server.handle_exit(signal.SIGTERM, None)
        await until(lambda: web.server.should_exit)
        held.cancel()


SERVER = """
import asyncio, sys
from gateway.web.app import build_app
from gateway.web.logs import configure_logging
from gateway.web.serve import PortInUse, serve
from tests.fakes.execute import FakeAuthenticator, FakeExecute
configure_logging()
class Slow(FakeExecute):
    async def __call__(self, caller, request):
        await asyncio.sleep(1)
        return await super().__call__(caller, request)
try:
    serve(build_app(execute=Slow(), authenticate=FakeAuthenticator()), "127.0.0.1", int(sys.argv[1]))
except PortInUse as error:
    sys.exit(str(error))
"""


def process(port: int) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER), str(port)], cwd=root, stderr=subprocess.PIPE, text=True
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_alive(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=1).close()
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


async def test_sigterm_lets_the_running_request_finish_and_the_process_ends_well() -> None:
    port = free_port()
    server = process(port)
    try:
        until_alive(port)
        from tests.fakes.execute import TOKEN

        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql", b'{"query":"{ hello }"}',
            {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"},
        )  # fmt: skip
        asking = asyncio.create_task(asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).read()))
        await asyncio.sleep(0.3)
        server.send_signal(signal.SIGTERM)
        assert b"data" in await asking
        assert server.wait(10) == 0
        assert server.stderr is not None
        said = server.stderr.read()
        assert "draining" in said
        assert "Traceback" not in said
    finally:
        server.kill()
        server.wait()


async def test_a_port_in_use_is_said_plainly() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is in use") as caught:
            bind("127.0.0.1", port)
        assert caught.value.facts == {"host": "127.0.0.1", "port": port}
        server = process(port)
        _, said = server.communicate(timeout=20)
        assert server.returncode == 1
        assert said.strip().endswith(f"port {port} on 127.0.0.1 is in use")
        assert "Traceback" not in said


async def test_what_is_said_to_be_revoked_is_looked_at_by_open_streams_at_once() -> None:
    looks, good = 0, True

    class Door:
        async def still(self, _: object) -> bool:
            nonlocal looks
            looks += 1
            return good

    gate, door, caller = Gate(in_flight=1, streams=9), Door(), object()
    given: Any = (door, caller, gate, 3600.0)
    streams = [asyncio.create_task(until_revoked(*given)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.something_revoked()  # somebody else's
    await until(lambda: looks == 3)
    assert not any(one.done() for one in streams)
    good = False
    gate.something_revoked()
    async with asyncio.timeout(5):
        await asyncio.gather(*streams)
    assert looks == 6


async def test_what_is_said_while_a_stream_asks_is_asked_about_again_and_a_flood_is_not_followed() -> None:
    looks, good = 0, True
    asked = asyncio.Event()

    class Door:
        async def still(self, _: object) -> bool:
            nonlocal looks
            looks += 1
            said = good  # read before the revocation that is said now
            await asked.wait()
            return said

    gate = Gate(in_flight=1, streams=9)
    given: Any = (Door(), object(), gate, 3600.0)
    stream = asyncio.create_task(until_revoked(*given))
    await asyncio.sleep(0)
    gate.something_revoked()
    await until(lambda: looks == 1)
    good = False
    gate.something_revoked()
    asked.set()
    async with asyncio.timeout(5):
        await stream
    assert looks == 2

    looks, good = 0, True
    stream = asyncio.create_task(until_revoked(*given))
    for _ in range(100):
        gate.something_revoked()
        await asyncio.sleep(0.003)
    assert 1 <= looks <= 10
    stream.cancel()
