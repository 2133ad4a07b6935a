"""`yimen serve`: one process, or several behind one port."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import structlog

from adapters.errors import AdapterError
from gateway.bootstrap.composition import application, open_gateway
from gateway.settings import Settings
from gateway.web.logs import configure_logging
from gateway.web.serve import bind, server_for
from schema.errors import SchemaError

_log = structlog.get_logger("yimen.serve")
_SHORTEST_LIFE_S = 2.0


def serve_gateway(settings: Settings) -> int:
    """Listen until SIGTERM or SIGINT, then drain. Returns the exit code; raises GatewayError before anything starts."""
    _logging(settings)
    listener = bind(settings.host, settings.port)
    port = listener.getsockname()[1]
    print(f"yimen: http://{settings.host}:{port}/graphql", file=sys.stderr, flush=True)
    try:
        return _one(settings, listener) if settings.workers == 1 else _several(settings, listener)
    finally:
        listener.close()


def _logging(settings: Settings) -> None:
    configure_logging(level=settings.log_level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _one(settings: Settings, listener: socket.socket) -> int:
    """One process's whole life. A set of manifests that cannot be used is told in full, and nothing is served."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, listener))
    except (AdapterError, SchemaError) as error:
        print(f"数据源清单有误 The manifests cannot be used:\n{error}", file=sys.stderr)
        return 1


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, listener: socket.socket) -> int:
    async with open_gateway(settings) as gateway:
        server = server_for(application(gateway))
        _log.info(
            "listening",
            port=listener.getsockname()[1],
            sources=len(gateway.snapshots.current.snapshot.sources),
            snapshot=gateway.snapshots.current.snapshot.version[:12],
        )
        await server.serve(sockets=[listener])
        _log.info("stopped", forced=server.force_exit)
    return 0


def _worker(settings: Settings, listener: socket.socket) -> None:
    _logging(settings)
    sys.exit(_one(settings, listener))


def _several(settings: Settings, listener: socket.socket) -> int:
    """`workers` processes on one socket; one that dies is replaced, unless it never lived."""
    context = multiprocessing.get_context("spawn")
    stopping = False
    workers: list[tuple[BaseProcess, float]] = []

    def start() -> None:
        process = context.Process(target=_worker, args=(settings, listener))
        process.start()
        workers.append((process, time.monotonic()))

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        for process, _ in workers:
            if process.is_alive():
                process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for _ in range(settings.workers):
        start()
    code = 0
    while workers:
        for pair in list(workers):
            process, since = pair
            process.join(0.2)
            if process.is_alive():
                continue
            workers.remove(pair)
            if stopping:
                continue
            _log.error("worker_died", exit_code=process.exitcode)
            if time.monotonic() - since < _SHORTEST_LIFE_S:
                code = 1
                stop(0, None)
            else:
                start()
    return code
