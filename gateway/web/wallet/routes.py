"""`/wallet`, `/wallet/{file}` and the service worker. Nothing here looks at a query: what a link carries is the page's matter.

So whoever opens a link, a scanner of messages too, is sent the same bytes and spends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.web.problems import Refusal, Reply
from gateway.web.wallet.files import PAGE, WORKER, wallet_files

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a card or an asker says can neither run here nor call anybody: the wallet speaks to its own gateway alone."""
_WORKER_POLICY = b"default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
"""A worker is held to what comes with its own file: it fetches the files it keeps."""
_LETS = b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"


class WalletPage:
    """`GET /wallet`, with or without an offer or a request in its query."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-security-policy", POLICY),
            (b"permissions-policy", _LETS),
            (b"x-frame-options", b"DENY"),
        ]
        await _send(PAGE, headers, scope, receive, send)


class WalletFiles:
    """`GET /wallet/{file}`: from the wheel, held in memory. The worker may stand over `/wallet`, which is above its folder."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["file"]
        if name == PAGE or name not in wallet_files():
            raise Refusal("NOT_FOUND")
        headers = []
        if name == WORKER:
            headers = [(b"service-worker-allowed", b"../wallet"), (b"content-security-policy", _WORKER_POLICY)]
        await _send(name, headers, scope, receive, send)


def wallet_routes() -> Sequence[BaseRoute]:
    return [
        Route("/wallet", WalletPage(), methods=["GET"], name="wallet"),
        Route("/wallet/{file}", WalletFiles(), methods=["GET"], name="wallet files"),
    ]


async def _send(name: str, headers: Sequence[tuple[bytes, bytes]], scope: Scope, receive: Receive, send: Send) -> None:
    file = wallet_files()[name]
    asked = dict(scope["headers"])
    packed = file.packed if b"gzip" in asked.get(b"accept-encoding", b"") else None
    tag = file.tag if packed is None else file.tag[:-1] + b'-gz"'
    extra = [(b"etag", tag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding"), *headers]
    if asked.get(b"if-none-match") == tag:
        await Reply(304, b"", file.kind, extra)(scope, receive, send)
        return
    if packed is not None:
        extra.append((b"content-encoding", b"gzip"))
    await Reply(200, file.body if packed is None else packed, file.kind, extra)(scope, receive, send)
