"""An answer as JSON bytes."""

from __future__ import annotations

import orjson

from gateway.services.run_query import GraphQLAnswer
from gateway.web.problems import worded


def encode(answer: GraphQLAnswer, request_id: str) -> bytes:
    """The response of `answer`; `data` stands in it exactly where the operation was executed."""
    if answer.body is not None:
        return answer.body
    response: dict[str, object] = {}
    if answer.errors:
        response["errors"] = worded(answer.errors, request_id)
    if answer.executed:
        response["data"] = answer.data
    if answer.extensions:
        response["extensions"] = answer.extensions
    return orjson.dumps(response, option=orjson.OPT_NON_STR_KEYS)


def refusal_code(answer: GraphQLAnswer) -> str:
    """The first code among the errors, or ''."""
    for error in answer.errors:
        code = (error.get("extensions") or {}).get("code")
        if isinstance(code, str):
            return code
    return ""
