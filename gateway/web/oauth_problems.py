"""OAuth's refusals as OAuth says them: one JSON form for every endpoint of the authorization server.

Source: RFC 6749, section 5.2; RFC 6750, section 3.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.errors import GatewayError
from gateway.oauth.errors import OAuthError
from gateway.web.challenge import NONCE
from gateway.web.forms import FormInvalid
from gateway.web.problems import Headers, Refusal, Reply, catalogue, status_of

JSON = b"application/json"
NO_STORE: Headers = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
_FORM = {"type": ("form_type", 415), "utf8": ("form_utf8", 400), "duplicate": ("form_duplicate", 400),
         "size": ("BODY_TOO_LARGE", 413), "count": ("form_count", 400)}  # fmt: skip
_RETRY_S = b"2"


def answer(status: int, body: Any, nonce: str | None = None, headers: Headers = ()) -> Reply:
    """What went well, never to be cached."""
    return Reply(status, orjson.dumps(body), JSON, [*NO_STORE, *_nonce(nonce), *headers])


def problem_of(caught: GatewayError | FormInvalid) -> Reply:
    """The answer to an error. Texts are ours alone: nothing a request said is repeated."""
    if isinstance(caught, FormInvalid):
        reason, status = _FORM[caught.why]
        return problem("invalid_request", reason, status)
    if isinstance(caught, OAuthError):
        headers: list[tuple[bytes, bytes]] = [*_nonce(caught.nonce)]
        if caught.code == "invalid_token":
            headers.append((b"www-authenticate", b'Bearer realm="yimen", error="invalid_token"'))
        return problem(caught.code, caught.reason, caught.status, headers)
    status = status_of(caught.code)
    if status == 503:
        return problem("temporarily_unavailable", caught.code, 503, [(b"retry-after", _RETRY_S)])
    if isinstance(caught, Refusal) and 400 <= status < 500:  # too large, too slow
        return problem("invalid_request", caught.code, status, caught.headers)
    return problem("server_error", "INTERNAL", 500)


def problem(code: str, reason: str = "", status: int = 400, headers: Headers = ()) -> Reply:
    """`error_description` is ASCII by the standard, so the Chinese sentence stands beside it."""
    texts = catalogue()
    entry = texts.get(reason) or texts.get(code) or texts["invalid_request"]
    body = {"error": code, "error_description": entry["en"], "error_description#zh": entry["zh"]}
    return Reply(status, orjson.dumps(body), JSON, [*NO_STORE, *headers])


def _nonce(nonce: str | None) -> Headers:
    return () if nonce is None else ((NONCE, nonce.encode()),)
