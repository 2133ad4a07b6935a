"""A log, or one file, over HTTP: keep-alive connections, one a thread; no redirects, no proxies, bounded answers."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import zlib
from urllib.parse import urlsplit

from ledger.audit.source import Lost, Unreachable
from ledger.errors import Malformed

TRIES = 4
TIMEOUT_S = 20.0
_PAUSE_S = 0.15
_GONE = (404, 410)
_HEADERS = {"Accept-Encoding": "gzip", "User-Agent": "yimen-auditor/1", "Connection": "keep-alive"}


class Http:
    """`prefix`: URL of the log, without the slash at its end. Raises Malformed for what is no http(s) URL."""

    parallel = 6

    def __init__(self, prefix: str, *, ca_file: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        try:
            parts = urlsplit(prefix)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Malformed("no address of a log") from None
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
            raise Malformed("a log's address is http(s)://host/path")
        self._https, self._host, self._port = parts.scheme == "https", host, port
        self._path, self._timeout_s = parts.path.rstrip("/"), timeout_s
        self._tls = ssl.create_default_context(cafile=ca_file) if self._https else None
        self._mine = threading.local()
        self._all: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def read(self, path: str, limit: int) -> bytes:
        for attempt in range(TRIES):
            try:
                return self._once(f"{self._path}/{path}" if path else self._path or "/", limit)
            except (OSError, http.client.HTTPException, _Again) as error:
                self._connection().close()
                said = str(error) or type(error).__name__
                if attempt == TRIES - 1:
                    raise Unreachable(f"{path}: {said}") from None
                time.sleep(
                    _PAUSE_S * 2**attempt if attempt else 0
                )  # an idle connection the server closed costs nothing
        raise AssertionError

    def close(self) -> None:
        with self._lock:
            for one in self._all:
                one.close()

    def _once(self, target: str, limit: int) -> bytes:
        connection = self._connection()
        connection.request("GET", target, headers=_HEADERS)
        if connection.sock is not None:
            _acknowledge_at_once(connection.sock)
        with connection.getresponse() as response:
            if response.status != 200:
                connection.close()
                raise _refused(response.status)
            packed = (response.getheader("Content-Encoding") or "identity").lower()
            most = limit + (limit >> 8) + 1024 if packed == "gzip" else limit  # packed hashes are larger than hashes
            data = response.read(most + 1)
            if len(data) > most:
                connection.close()
                raise Malformed("an answer larger than it may be")
            response.read()  # raises for an answer that broke off; takes the end of a chunked one off the connection
        if packed == "gzip":
            return _unpacked(data, limit)
        if packed != "identity":
            raise Malformed("an answer packed in a way that was not asked for")
        return data

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if found is None:
            if self._tls is not None:
                found = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
            else:
                found = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            self._mine.connection = found
            with self._lock:
                self._all.append(found)
        return found


def _acknowledge_at_once(sock: socket.socket) -> None:
    """Many a static server sends head and body apart and waits for the first to be acknowledged; Linux would take 40 ms."""
    if hasattr(socket, "TCP_QUICKACK"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Again(Exception):
    """Worth another try."""


def _refused(status: int) -> Exception:
    if status in _GONE:
        return Lost(f"answered {status}")
    if status >= 500 or status == 429:
        return _Again(f"answered {status}")
    if 300 <= status < 400:
        return Unreachable(f"answered {status}: redirects are not followed; name the log's own address")
    return Unreachable(f"answered {status}")


def _unpacked(data: bytes, limit: int) -> bytes:
    """Never makes more than `limit` bytes of it."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(data, limit + 1)
    except zlib.error:
        raise Malformed("an answer that cannot be unpacked") from None
    if len(plain) > limit or not unpack.eof or unpack.unused_data:
        raise Malformed("an answer that cannot be unpacked, or larger than it may be")
    return plain
