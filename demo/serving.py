"""Run an application on a loopback socket: a whole process for the demo, or beside a test in its own loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from demo.department import Department, Options
from demo.departments import open_department


@dataclass(frozen=True, slots=True)
class Running:
    """A department that answers; `url` has no slash at its end."""

    url: str
    department: Department


class _Beside(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    """A bound socket; OSError where the port is taken. Port 0 takes any free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, tls: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'http' if tls == 'none' else 'https'}://{host}:{port}"


def server_config(app: Any, tls: str, pki: Path) -> uvicorn.Config:
    """Quiet, without access log (it would hold query strings); `mutual` asks every caller for a certificate of ours."""
    secured: dict[str, Any] = {}
    if tls != "none":
        secured = {"ssl_certfile": str(pki / "server.pem"), "ssl_keyfile": str(pki / "server-key.pem")}
    if tls == "mutual":
        secured |= {"ssl_ca_certs": str(pki / "ca.pem"), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=1, ws="none", **secured
    )


@asynccontextmanager
async def serving(code: str, options: Options | None = None, *, port: int = 0) -> AsyncIterator[Running]:
    """The department `code` on a free port in this event loop, for tests; stopped at the end."""
    options = options or Options(latency=0)
    department, app = open_department(code, options)
    async with serving_app(app, tls=department.profile.tls, pki=options.pki, port=port) as url:
        yield Running(url, department)


@asynccontextmanager
async def serving_app(app: Any, *, tls: str = "none", pki: Path = Path(), port: int = 0) -> AsyncIterator[str]:
    """Any ASGI application on a free port in this event loop; gives its URL."""
    listener = bind(port)
    server = _Beside(server_config(app, tls, pki))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server stopped before it started")
            await asyncio.sleep(0.005)
        yield url_of(listener, tls)
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=5)
        listener.close()
