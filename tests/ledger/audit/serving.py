"""A directory over real HTTP, with ways to misbehave."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Served:
    """`broken`: how many times in a row the answer to a path breaks off; `asked`: what was asked for, in order."""

    folder: Path
    url: str = ""
    packed: bool = False
    chunked: bool = False
    broken: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    endless: set[str] = field(default_factory=set)
    encodings: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connections: int = 0


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    served = Served(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            served.connections += 1

        def do_GET(self) -> None:
            path = self.path.removeprefix("/log/")
            served.asked.append(path)
            if path in served.status:
                self.send_response(served.status[path])
                self.send_header("Location", "/log/checkpoint")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            file = served.folder / path
            data = served.bodies.get(path, file.read_bytes() if file.is_file() else None)
            if path in served.endless:
                self._endless()
            elif data is None:
                self.send_error(404)
            else:
                self._answer(path, data)

        def _answer(self, path: str, data: bytes) -> None:
            self.send_response(200)
            if served.packed:
                data = gzip.compress(data)
                self.send_header("Content-Encoding", "gzip")
            elif path in served.encodings:
                self.send_header("Content-Encoding", served.encodings[path])
            if served.chunked:
                self._in_chunks(path, data)
                return
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if served.broken.get(path, 0) > 0:
                served.broken[path] -= 1
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            self.wfile.write(data)

        def _in_chunks(self, path: str, data: bytes) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(data), 5000):
                part = data[at : at + 5000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            if served.broken.get(path, 0) > 0:
                served.broken[path] -= 1
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")

        def _endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b"\0" * 65536)
            except OSError:
                pass

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/log"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
