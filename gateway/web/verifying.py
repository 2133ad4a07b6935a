"""`/credentials/kit` and `/verify`: what is needed to check a credential with no network, and a page that does it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib import resources

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from credentials.errors import KeysUnavailable
from gateway.web.cors import from_anywhere
from gateway.web.html import HTML
from gateway.web.problems import Refusal, Reply
from gateway.web.status_lists import query_of

KIT = "/credentials/kit"
PAGE = "/verify"
_JWT = b"application/jwt"
_PARTS = (
    *(("wallet", name) for name in ("base.js", "jose.js", "x509.js", "status.js", "types.js")),
    *(("verify", name) for name in ("strict.js", "chain.js", "check.js", "page.js")),
)
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; media-src blob: mediastream:; "
    "base-uri 'none'; form-action 'none'"
)
_ONLY_HERE = b"; frame-ancestors 'none'"  # a meta element may not say it


def verifying_routes(kit: Callable[[], Awaitable[str]], fresh_s: int) -> Sequence[BaseRoute]:
    return [
        Route(KIT, from_anywhere(KitFile(kit, fresh_s)), name="offline kit"),
        Route(PAGE, VerifierPage(kit), methods=["GET"], name="offline verifier"),
    ]


class KitFile:
    """The kit as a file, for everybody: nothing in it is about a person."""

    def __init__(self, kit: Callable[[], Awaitable[str]], fresh_s: int) -> None:
        self._kit, self._fresh = kit, b"public, max-age=%d" % fresh_s
        self._packed: tuple[bytes, bytes] = b"", b""  # tag and bytes of the last one: packed once, however many ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal("METHOD_NOT_ALLOWED", [(b"allow", b"GET, HEAD, OPTIONS")])
        body = (await _made(self._kit)).encode()
        given = dict(scope["headers"])
        packed = b"gzip" in given.get(b"accept-encoding", b"")
        tag = b'"%b%b"' % (hashlib.sha256(body).hexdigest()[:32].encode(), b"-gz" if packed else b"")
        headers = [
            (b"etag", tag), (b"cache-control", self._fresh), (b"vary", b"accept-encoding"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-disposition", b'attachment; filename="yimen-kit.jwt"'),
        ]  # fmt: skip
        if given.get(b"if-none-match") == tag:
            await Reply(304, b"", _JWT, headers)(scope, receive, send)
            return
        if packed:
            if self._packed[0] != tag:
                self._packed = tag, await asyncio.to_thread(gzip.compress, body, 6)
            body = self._packed[1]
            headers.append((b"content-encoding", b"gzip"))
        await Reply(200, body, _JWT, headers)(scope, receive, send)


class VerifierPage:
    """One file: served it opens a kit from a file; with `?kit=with` it is a download that carries today's kit."""

    def __init__(self, kit: Callable[[], Awaitable[str]]) -> None:
        self._kit = kit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        carried = query_of(scope).get("kit") == ["with"]
        body, policy = verifier_page(await _made(self._kit) if carried else "")
        headers = [
            (b"content-security-policy", policy + _ONLY_HERE),
            (b"cache-control", b"no-store" if carried else b"no-cache"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
        ]
        if carried:
            headers.append((b"content-disposition", b'attachment; filename="yimen-verify.html"'))
        await Reply(200, body, HTML, headers)(scope, receive, send)


def verifier_page(kit: str) -> tuple[bytes, bytes]:
    """The page with a kit in it (or none, ""), and the policy that lets its own script and style run and nothing else."""
    template, style, script, words, policy = _parts()
    # A kit is a compact JWS: no character of its alphabet could end the element it stands in.
    filled = {"policy": policy, "style": style, "kit": kit, "words": words, "script": script}
    page = template
    for name, text in filled.items():
        page = page.replace("{{" + name + "}}", text, 1)
    return page.encode(), policy.encode()


@cache
def _parts() -> tuple[str, str, str, str, str]:
    static = resources.files("gateway.web").joinpath("static")
    template, style, words = (
        static.joinpath("verify", name).read_text("utf-8") for name in ("page.html", "style.css", "words.json")
    )
    script = "\n".join(static.joinpath(folder, name).read_text("utf-8") for folder, name in _PARTS)
    policy = _POLICY.format(script=_hash(script), style=_hash(style))
    return template, style, script, words, policy


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


async def _made(kit: Callable[[], Awaitable[str]]) -> str:
    try:
        return await kit()
    except KeysUnavailable:
        raise Refusal("NOT_READY") from None
