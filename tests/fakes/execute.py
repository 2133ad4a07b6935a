"""An `Execute` on a toy schema, for the web floor: real GraphQL, no policy, and faults on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    execute,
    get_operation_ast,
    parse,
    subscribe,
    validate,
)

from gateway.caller import Caller, Presented
from gateway.errors import EvidenceUnavailable, RequestRefused, Unauthenticated
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from tests.fakes.settled import Settled

TOKEN = "officer-Tok3n-of-the-tests-0123456789ABC"
SCHEMA = build_schema(
    """
    type Query { hello(idNo: String, name: String): String  big(bytes: Int!): String  fail: String! }
    type Mutation { note(text: String): Boolean }
    type Subscription { count(to: Int!): Int  forever: Int  flood(bytes: Int!): String }
    """
)


class FakeAuthenticator(Settled):
    """One officer; the token may be made short-lived."""

    def __init__(self) -> None:
        self.expires_at = datetime.now(UTC) + timedelta(hours=1)
        self.asked = 0

    async def __call__(self, presented: Presented) -> Caller:
        authorization = presented.authorization
        self.asked += 1
        if authorization == "Bearer raise":
            raise RuntimeError("44060419900307123X 张三")
        if authorization != f"Bearer {TOKEN}":
            raise Unauthenticated(str(authorization))
        return Caller("u1", "o1", "JUSTICE_OFFICE", frozenset(), "t1", self.expires_at)

    async def still(self, caller: Caller) -> bool:
        return caller.expires_at > datetime.now(UTC)


class FakeExecute:
    """Answers from `SCHEMA`. An operation's name may ask for a fault; `held` keeps "Held" waiting."""

    def __init__(self) -> None:
        self.requests: list[GraphQLRequest] = []
        self.held = asyncio.Event()
        self.running = 0
        self.closed = 0  # subscriptions that were ended properly
        self.produced = 0

    async def __call__(self, caller: Caller, request: GraphQLRequest) -> GraphQLAnswer:
        self.requests.append(request)
        self.running += 1
        try:
            await self._fault(request)
            prepared = _prepare(request)
            if isinstance(prepared, GraphQLAnswer):
                return prepared
            if prepared.operation.value == "subscription":
                return _refused("SUBSCRIPTION_NEEDS_STREAM")
            if request.operation_name == "Slip":  # one field failed, the rest is answered
                return GraphQLAnswer(True, {"hello": None}, ({"message": "", "extensions": {"code": "INTERNAL"}},))
            return _answer(self._execute(request))
        finally:
            self.running -= 1

    async def subscribe(self, caller: Caller, request: GraphQLRequest) -> AsyncIterator[GraphQLAnswer]:
        self.requests.append(request)
        await self._fault(request)
        prepared = _prepare(request)
        if isinstance(prepared, GraphQLAnswer):
            yield prepared
            return
        if prepared.operation.value != "subscription":
            yield _answer(self._execute(request))
            return
        source = subscribe(
            SCHEMA, parse(request.query or ""), self, variable_values=dict(request.variables),
            subscribe_field_resolver=_source,
        )  # fmt: skip
        if isawaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            yield _answer(source)
            return
        try:
            async for result in source:
                self.produced += 1
                yield _answer(result)
        finally:
            self.closed += 1

    def _execute(self, request: GraphQLRequest) -> ExecutionResult:
        result = execute(
            SCHEMA, parse(request.query or ""), _Root(), variable_values=dict(request.variables),
            operation_name=request.operation_name,
        )  # fmt: skip
        assert isinstance(result, ExecutionResult)
        return result

    async def _fault(self, request: GraphQLRequest) -> None:
        match request.operation_name:
            case "Boom":
                raise ValueError(f"failed for {dict(request.variables)!r}")
            case "NoEvidence":
                raise EvidenceUnavailable("disk")
            case "Denied":
                raise RequestRefused("FORBIDDEN", str(request.variables))
            case "Held":
                await self.held.wait()


class _Root:
    def hello(self, info: Any, idNo: str | None = None, name: str | None = None) -> str:
        return "你好"

    def big(self, info: Any, bytes: int) -> str:
        return "x" * bytes

    def fail(self, info: Any) -> str:
        raise GraphQLError("failed", extensions={"code": "SOURCE"})

    def note(self, info: Any, text: str | None = None) -> bool:
        return True


def _source(root: Any, info: Any, **arguments: Any) -> AsyncIterator[Any]:
    async def values() -> AsyncIterator[Any]:
        if info.field_name == "count":
            for number in range(arguments["to"]):
                yield {"count": number}
        elif info.field_name == "flood":
            while True:
                yield {"flood": "x" * arguments["bytes"]}
        else:
            yield {"forever": 0}
            await asyncio.Event().wait()

    return values()


def _prepare(request: GraphQLRequest) -> OperationDefinitionNode | GraphQLAnswer:
    if request.query is None:
        return _refused("PERSISTED_QUERY_NOT_FOUND")
    try:
        document = parse(request.query)
    except GraphQLError as error:
        return _refused("GRAPHQL_PARSE_FAILED", error)
    if errors := validate(SCHEMA, document):
        return _refused("GRAPHQL_VALIDATION_FAILED", *errors)
    operation = get_operation_ast(document, request.operation_name)
    if operation is None:
        return _refused("BAD_USER_INPUT")
    if request.method == "GET":
        if operation.operation.value == "mutation":
            return _refused("MUTATION_IN_GET")
        if {"idNo", "name"} & request.variables.keys() and "personal" in request.variables:
            return _refused("PERSONAL_VARIABLES_IN_GET")
    return operation


def _refused(code: str, *errors: GraphQLError) -> GraphQLAnswer:
    formatted: list[Mapping[str, Any]] = [
        {"message": error.message, "extensions": {"code": code}} for error in errors
    ] or [{"message": code, "extensions": {"code": code}}]
    return GraphQLAnswer(executed=False, errors=tuple(formatted))


def _answer(result: ExecutionResult) -> GraphQLAnswer:
    errors = tuple({**error.formatted} for error in result.errors or ())
    # graphql-core reports variables it cannot use as an execution without data and without a path
    if result.data is None and errors and all("path" not in error for error in errors):
        return GraphQLAnswer(
            executed=False, errors=tuple({**e, "extensions": {"code": "BAD_USER_INPUT"}} for e in errors)
        )
    return GraphQLAnswer(executed=True, data=result.data, errors=errors)
