"""The process that listens: uvicorn with our bounds, our logs and a drain that lets what runs finish."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn
from starlette.applications import Starlette

from gateway.errors import GatewayError
from gateway.web.accepting import BEYOND, Accepting
from gateway.web.gate import Gate
from gateway.web.http_protocol import bounded
from gateway.web.settings import WebSettings

_log = structlog.get_logger("yimen.serve")
BACKLOG = 2048  # who finds it full tries again after a second
_FIRST_FD = 3  # SD_LISTEN_FDS_START


class PortInUse(GatewayError):
    """Somebody else listens there. `facts` hold host and port."""

    code = "PORT_IN_USE"


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises PortInUse, or OSError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio sets no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A peer that stops reading would keep a closed connection's buffer for ever; the kernel gives up instead.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} on {host} is in use", host=host, port=port) from None
        raise
    listener.set_inheritable(True)
    return listener


def inherited() -> socket.socket | None:
    """The listening socket the service manager opened for us, None where it did not (systemd's socket activation).

    It stays open while we are restarted: who connects meanwhile waits, and is not refused. Source: sd_listen_fds(3).
    """
    told = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS")
    if told != (str(os.getpid()), "1"):
        return None
    listener = socket.socket(fileno=_FIRST_FD)
    os.set_inheritable(_FIRST_FD, True)
    return listener


class DrainingServer(uvicorn.Server):
    """SIGTERM or SIGINT: for `drain_announce_s` everybody is served on while /readyz says 503 and answers say
    `Connection: close`; then new requests get 503 and running ones finish within `drain_s`. A second signal stops at once.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate, settings: WebSettings) -> None:
        super().__init__(config)
        self._gate, self._settings = gate, settings
        self.listening: Callable[[], None] = lambda: None
        """Called once connections are taken, and not before."""
        self._signals = 0
        self._since = self._retired_at = 0.0
        self._accepting: Accepting | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._accepting = Accepting(
                sockets or (), self._protocol, lambda: self._gate.full, self._room, self.config.ssl
            )
            self._gate.in_flight.looked = self._accepting.more
            self.listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._accept_no_more()
        await super().shutdown(sockets=sockets)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it, which knows its class as no more than a protocol."""
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def _room(self) -> int:
        return self._settings.connections + BEYOND - len(self.server_state.connections)

    def _accept_no_more(self) -> None:
        if self._accepting is not None:
            self._accepting.stop()

    def retire(self) -> None:
        """Take no more connections, let those there are end with their next answer, and then stop as at a signal.

        Whoever is connected notices nothing: no request is refused as long as others listen on the same socket.
        """
        if not self._gate.retiring:
            self._gate.retiring, self._retired_at = True, time.monotonic()
            self._accept_no_more()
            for server in self.servers:
                server.close()
            _log.info("retiring", connections=len(self.server_state.connections))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._signals += 1  # looked at by `on_tick`, on the event loop
        if self._signals > 1:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        gate, now = self._gate, time.monotonic()
        if gate.retiring and not self._signals:
            # An idle connection is closed by its own timer, as it would be anyway.
            gone = gate.empty and not self.server_state.connections
            if gone or now - self._retired_at > self._settings.keep_alive_s + 1:
                self._signals = 1
        if self._signals and not gate.closing:
            gate.closing, self._since = True, now
        if gate.closing and not gate.draining and now - self._since >= self._settings.drain_announce_s:
            gate.drain()
            self._since = now
            _log.info("draining", inside=sum(gate.inside.values()))
        if gate.draining and (gate.empty or now - self._since >= self._settings.drain_s):
            self.should_exit = True
        return await super().on_tick(counter)


def server_for(app: Starlette, *, certificate: str | None = None, key: str | None = None) -> DrainingServer:
    """A server for an application made by `build_app`; hand it bound sockets."""
    settings: WebSettings = app.state.settings
    config = uvicorn.Config(
        app,
        http=bounded(settings, app.state.gate),
        ws="websockets-sansio",
        ws_max_size=settings.socket_message_bytes,
        ws_ping_interval=settings.stream_ping_s,
        ws_ping_timeout=settings.stream_ping_s,
        ws_per_message_deflate=False,  # a small message must not unpack to a large one
        log_config=None,  # ours; at INFO uvicorn would log each socket's URL with its query string
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=1,  # the drain is over by then
        backlog=BACKLOG,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    return DrainingServer(config, app.state.gate, settings)


def serve(app: Starlette, host: str, port: int, *, certificate: str | None = None, key: str | None = None) -> None:
    """Listen until SIGTERM or SIGINT, then drain and return. Raises PortInUse before anything has started."""
    listener = bind(host, port)
    server = server_for(app, certificate=certificate, key=key)
    _log.info("listening", host=host, port=listener.getsockname()[1], tls=certificate is not None)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
    _log.info("stopped", forced=server.force_exit)
