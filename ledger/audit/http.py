"""A log, or one file, over HTTP: keep-alive connections, one a thread; no redirects, no proxies, bounded answers."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from ledger.audit.source import Lost, Unreachable
from ledger.errors import Malformed

TRIES = 4
TIMEOUT_S = 20.0
WHOLE = 6
"""Times the timeout, for a whole answer: one that comes a byte at a time never ends otherwise."""
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
        self._late = _Deadlines(timeout_s * WHOLE)

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
        self._late.stop()
        with self._lock:
            for one in self._all:
                one.close()

    def _once(self, target: str, limit: int) -> bytes:
        connection = self._connection()
        connection.request("GET", target, headers=_HEADERS)
        if connection.sock is None:
            raise _Again("the connection was closed")
        _acknowledge_at_once(connection.sock)
        with self._late.watching(connection.sock):
            return self._answer(connection, limit)

    def _answer(self, connection: http.client.HTTPConnection, limit: int) -> bytes:
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


class _Deadlines:
    """One thread that ends connections whose answer is not whole in time; the socket's own timeout begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[socket.socket, float] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, sock: socket.socket) -> Iterator[None]:
        """Raises Unreachable in place of what an ended connection raises."""
        with self._lock:
            self._until[sock] = time.monotonic() + self._seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="audit-deadlines", daemon=True)
                self._thread.start()
        failed: Exception | None = None
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            failed = error
        finally:
            with self._lock:
                ended = self._until.pop(sock, None) is None
        if ended:  # also where it looks whole: one without a length is as long as its connection
            raise Unreachable(f"no whole answer in {self._seconds:g} s")
        if failed is not None:
            raise failed

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._seconds / 4)):
            with self._lock:
                for sock in [one for one, until in self._until.items() if until < time.monotonic()]:
                    del self._until[sock]
                    with suppress(OSError):
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)


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
