"""A connection to a host: whichever of its addresses answers first, a new one tried every quarter second (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from adapters.http_connection import Connection

_STAGGER_S = 0.25
_TLS_CLOSE_S = 1.0  # how long a TLS goodbye may take


async def connected(make: Callable[[], Connection], host: str, port: int, tls: ssl.SSLContext | None) -> Connection:
    """Connected, and with `tls` the certificate checked against `host`. Raises OSError, ssl.SSLError."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not addresses:
        raise OSError("no address")
    sock = await _first(_in_turn(addresses))
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            _, connection = await loop.create_connection(make, sock=sock)
        else:
            name = host.rstrip(".")
            _, connection = await loop.create_connection(
                make, sock=sock, ssl=tls, server_hostname=name, ssl_shutdown_timeout=_TLS_CLOSE_S
            )
    except BaseException:
        sock.close()
        raise
    return connection


def _in_turn(addresses: Sequence[Any]) -> list[Any]:
    """One of each family by turns, as the resolver orders them."""
    families = list(dict.fromkeys(one[0] for one in addresses))
    queues = [[one for one in addresses if one[0] == family] for family in families]
    longest = max(map(len, queues))
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


async def _first(addresses: Sequence[Any]) -> socket.socket:
    """The socket of the first address that accepts. Raises the last OSError where none does."""
    if len(addresses) == 1:
        return await _socket(addresses[0])
    tries: set[asyncio.Task[socket.socket]] = set()
    left, error = list(addresses), OSError("no address")
    try:
        while left or tries:
            if left:
                tries.add(asyncio.ensure_future(_socket(left.pop(0))))
            done, tries = await asyncio.wait(
                tries, timeout=_STAGGER_S if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for one in done:
                if one.exception() is None:
                    tries |= done - {one}
                    return one.result()
                if isinstance(failed := one.exception(), OSError):
                    error = failed
        raise error
    finally:
        for other in tries:
            if other.done() and not other.cancelled() and other.exception() is None:
                other.result().close()
            other.cancel()


async def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock
