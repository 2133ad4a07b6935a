"""`POST /facts/changed`: a source's own system says that facts changed; answered 202 and empty, whoever they are about."""

from __future__ import annotations

from typing import Any

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.services.credentials.facts_changed import MOST, FactChange, FactsChanged
from gateway.web.body import read_json
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce, single

_LARGEST, _DEPTH, _PATIENCE_S = 200 * MOST, 4, 10.0


def facts_routes(changed: FactsChanged, admit: Admit) -> list[BaseRoute]:
    return [Route("/facts/changed", _Said(changed, admit), methods=["POST"], name="facts changed")]


class _Said:
    """{"changes": [{"id_no": "...", "noun": "residence"}, ...]}"""

    def __init__(self, changed: FactsChanged, admit: Admit) -> None:
        self._changed, self._admit = changed, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = single(scope)
        caller = await self._admit(scope)
        said = await read_json(receive, headers, limit=_LARGEST, depth=_DEPTH, seconds=_PATIENCE_S)
        await self._changed(caller, _changes(said))
        await Reply(202, b"", JSON, next_nonce(caller))(scope, receive, send)


def _changes(said: Any) -> list[FactChange]:
    if not isinstance(said, dict):
        raise Refusal("NOT_AN_OBJECT")
    changes = said.get("changes")
    if said.keys() != {"changes"} or not isinstance(changes, list) or not changes:
        raise Refusal("BAD_VALUE")
    found = []
    for one in changes:
        if not isinstance(one, dict) or one.keys() != {"id_no", "noun"}:
            raise Refusal("BAD_VALUE")
        if not isinstance(one["id_no"], str) or not isinstance(one["noun"], str) or len(one["noun"]) > 64:
            raise Refusal("BAD_VALUE")
        found.append(FactChange(one["id_no"], one["noun"]))
    return found
