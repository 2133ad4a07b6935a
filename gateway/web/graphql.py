"""GraphQL over HTTP: `/graphql` for POST and GET (https://graphql.github.io/graphql-over-http/draft/)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from gateway.caller import Authenticator, Caller
from gateway.errors import NotAdmitted, Unauthenticated
from gateway.services.execute import Execute, GraphQLAnswer, GraphQLRequest
from gateway.web.asked_onward import by_gateway
from gateway.web.body import ClientGone, check_content_type, read_body
from gateway.web.challenge import refusal
from gateway.web.encoding import THROTTLED, encode, refusal_code, retry_after
from gateway.web.graphql_request import check_preflight, from_body, from_url
from gateway.web.negotiation import EVENTS, GRAPHQL, HTML, JSON, negotiate
from gateway.web.problems import ALWAYS, Headers, Refusal, Reply, problem, status_of
from gateway.web.problems import GRAPHQL as GRAPHQL_TYPE
from gateway.web.problems import JSON as JSON_TYPE
from gateway.web.settings import WebSettings
from gateway.web.sse import EventStream
from gateway.web.token_door import next_nonce, presented, single

PATH = "/graphql"
_ALLOW = (b"allow", b"GET, POST, OPTIONS")
_VARY = (b"vary", b"accept")
_POST = (JSON, GRAPHQL, EVENTS)
_GET = (JSON, GRAPHQL)
_GET_PAGE = (JSON, GRAPHQL, HTML)


class GraphQLEndpoint:
    """Who asks is settled by the headers, before a byte of the body is read."""

    def __init__(
        self,
        execute: Execute,
        authenticate: Authenticator,
        settings: WebSettings,
        stream: EventStream,
        page: Reply | None = None,
    ) -> None:
        self._execute, self._authenticate, self._settings = execute, authenticate, settings
        self._stream, self._page = stream, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except Refusal as refused:
            if refused.code not in ("UNAUTHENTICATED", "FORBIDDEN"):
                raise
            # Answered here, inside the CORS layer: a page elsewhere must be able to read the challenge and the nonce.
            await problem(refused.code, headers=refused.headers)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "POST":
            await self._post(scope, receive, send)
        elif method == "GET":
            await self._get(scope, receive, send)
        elif method == "OPTIONS":
            await Reply(204, b"", JSON_TYPE, (_ALLOW,))(scope, receive, send)
        else:
            raise Refusal("METHOD_NOT_ALLOWED", (_ALLOW,))

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = single(scope)
        caller = await self._caller("POST", headers)
        settings = self._settings
        try:
            wanted = _negotiated(headers, _POST)
            check_content_type(headers)
            raw = await read_body(receive, headers, limit=settings.body_bytes, seconds=settings.body_s)
            request = by_gateway(traced(from_body(raw, depth=settings.json_depth), headers), headers)
        except (Refusal, ClientGone):
            await self._settled(caller)
            raise
        if wanted == EVENTS:
            await self._stream(scope, receive, send, await self._settled(caller), request)
            return
        answer = await self._executed(caller, request)
        await reply_to(answer, wanted, scope["yimen.request_id"], next_nonce(caller))(scope, receive, send)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = single(scope)
        offered = _GET_PAGE if self._page is not None else _GET
        if self._page is not None and _accepted(headers, offered) == HTML:
            await self._page(scope, receive, send)  # a page without data: anybody may have it
            return
        caller = await self._caller("GET", headers)
        try:
            wanted = _negotiated(headers, _GET)
            check_preflight(headers)
            request = traced(from_url(scope["query_string"], depth=self._settings.json_depth), headers)
        except Refusal:
            await self._settled(caller)
            raise
        answer = await self._executed(caller, request)
        await reply_to(answer, wanted, scope["yimen.request_id"], next_nonce(caller))(scope, receive, send)

    async def _caller(self, method: str, headers: Mapping[bytes, bytes]) -> Caller:
        """The caller, whose proof may still have to be spent: with the record of the answer, or by `_settled`."""
        shown = presented(method, PATH, headers, self._settings.client_certificate_header)
        try:
            return await self._authenticate.unspent(shown)
        except Unauthenticated as error:
            raise refusal(error, self._settings.base_url) from None

    async def _settled(self, caller: Caller) -> Caller:
        """Before anything else is said: a proof is good once, and who was revoked hears that and nothing of the request."""
        try:
            return await self._authenticate.settle(caller)
        except Unauthenticated as error:
            raise refusal(error, self._settings.base_url) from None

    async def _executed(self, caller: Caller, request: GraphQLRequest) -> GraphQLAnswer:
        try:
            return await self._execute(caller, request)
        except NotAdmitted as error:
            away = await self._authenticate.turned_away(caller, error)
            raise refusal(away, self._settings.base_url) from None


def traced(request: GraphQLRequest, headers: Mapping[bytes, bytes]) -> GraphQLRequest:
    """The request with the trace its caller is in, as the caller wrote it."""
    given = headers.get(b"traceparent")
    return request if given is None else replace(request, traceparent=given.decode("latin-1"))


def _accepted(headers: Mapping[bytes, bytes], offered: tuple[str, ...]) -> str | None:
    accept = headers.get(b"accept")
    return negotiate(accept.decode("latin-1") if accept is not None else None, offered)


def _negotiated(headers: Mapping[bytes, bytes], offered: tuple[str, ...]) -> str:
    wanted = _accepted(headers, offered)
    if wanted is None:
        raise Refusal("NOT_ACCEPTABLE", (_VARY,))
    return wanted


def reply_to(answer: GraphQLAnswer, wanted: str, request_id: str, extra: Headers = ()) -> Reply:
    """The answer as `wanted` has it: under application/json a refused question is 200, under the newer type 400."""
    content_type = GRAPHQL_TYPE if wanted == GRAPHQL else JSON_TYPE
    headers = [_VARY, *extra]
    status = 200
    if not answer.executed:
        code = refusal_code(answer)
        if code in THROTTLED:  # whatever type was asked for: a client's own back-off looks at these two
            headers += retry_after(answer)
            return Reply(status_of(code), encode(answer, request_id), content_type, headers)
        if code in ALWAYS:
            return problem(code, content_type, headers)
        if wanted == GRAPHQL:
            status = status_of(code)
    return Reply(status, encode(answer, request_id), content_type, headers)
