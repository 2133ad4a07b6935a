"""Partners ask persons for consent: `POST /consents/requests`, `GET /consents/requests/{request_id}`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gateway.consent.consent import TermsRefused
from gateway.services.ask_consent import AskConsent, ConsentRequest
from gateway.web.body import read_json
from gateway.web.problems import JSON, Refusal, Reply, status_of, text
from gateway.web.token_door import Admit, next_nonce

_TEXTS = ("idNo", "name", "purpose", "until", "mode", "reference")
_MEMBERS = frozenset({*_TEXTS, "datatypes", "max_per_day"})
_LARGEST, _DEPTH = 16_384, 4


class ConsentRequests:
    """POST: 202 and an id, whoever the person is."""

    def __init__(self, ask: AskConsent, admit: Admit) -> None:
        self._ask, self._admit = ask, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        asked = _read(await read_json(receive, dict(scope["headers"]), limit=_LARGEST, depth=_DEPTH))
        try:
            request_id = await self._ask(caller, asked)
        except TermsRefused as refused:
            reply = _terms(refused)
        else:
            body = orjson.dumps({"request_id": request_id, "status": "SENT"})
            place = (b"location", f"/consents/requests/{request_id}".encode("ascii"))
            reply = Reply(202, body, JSON, [place, *next_nonce(caller)])
        await reply(scope, receive, send)


class ConsentRequestState:
    """GET: PENDING, GIVEN with what was granted, or ENDED."""

    def __init__(self, ask: AskConsent, admit: Admit) -> None:
        self._ask, self._admit = ask, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        state = await self._ask.state(caller, Request(scope).path_params["request_id"])
        await Reply(200, orjson.dumps(state), JSON, next_nonce(caller))(scope, receive, send)


def _read(value: Any) -> ConsentRequest:
    """Raises Refusal CONSENT_REQUEST_INVALID for another shape; contents are the service's matter."""
    if not isinstance(value, dict) or value.keys() - _MEMBERS or not value.keys() >= {*_TEXTS, "datatypes"}:
        raise Refusal("CONSENT_REQUEST_INVALID")
    items, limit = value["datatypes"], value.get("max_per_day")
    if (
        not all(isinstance(value[name], str) for name in _TEXTS)
        or not (isinstance(items, list) and all(isinstance(item, str) for item in items))
        or not (limit is None or (isinstance(limit, int) and not isinstance(limit, bool)))
    ):
        raise Refusal("CONSENT_REQUEST_INVALID")
    return ConsentRequest(
        id_no=value["idNo"],
        name=value["name"],
        purpose=value["purpose"],
        datatypes=tuple(items),
        until=_instant(value["until"]),
        mode=value["mode"],
        max_per_day=limit,
        reference=value["reference"],
    )


def _instant(text: str) -> datetime:
    """With its offset: what "until Tuesday" means is not ours to guess."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None or len(text) < len("2026-01-01T00:00:00Z"):
            raise ValueError
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal("CONSENT_REQUEST_INVALID") from None


def _terms(refused: TermsRefused) -> Reply:
    """Says what is wrong, and names the item only where it is one of our schema's names."""
    extensions = {"code": refused.code, "why": refused.why} | ({"item": refused.item} if refused.item else {})
    body = orjson.dumps({"errors": [{"message": text(refused.code), "extensions": extensions}]})
    return Reply(status_of(refused.code), body, JSON)
