"""`yimen serve`: one process, or several behind one port."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from adapters.errors import AdapterError
from gateway.bootstrap.gathered import gathered, offered
from gateway.bootstrap.trace_export import check_tracing
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.web.logs import configure_logging
from gateway.web.serve import bind, inherited, server_for
from schema.errors import SchemaError

if TYPE_CHECKING:
    from gateway.bootstrap.composition import Gateway

_log = structlog.get_logger("yimen.serve")
_COLLECT = (50_000, 20, 50)
"""A request makes thousands of containers and leaves none in circles (0.25, measured; a document planned anew some 800), so what
the collector walks are those of the requests under way: at Python's 700 it took 0.15 ms of each, at 5,000 0.06 to 0.1, at this
0.4 % of a list question with 64 connections. Who plans large documents one after the other costs up to 12 MiB more meanwhile; they have a rate."""


def serve_gateway(settings: Settings) -> int:
    """Listen until SIGTERM or SIGINT, then drain. Returns the exit code; raises GatewayError before anything starts."""
    for early in (signal.SIGHUP, signal.SIGUSR2):  # asked for too early, neither must end what is starting
        signal.signal(early, signal.SIG_IGN)
    _logging(settings)
    check_tracing(settings)
    listener = inherited() or bind(settings.host, settings.port)
    settings = replace(settings, port=listener.getsockname()[1])  # links, issuer and proofs name the port there is
    said = f"yimen: http://{settings.host}:{settings.port}/graphql"
    say = partial(print, said, file=sys.stderr, flush=True)  # once it is true: an address is taken for a success
    try:
        if settings.processes > 1:
            return _several(settings, listener, say)
        return _one(settings, listener, _Place(ready=say))
    finally:
        listener.close()


def _logging(settings: Settings) -> None:
    configure_logging(level=settings.log_level.upper(), console=settings.log_format == "console")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _several(settings: Settings, listener: socket.socket, say: Callable[[], None]) -> int:
    from gateway.bootstrap.workers import Workers

    with tempfile.TemporaryDirectory(prefix="yimen-") as folder:
        work = partial(_worker, settings, listener, Path(folder))
        return Workers(
            work, settings.processes, listener, drain_s=settings.drain_announce_s + settings.drain_s, first_ready=say
        ).run()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a process stands: alone, or as one of several."""

    slot: int = 0
    folder: Path | None = None  # where workers find each other's metrics
    ready: Callable[[], None] = lambda: None


def _worker(settings: Settings, listener: socket.socket, folder: Path, slot: int, ready: Callable[[], None]) -> int:
    _logging(settings)
    try:
        return _one(settings, listener, _Place(slot, folder, ready))
    except GatewayError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1


def _one(settings: Settings, listener: socket.socket, place: _Place = _Place()) -> int:
    """One process's whole life. A set of manifests that cannot be used is told in full, and nothing is served."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, listener, place))
    except (AdapterError, SchemaError) as error:
        print(f"数据源清单有误 The manifests cannot be used:\n{error}", file=sys.stderr)
        return 1


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, listener: socket.socket, place: _Place) -> int:
    # Here, and not above: the process that only starts workers needs none of it, and it is most of what one weighs.
    from gateway.bootstrap.composition import application, open_gateway

    async with open_gateway(settings, slot=place.slot) as gateway, _metrics_of_all(gateway, place):
        server = server_for(application(gateway))
        _reload_when_asked(gateway)
        if place.folder is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, server.retire)

        def listening() -> None:
            held = gateway.snapshots.current.snapshot
            port = listener.getsockname()[1]
            place.ready()
            _log.info("listening", port=port, sources=len(held.sources), snapshot=held.version[:16])

        server.listening = listening
        # What was built by now stays: schema, plans, modules. The collector need not walk it again and again for the sake
        # of a request's garbage.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        await server.serve(sockets=[listener])
        _log.info("stopped", forced=server.force_exit)
    return 0


@asynccontextmanager
async def _metrics_of_all(gateway: Gateway, place: _Place) -> AsyncIterator[None]:
    if place.folder is None:
        yield
        return
    gateway.metrics.share(partial(gathered, place.folder))
    async with offered(place.folder, place.slot, gateway.metrics.exposition):
        yield


def _reload_when_asked(gateway: Gateway) -> None:
    """SIGHUP reads manifests, secrets and certificates anew, whether or not a file changed."""
    tasks: set[asyncio.Task[bool]] = set()

    def asked() -> None:
        task = asyncio.get_running_loop().create_task(gateway.snapshots.reload(asked=True))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked)
