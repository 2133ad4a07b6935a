"""`GET|POST /openid4vp/results/{id}`: PENDING, and then what was shown, once. POST brings a `response_code` along."""

from __future__ import annotations

import orjson
from starlette.types import Receive, Scope, Send

from gateway.services.presenting.results import Results
from gateway.web.body import read_json
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce

_WAIT_S = b"2"
_LARGEST, _DEPTH = 1_024, 2


class ResultEndpoint:
    """202 while it is pending, 200 with the result, 404 afterwards and for everybody else."""

    def __init__(self, results: Results, admit: Admit) -> None:
        self._results, self._admit = results, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        code = None
        if scope["method"] == "POST":
            said = await read_json(receive, dict(scope["headers"]), limit=_LARGEST, depth=_DEPTH)
            if not isinstance(said, dict) or said.keys() != {"response_code"}:
                raise Refusal("PRESENTATION_INVALID")
            code = said["response_code"]
            if not isinstance(code, str):
                raise Refusal("PRESENTATION_INVALID")
        found = await self._results.for_partner(caller, scope["path_params"]["id"], code)
        waiting = found["state"] == "PENDING"
        headers = [(b"cache-control", b"no-store"), *next_nonce(caller)]
        if waiting:
            headers.append((b"retry-after", _WAIT_S))
        await Reply(202 if waiting else 200, orjson.dumps(found), JSON, headers)(scope, receive, send)
