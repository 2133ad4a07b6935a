"""An answer as JSON bytes."""

from __future__ import annotations

import orjson

from gateway.services.execute import GraphQLAnswer
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


THROTTLED = frozenset({"RATE_LIMITED", "BUDGET_SPENT", "PLANNING_LIMITED"})


def retry_after(answer: GraphQLAnswer) -> list[tuple[bytes, bytes]]:
    """The header of RFC 9110 10.2.3, where the answer says when to come back."""
    seconds = [(error.get("extensions") or {}).get("retryAfter") for error in answer.errors]
    return [(b"retry-after", b"%d" % one) for one in seconds[:1] if isinstance(one, int)]
