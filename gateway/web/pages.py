"""The query page: GraphiQL from our own files. It holds no data and asks no other host for anything."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib import resources

from starlette.types import Receive, Scope, Send

from gateway.web.problems import Refusal, Reply

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "app.js": b"text/javascript; charset=utf-8",
    "app.css": b"text/css; charset=utf-8",
    "LICENSES.txt": b"text/plain; charset=utf-8",
}


def query_page() -> Reply:
    """The page `/graphql` shows to a browser."""
    return Reply(200, _read("index.html"), b"text/html; charset=utf-8", ((b"content-security-policy", _POLICY),))


class QueryPageFiles:
    """`/graphiql/{file}`: the three files there are, kept in memory, packed once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["file"]
        kind = _FILES.get(name)
        if kind is None:
            raise Refusal("NOT_FOUND")
        headers = dict(scope["headers"])
        packed = b"gzip" in headers.get(b"accept-encoding", b"")
        tag, body = _packed(name) if packed else _plain(name)
        extra = [(b"etag", tag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding")]
        if headers.get(b"if-none-match") == tag:
            await Reply(304, b"", kind, extra)(scope, receive, send)
            return
        if packed:
            extra.append((b"content-encoding", b"gzip"))
        await Reply(200, body, kind, extra)(scope, receive, send)


def _read(name: str) -> bytes:
    return resources.files("gateway.web").joinpath("static", "graphiql", name).read_bytes()


@cache
def _plain(name: str) -> tuple[bytes, bytes]:
    body = _read(name)
    return b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode(), body


@cache
def _packed(name: str) -> tuple[bytes, bytes]:
    tag, body = _plain(name)
    return tag[:-1] + b'-gz"', gzip.compress(body, 6, mtime=0)
