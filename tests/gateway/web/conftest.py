"""A real uvicorn on a free loopback port, on the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import structlog

from gateway.web.app import build_app
from gateway.web.logs import configure_logging
from gateway.web.serve import DrainingServer, bind, server_for
from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN, FakeAuthenticator, FakeExecute


@dataclass
class Running:
    """A gateway that listens, and what it stands on."""

    port: int
    app: Any
    server: DrainingServer
    execute: FakeExecute
    authenticate: FakeAuthenticator
    client: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    async def post(self, body: Any = None, *, raw: bytes | None = None, **headers: str) -> aiohttp.ClientResponse:
        """POST with the officer's token; a header named `accept_language` becomes accept-language, '' drops one."""
        given = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in given.items() if value}
        sent = {"data": raw} if raw is not None else {"json": body}
        response = await self.client.post(self.url, headers=given, skip_auto_headers=["content-type"], **sent)  # type: ignore[arg-type]
        await response.read()
        return response

    async def get(self, path: str = "/graphql", params: dict[str, str] | None = None, **headers: str) -> Any:
        given = {"authorization": f"Bearer {TOKEN}", "graphql-require-preflight": "1"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in given.items() if value}
        response = await self.client.get(f"http://127.0.0.1:{self.port}{path}", params=params, headers=given)
        await response.read()
        return response

    async def talk(self, *parts: bytes, end: bool = False, patience_s: float = 10.0) -> bytes:
        """Raw bytes, one write after another; everything that comes back until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if end:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), patience_s)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


Start = Callable[..., AbstractAsyncContextManager[Running]]


@asynccontextmanager
async def running(
    settings: WebSettings | None = None, *, authenticate: Any = None, **parts: Any
) -> AsyncIterator[Running]:
    execute, authenticate = FakeExecute(), authenticate or FakeAuthenticator()
    app = build_app(execute=execute, authenticate=authenticate, settings=settings or WebSettings(), **parts)
    server = server_for(app)
    listener = bind("127.0.0.1", 0)
    task = asyncio.create_task(server._serve(sockets=[listener]))  # without taking over the test runner's signals
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        async with aiohttp.ClientSession() as client:
            yield Running(listener.getsockname()[1], app, server, execute, authenticate, client)
    finally:
        execute.held.set()
        app.state.gate.drain()
        server.should_exit = True
        await asyncio.wait_for(task, 10)
        listener.close()


@pytest.fixture
def start() -> Start:
    return running


@pytest.fixture
async def web() -> AsyncIterator[Running]:
    async with running() as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def logs() -> Iterator[io.StringIO]:
    """What was logged, by us and by the libraries."""
    out = io.StringIO()
    configure_logging(level="DEBUG", stream=out)
    yield out
    structlog.reset_defaults()
