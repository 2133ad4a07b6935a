"""`GET /admin/changes`: what was changed and by whom, page by page; that it was read is recorded."""

from __future__ import annotations

import re

import orjson
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.services.change_history import MOST, PAGE, ChangeQuestion, ReadChanges
from gateway.web.forms import FormInvalid, parse_form
from gateway.web.log_question import instant, place
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce

_KIND = re.compile(r"[A-Z_]{1,64}")
_OBJECT = re.compile(r"[^\x00-\x1f]{1,200}")
_KNOWN = {"kind", "object", "from", "to", "after", "limit"}


def change_routes(read: ReadChanges, admit: Admit) -> list[BaseRoute]:
    return [Route("/admin/changes", Changes(read, admit), methods=["GET"], name="changes")]


class Changes:
    """Query parameters: `kind`, `object`, `from`, `to` (instants), `after` (of the page before), `limit`."""

    def __init__(self, read: ReadChanges, admit: Admit) -> None:
        self._read, self._admit = read, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        found = await self._read(caller, _question(scope["query_string"]))
        await Reply(200, orjson.dumps(found), JSON, next_nonce(caller))(scope, receive, send)


def _question(query_string: bytes) -> ChangeQuestion:
    """Raises Refusal LOG_QUESTION_INVALID."""
    try:
        given = parse_form(query_string, fields=len(_KNOWN))
        kind, about = given.get("kind"), given.get("object")
        after, limit = place(given, usual=PAGE, most=MOST)
        fits = (
            given.keys() <= _KNOWN
            and (kind is None or _KIND.fullmatch(kind))
            and (about is None or _OBJECT.fullmatch(about))
        )
        if not fits:
            raise ValueError
        return ChangeQuestion(kind, about, instant(given, "from"), instant(given, "to"), after, limit)
    except (FormInvalid, ValueError, OverflowError):
        raise Refusal("LOG_QUESTION_INVALID") from None
