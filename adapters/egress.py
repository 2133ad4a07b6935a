"""The port every outbound HTTP request leaves by, and the rules it leaves under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM file paths; None means the system's trust store / no client certificate."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What one source (or OIDC provider, witness, ...) may reach, and how.

    `hosts` are `host:port` pairs, lower case; anything else, also by redirect, is refused before a socket opens.
    """

    name: str
    hosts: frozenset[str]
    tls: Tls = field(default_factory=Tls)
    connections: int = 20
    connect_timeout_s: float = 1.0
    read_timeout_s: float = 10.0
    max_response_bytes: int = 8 * 1024 * 1024
    allow_plain_http: bool = False  # only ever for loopback or a private bridge, stated in the manifest
    plain_http_hosts: frozenset[str] = (
        frozenset()
    )  # the bridge: host:port pairs beyond loopback that may go without TLS
    redirects: int = 2  # how many a GET follows, on the list


class Reply(NamedTuple):
    """A complete answer; the body is already within the cap. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Channel(Protocol):
    """One source's way out: its own pool, under its own rule."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        """The reply, whatever its status. `timeout_s` bounds connect, send and read together.

        Raises SourceUnavailable with TIMEOUT, DOWN, TOO_LARGE or BLOCKED.
        """
        ...

    async def close(self) -> None: ...


class Egress(Protocol):
    """Opens channels; closes what is left open."""

    def open(self, rule: Rule) -> Channel: ...

    async def close(self) -> None: ...
