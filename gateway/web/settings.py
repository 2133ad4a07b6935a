"""What the web floor may be told; `gateway.settings` reads it from the environment, bootstrap hands it over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Bounds and switches of the HTTP face. Sizes are bytes, `_s` are seconds."""

    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")  # without port; ("*",) asks nothing
    cors_origins: tuple[str, ...] = ()  # whole origins ("https://desk.example"); pages elsewhere get nothing
    graphiql: bool = False
    base_url: str = "http://localhost:8000"  # what others reach us at; never taken from a request
    client_certificate_header: str | None = None  # the trusted proxy's; None: mTLS is off, no header is looked at
    metrics: bool = True

    body_bytes: int = 1_048_576
    header_bytes: int = 16_384
    json_depth: int = 32
    body_s: float = 10.0  # for the whole body to arrive
    header_s: float = 10.0  # for all headers to arrive, the first byte included
    request_s: float = 30.0  # for a request, from its headers to its answer; streams excepted
    keep_alive_s: int = 30
    connection_requests: int | None = None  # after which a connection ends, so that several processes even out

    connections: int = 2_000
    in_flight: int = 200
    drain_s: float = 20.0  # what runs may finish within, once nobody is let in any more
    drain_announce_s: float = 0.0  # how long to serve on after /readyz has turned 503, for a balancer to notice
    retry_after_s: int = 2

    streams: int = 500  # sockets and event streams together
    socket_message_bytes: int = 262_144
    socket_operations: int = 20
    socket_init_s: float = 5.0
    stream_ping_s: float = 15.0
    stream_check_s: float = 1.0  # how often an open stream asks whether its token was revoked
    stream_send_s: float = 10.0  # a reader that takes longer for one answer is let go
