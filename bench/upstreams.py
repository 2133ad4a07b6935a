"""`python -m bench.upstreams --port N`: three departments in one cheap process, so that they cost the contenders nothing.

- `POST /<department>/batch` with `{"keys": [{"idNo": ...}, ...]}`: `{"code": "0", "list": [record, ...]}`
- `POST /<department>/grouped` with `{"keys": [id, ...]}`: `[{"idNo": ..., "records": [...]}, ...]` in the order asked
- `GET /<department>/one?idNo=...`: as batch, for one person
- `PUT /latency` with a number of milliseconds: every later answer waits so long; `GET /counts`: requests so far
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from typing import cast
from urllib.parse import parse_qs, urlsplit

import httptools
import orjson
import uvloop

from bench.people import rows

_ROWS = rows()
_LONGEST_BODY = 1 << 20


class Shared:
    """What all connections have in common."""

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.counts: Counter[str] = Counter()


class Connection(asyncio.Protocol):
    """One keep-alive connection; no pipelining, as no HTTP client does it."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def on_message_begin(self) -> None:
        self._url, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > _LONGEST_BODY:
            self._close()

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("ascii")
        status, body = answer(self._shared, method, self._url.decode("latin-1"), self._body)
        head = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
        if self._shared.latency_s > 0:
            asyncio.get_running_loop().call_later(self._shared.latency_s, self._write, head + body)
        else:
            self._write(head + body)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def answer(shared: Shared, method: str, target: str, body: bytes) -> tuple[int, bytes]:
    """Status and JSON of one request."""
    url = urlsplit(target)
    if url.path == "/counts":
        return 200, orjson.dumps(shared.counts)
    if url.path == "/latency" and method == "PUT":
        shared.latency_s = min(max(float(body) / 1000, 0.0), 10.0)
        return 200, b"{}"
    _, department, what = [*url.path.split("/"), "", ""][:3]
    known = _ROWS.get(department)
    if known is None or what not in ("batch", "grouped", "one"):
        return 404, b"{}"
    shared.counts[url.path] += 1
    try:
        keys = parse_qs(url.query)["idNo"] if what == "one" else orjson.loads(body)["keys"]
        asked = [key if isinstance(key, str) else key["idNo"] for key in keys]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return 400, b"{}"
    if what == "grouped":
        return 200, orjson.dumps([{"idNo": key, "records": [known[key]] if key in known else []} for key in asked])
    return 200, orjson.dumps({"code": "0", "list": [known[key] for key in asked if key in known]})


async def serve(port: int) -> None:
    shared = Shared()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(shared), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    from demo.processes import die_with_parent

    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
