"""Raw loopback servers that behave as badly as a test wants, and channels to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from adapters.egress import Channel, Rule, Tls
from adapters.egress_http import HttpEgress

Behaviour = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both event loops: the gateway runs on uvloop, their transports differ."""
    return "asyncio", {"use_uvloop": request.param}


@dataclass
class RawServer:
    """A TCP server on one loopback address; `seen` are the request heads it received."""

    host: str
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    seen: list[bytes] = field(default_factory=list)

    @property
    def pair(self) -> str:
        return f"{self.host}:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{self.pair}{path}"


@asynccontextmanager
async def raw_server(
    behaviour: Behaviour, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    here = RawServer(host, scheme="https" if tls else "http")
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.connections += 1
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                here.seen.append(head)
                await behaviour(head, writer)
                await writer.drain()
        except (OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # RuntimeError: uvloop's word for a connection that is gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


def answer(body: bytes = b"ok", status: str = "200 OK", headers: str = "") -> Behaviour:
    async def behave(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    return behave


Open = Callable[..., Channel]


@pytest.fixture
async def egress() -> AsyncIterator[HttpEgress]:
    egress = HttpEgress()
    yield egress
    await egress.close()


@pytest.fixture
def channel_to(egress: HttpEgress) -> Open:
    """A channel whose allow-list is exactly the given servers."""

    def open_to(*servers: RawServer, **rule: object) -> Channel:
        options: dict[str, object] = {"allow_plain_http": True, **rule}
        return egress.open(Rule("LGB", frozenset(server.pair for server in servers), **options))  # type: ignore[arg-type]

    return open_to


@dataclass(frozen=True)
class Pki:
    """A throw-away authority with a server for 127.0.0.1, one for another name, and a client."""

    ca_file: str
    server: ssl.SSLContext
    mutual: ssl.SSLContext  # wants a client certificate
    misnamed: ssl.SSLContext
    stranger: ssl.SSLContext  # from an authority nobody here trusts
    client_file: str

    def trust(self, *, with_client: bool = False) -> Tls:
        return Tls(self.ca_file, self.client_file if with_client else None)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder: Path = tmp_path_factory.mktemp("pki")
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    ca.issue_cert("client@yimen.test").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))

    def context(issuer: trustme.CA, name: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(name).configure_cert(made)
        return made

    mutual = context(ca, "127.0.0.1")
    ca.configure_trust(mutual)
    mutual.verify_mode = ssl.CERT_REQUIRED
    return Pki(
        ca_file=str(folder / "ca.pem"),
        server=context(ca, "127.0.0.1"),
        mutual=mutual,
        misnamed=context(ca, "department.test"),
        stranger=context(other, "127.0.0.1"),
        client_file=str(folder / "client.pem"),
    )
