"""The endpoints of the authorization server. Each reads a shape, asks one thing, and says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.oauth.incoming import Incoming
from gateway.oauth.server import Answer
from gateway.web.forms import FormInvalid, read_form
from gateway.web.network import network_of
from gateway.web.oauth_problems import JSON, answer, problem, problem_of
from gateway.web.problems import Refusal, Reply
from gateway.web.token_door import single

_FORM_BYTES = 65_536


class FormEndpoint:
    """`/oauth/token`, `/oauth/par`, `/oauth/introspect`, `/oauth/revoke`: a form in, JSON out."""

    def __init__(
        self, path: str, ask: Callable[[Incoming], Awaitable[Answer]], trusted_proxies: Sequence[str] = ()
    ) -> None:
        self._path, self._ask, self._proxies = path, ask, trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(scope, receive))(scope, receive, send)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        if scope["method"] != "POST":
            return wrong_method("POST")
        headers = single(scope)
        try:
            form = await read_form(receive, headers, limit=_FORM_BYTES)
            # `path` is ours, not the request's: behind a proxy the two need not be the same.
            network = network_of(scope, self._proxies)
            said = await self._ask(Incoming(self._path, form, headers, network=network))
        except (GatewayError, FormInvalid) as caught:
            return problem_of(caught)
        return answer(said.status, said.body, said.nonce)


class Document:
    """A public document, read by programs on any site: metadata and keys."""

    def __init__(self, read: Callable[[], Awaitable[Mapping[str, Any]]], seconds: int, path: str | None = None) -> None:
        """`path`: what must stand behind the well-known part, where something does (RFC 8414, section 3.1)."""
        self._read, self._path = read, path
        self._headers = (
            (b"cache-control", b"public, max-age=%d" % seconds),
            (b"access-control-allow-origin", b"*"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(scope))(scope, receive, send)

    async def _reply(self, scope: Scope) -> Reply:
        if scope["method"] not in ("GET", "HEAD"):
            return wrong_method("GET, HEAD")
        if "issuer_path" in scope.get("path_params", {}) and scope["path_params"]["issuer_path"] != self._path:
            raise Refusal("NOT_FOUND")
        try:
            found = answer(200, await self._read())
        except GatewayError as caught:
            return problem_of(caught)
        body = b"" if scope["method"] == "HEAD" else found.body
        return Reply(200, body, JSON, self._headers)


def wrong_method(allowed: str) -> Reply:
    return problem("invalid_request", "METHOD_NOT_ALLOWED", 405, [(b"allow", allowed.encode())])
