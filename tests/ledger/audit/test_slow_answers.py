"""A log that answers a byte at a time must not keep an auditor from ever saying anything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ledger.audit.http import WHOLE, Http
from ledger.audit.source import Unreachable

_HEADS = {
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    "body without a length": b"HTTP/1.0 200 OK\r\n\r\n",
    "head": b"HTTP/1.1 200 OK\r\nX-Long: ",
}


@pytest.fixture(params=list(_HEADS))
def dripping(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address; a byte comes every fiftieth of a second."""
    stopped, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def answer(peer: socket.socket) -> None:
        with peer:
            peer.recv(65536)
            try:
                peer.sendall(_HEADS[request.param])
                while not stopped.wait(0.02):
                    peer.sendall(b"x")
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/log"
    stopped.set()
    listener.close()


def test_an_answer_that_drips_is_left_in_time(dripping: str) -> None:
    source = Http(dripping, timeout_s=0.2)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no whole answer"):
        source.read("checkpoint", 1 << 20)
    source.close()
    assert 0.2 < time.monotonic() - began < 0.2 * WHOLE * 4
