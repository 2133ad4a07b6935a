"""From errors to what the wire says: a status, a stable code and a text in two languages. Nothing else does this."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError, Unauthenticated

JSON = b"application/json; charset=utf-8"
GRAPHQL = b"application/graphql-response+json; charset=utf-8"

_STATUS: Mapping[str, int] = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "ORIGIN_NOT_ALLOWED": 403,
    "FORM_NOT_OURS": 403,
    "PREFLIGHT_REQUIRED": 403,
    "PURPOSE_UNKNOWN": 403,
    "PURPOSE_NOT_YOURS": 403,
    "CASE_REQUIRED": 403,
    "NO_GROUND": 403,
    "CREDENTIAL_NO_BODY": 403,
    "CREDENTIAL_NOT_OFFERED": 403,
    "OFFICERS_ONLY": 403,
    "CLIENT_SUSPENDED": 403,
    "LEVEL_TOO_LOW": 403,
    "INTROSPECTION_OFF": 403,
    "TRUSTED_DOCUMENTS_ONLY": 403,
    "CONSENT_NOT_YOURS_TO_ASK": 403,
    "INSUFFICIENT_SCOPE": 403,
    "PRESENTATION_CODE": 403,
    "PRESENTATION_NOT_YOURS_TO_ASK": 403,
    "PRESENTATION_TEMPLATE": 403,
    "LINK_DEAD": 404,
    "ALERT_UNKNOWN": 404,
    "GRANT_UNKNOWN": 404,
    "NOT_FOUND": 404,
    "RECEIPT_UNKNOWN": 404,
    "METHOD_NOT_ALLOWED": 405,
    "MUTATION_IN_GET": 405,
    "ASKED_IN_A_CIRCLE": 508,
    "PERSONAL_VARIABLES_IN_GET": 405,
    "NOT_ACCEPTABLE": 406,
    "SUBSCRIPTION_NEEDS_STREAM": 406,
    "BODY_TIMEOUT": 408,
    "HEADERS_TIMEOUT": 408,
    "CONSENT_CHANGED": 409,
    "CONSENT_CLOSED": 409,
    "CONSENT_REFERENCE_TAKEN": 409,
    "DISPUTE_MANY": 409,
    "DISPUTE_OFTEN": 429,
    "DISPUTE_OPEN": 409,
    "LEDGER_NOT_INCLUDED": 409,
    "LEDGER_LOST": 410,
    "BODY_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "HOST_NOT_ALLOWED": 421,
    "IDENTITIES_FAULTY": 422,
    "BUDGET_SPENT": 429,
    "PLANNING_LIMITED": 429,
    "RATE_LIMITED": 429,
    "HEADERS_TOO_LARGE": 431,
    "INTERNAL": 500,
    "CIPHERTEXT_INVALID": 500,
    "DRAINING": 503,
    "EVIDENCE_UNAVAILABLE": 503,
    "LEDGER_UNWITNESSED": 503,
    "LEDGER_HALTED": 503,
    "NOT_READY": 503,
    "OVERLOADED": 503,
    "POLICY_UNAVAILABLE": 503,
    "STORE_UNAVAILABLE": 503,
    "TIME_LIMIT": 504,
}
# What every answer of ours says, whatever it answers; the last two only where it says nothing else about them.
ALWAYS_SENT = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
)
# Refusals of the request itself, whatever type the client accepts: a cache or a proxy must see them.
ALWAYS = frozenset({"MUTATION_IN_GET", "PERSONAL_VARIABLES_IN_GET", "SUBSCRIPTION_NEEDS_STREAM"})

Headers = Sequence[tuple[bytes, bytes]]


class Refusal(GatewayError):
    """The web floor's own no: the request is refused before anything is asked. `headers` go with the answer."""

    def __init__(self, code: str, headers: Headers = ()) -> None:
        super().__init__(code)
        self.code = code
        self.headers = headers


class Reply:
    """A whole answer, ready to be sent; an ASGI application like any other."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes, content_type: bytes, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        self.status, self.body = status, body
        self.headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = getattr(send, "whole", None)  # of `sent`, where nothing stands in between
        if whole is None or not whole(self.status, self.headers, self.body):
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.body})


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """The texts by code: `zh` and `en`."""
    return tomllib.loads(resources.files("gateway.web").joinpath("messages.toml").read_text("utf-8"))


def text(code: str) -> str:
    """What people read for `code`, Chinese first; FORBIDDEN's text where the code has none of its own."""
    entry = catalogue().get(code) or catalogue()["FORBIDDEN"]
    return f"{entry['zh']} {entry['en']}"


def status_of(code: str) -> int:
    """The status of a refusal: 400 for whatever has none of its own."""
    return _STATUS.get(code, 400)


def error(code: str, request_id: str = "") -> dict[str, Any]:
    """One error as it leaves. `request_id` is ours, never what a client sent; only INTERNAL asks people to quote it."""
    extensions = {"code": code, "requestId": request_id} if request_id and code == "INTERNAL" else {"code": code}
    return {"message": text(code), "extensions": extensions}


@cache
def _body(code: str) -> bytes:
    return orjson.dumps({"errors": [error(code)]})


def body(code: str, request_id: str = "") -> bytes:
    """The whole JSON answer of a refusal."""
    if request_id and code == "INTERNAL":
        return orjson.dumps({"errors": [error(code, request_id)]})
    # Only our own codes are remembered: another module may make codes up, and memory must stay bounded.
    return _body(code) if code in catalogue() else orjson.dumps({"errors": [error(code)]})


def problem(code: str, content_type: bytes = JSON, headers: Headers = (), *, request_id: str = "") -> Reply:
    """The answer of a refusal, with what its status owes by HTTP."""
    extra = list(headers)
    if code == "UNAUTHENTICATED" and not any(name == b"www-authenticate" for name, _ in extra):
        extra.append((b"www-authenticate", b'DPoP realm="yimen"'))
    if code in ("MUTATION_IN_GET", "PERSONAL_VARIABLES_IN_GET"):
        extra.append((b"allow", b"POST"))
    return Reply(status_of(code), body(code, request_id), content_type, extra)


def problem_of(caught: BaseException, request_id: str) -> Reply:
    """The answer for any error; what is not ours is INTERNAL and says nothing of itself but the request's id."""
    if isinstance(caught, Refusal):
        return problem(caught.code, headers=caught.headers)
    return problem(code_of(caught), request_id=request_id)


def code_of(caught: BaseException) -> str:
    if isinstance(caught, Unauthenticated):
        return "UNAUTHENTICATED"
    return caught.code if isinstance(caught, GatewayError) else "INTERNAL"


def worded(errors: Iterable[Mapping[str, Any]], request_id: str) -> list[Mapping[str, Any]]:
    """Errors of an answer, the ones that bring only a code given their text, and INTERNAL ones the request's id."""
    said = []
    for one in errors:
        code = (one.get("extensions") or {}).get("code")
        if isinstance(code, str) and one.get("message") in (None, "", code):
            one = {**one, "message": text(code)}
        if code == "INTERNAL" and request_id:
            one = {**one, "extensions": {**one["extensions"], "requestId": request_id}}
        said.append(one)
    return said
