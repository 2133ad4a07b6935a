"""Dynamic registration over HTTP (RFC 7591) and its management (RFC 7592): JSON in, JSON out, a bearer token each time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.oauth.errors import OAuthError
from gateway.services.register_client import RegisterClient
from gateway.web.body import read_json
from gateway.web.oauth import wrong_method
from gateway.web.oauth_problems import NO_STORE, answer, problem, problem_of
from gateway.web.problems import Refusal, Reply
from gateway.web.token_door import single

_BEARER = re.compile(rb"bearer +([A-Za-z0-9_-]{20,128})", re.IGNORECASE)
_BYTES, _DEPTH = 65_536, 8


class Register:
    """`POST /oauth/register`."""

    def __init__(self, clients: RegisterClient) -> None:
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(scope, receive))(scope, receive, send)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        if scope["method"] != "POST":
            return wrong_method("POST")
        headers = single(scope)
        try:
            return answer(201, await self._clients.register(_token(headers), await _metadata(receive, headers)))
        except GatewayError as caught:
            return _problem(caught)


class Registration:
    """`GET | PUT | DELETE /oauth/register/{client_id}`."""

    def __init__(self, clients: RegisterClient) -> None:
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(scope, receive))(scope, receive, send)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        client_id, headers = scope["path_params"]["client_id"], single(scope)
        token = _token(headers)
        try:
            if scope["method"] == "GET":
                return answer(200, await self._clients.read(client_id, token))
            if scope["method"] == "PUT":
                return answer(200, await self._clients.change(client_id, token, await _metadata(receive, headers)))
            if scope["method"] == "DELETE":
                await self._clients.delete(client_id, token)
                return Reply(204, b"", b"application/json", NO_STORE)
        except GatewayError as caught:
            return _problem(caught)
        return wrong_method("GET, PUT, DELETE")


def _token(headers: Mapping[bytes, bytes]) -> str | None:
    match = _BEARER.fullmatch(headers.get(b"authorization", b""))
    return None if match is None else match[1].decode()


async def _metadata(receive: Receive, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Raises OAuthError invalid_client_metadata for what is no JSON object, and what `read_json` raises."""
    value = await read_json(receive, headers, limit=_BYTES, depth=_DEPTH)
    if not isinstance(value, dict):
        raise OAuthError("invalid_client_metadata", "registration_json")
    return value


def _problem(caught: GatewayError) -> Reply:
    """What `strict_json` refuses is a fault of the metadata, in RFC 7591's words."""
    if isinstance(caught, Refusal) and caught.code in (
        "INVALID_UTF8", "INVALID_JSON", "JSON_TOO_DEEP", "DUPLICATE_KEY",
    ):  # fmt: skip
        return problem("invalid_client_metadata", caught.code)
    return problem_of(caught)
