"""`GET /admin/disputes` and `POST /admin/disputes/{id}`: a body reads what persons of its cases dispute, and answers."""

from __future__ import annotations

import orjson
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.services.disputes.answer_dispute import AnswerDisputes
from gateway.web.body import read_json
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce, single

_LARGEST, _DEPTH, _PATIENCE_S = 16_384, 2, 10.0


def dispute_routes(answer: AnswerDisputes, admit: Admit) -> list[BaseRoute]:
    return [
        Route("/admin/disputes", Waiting(answer, admit), methods=["GET"], name="disputes"),
        Route("/admin/disputes/{id}", Answered(answer, admit), methods=["POST"], name="answer dispute"),
    ]


class Waiting:
    def __init__(self, answer: AnswerDisputes, admit: Admit) -> None:
        self._answer, self._admit = answer, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        body = orjson.dumps({"disputes": await self._answer.waiting(caller)})
        await Reply(200, body, JSON, next_nonce(caller))(scope, receive, send)


class Answered:
    """POST {"outcome": "corrected" | "refused", "answer": "..."}."""

    def __init__(self, answer: AnswerDisputes, admit: Admit) -> None:
        self._answer, self._admit = answer, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = single(scope)
        caller = await self._admit(scope)
        said = await read_json(receive, headers, limit=_LARGEST, depth=_DEPTH, seconds=_PATIENCE_S)
        if not isinstance(said, dict):
            raise Refusal("NOT_AN_OBJECT")
        if said.keys() - {"outcome", "answer"} or not all(isinstance(one, str) for one in said.values()):
            raise Refusal("BAD_VALUE")
        dispute_id = str(scope["path_params"]["id"])
        await self._answer.answer(caller, dispute_id, said.get("outcome", ""), said.get("answer", ""))
        await Reply(204, b"", JSON, next_nonce(caller))(scope, receive, send)
