"""Emergency access and the alerts it raises: `POST /admin/break-glass`, its approval, `GET /admin/alerts`, ack and close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.services.alerts import MOST, PAGE, WatchAlerts
from gateway.services.break_glass import BreakGlass, Emergency
from gateway.web.body import read_json
from gateway.web.forms import FormInvalid, parse_form
from gateway.web.log_question import EVENT_ID, place
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce

_LARGEST, _DEPTH = 16_384, 4
_TEXTS = ("reasonCode", "reason", "caseNo", "idNo", "review")


@dataclass(frozen=True, slots=True)
class WatchParts:
    """What these endpoints are made of."""

    admit: Admit
    break_glass: BreakGlass
    alerts: WatchAlerts


def watch_routes(parts: WatchParts) -> list[BaseRoute]:
    def post(path: str, act: Callable[[Scope, Receive], Any], name: str) -> BaseRoute:
        return Route(path, _Json(act), methods=["POST"], name=name)

    acts = _Acts(parts)
    return [
        post("/admin/break-glass", acts.open, "break glass"),
        post("/admin/break-glass/{id}/approve", acts.approve, "approve break glass"),
        Route("/admin/alerts", _Json(acts.read), methods=["GET"], name="alerts"),
        post("/admin/alerts/{id}/ack", acts.acknowledge, "acknowledge alert"),
        post("/admin/alerts/{id}/close", acts.close, "close alert"),
    ]


class _Json:
    """An endpoint that answers in JSON; a class, so that Starlette hands it the scope as it is."""

    def __init__(self, act: Callable[[Scope, Receive], Any]) -> None:
        self._act = act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply: Reply = await self._act(scope, receive)
        await reply(scope, receive, send)


class _Acts:
    """Who asks is settled before a byte of a body is read."""

    def __init__(self, parts: WatchParts) -> None:
        self._admit, self._glass, self._alerts = parts.admit, parts.break_glass, parts.alerts

    async def open(self, scope: Scope, receive: Receive) -> Reply:
        caller = await self._admit(scope)
        said = await _object(scope, receive, {*_TEXTS, "items"})
        items = said.get("items")
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise Refusal("BAD_VALUE")
        texts = [said.get(name, "ONLINE" if name == "review" else None) for name in _TEXTS]
        given = [text for text in texts if isinstance(text, str)]
        if len(given) != len(texts):
            raise Refusal("BAD_VALUE")
        code, reason, case_no, id_no, review = given
        granted = await self._glass.open(caller, Emergency(code, reason, case_no, id_no, items, review))
        body = {
            "id": granted.id,
            "inForce": granted.in_force,
            "expiresAt": granted.expires_at if granted.in_force else None,
            "reviewDueAt": granted.review_due_at,
        }
        return Reply(201, orjson.dumps(body), JSON, next_nonce(caller))

    async def approve(self, scope: Scope, receive: Receive) -> Reply:
        caller = await self._admit(scope)
        until = await self._glass.approve(caller, _id(scope, "GRANT_UNKNOWN"))
        return Reply(200, orjson.dumps({"inForce": True, "expiresAt": until}), JSON, next_nonce(caller))

    async def read(self, scope: Scope, receive: Receive) -> Reply:
        """Query parameters: `state` (open | all), `after` (of the page before), `limit`."""
        caller = await self._admit(scope)
        try:
            given = parse_form(scope["query_string"], fields=4)
            state = given.get("state", "open")
            after, limit = place(given, usual=PAGE, most=MOST)
            if given.keys() - {"state", "after", "limit"} or state not in ("open", "all"):
                raise ValueError
        except (FormInvalid, ValueError):
            raise Refusal("BAD_VALUE") from None
        found = await self._alerts.read(caller, open_only=state == "open", after=after, limit=limit)
        return Reply(200, orjson.dumps(found), JSON, next_nonce(caller))

    async def acknowledge(self, scope: Scope, receive: Receive) -> Reply:
        caller = await self._admit(scope)
        await self._alerts.acknowledge(caller, _id(scope, "ALERT_UNKNOWN"))
        return Reply(200, b"{}", JSON, next_nonce(caller))

    async def close(self, scope: Scope, receive: Receive) -> Reply:
        caller = await self._admit(scope)
        outcome = (await _object(scope, receive, {"outcome"})).get("outcome")
        if not isinstance(outcome, str):
            raise Refusal("BAD_VALUE")
        await self._alerts.close(caller, _id(scope, "ALERT_UNKNOWN"), outcome)
        return Reply(200, b"{}", JSON, next_nonce(caller))


async def _object(scope: Scope, receive: Receive, known: set[str]) -> dict[str, Any]:
    value = await read_json(receive, dict(scope["headers"]), limit=_LARGEST, depth=_DEPTH)
    if not isinstance(value, dict) or value.keys() - known:
        raise Refusal("BAD_VALUE")
    return value


def _id(scope: Scope, code: str) -> str:
    found: str = Request(scope).path_params["id"]
    if not EVENT_ID.fullmatch(found):
        raise Refusal(code)
    return found
