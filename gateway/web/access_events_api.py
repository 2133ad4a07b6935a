"""`GET /admin/access-events`: supervisors and prosecutors read what officers did, and that they read is recorded."""

from __future__ import annotations

import re

import orjson
from starlette.types import Receive, Scope, Send

from gateway.services.access_history import MOST, PAGE, LogQuestion, ReadOfficerLog
from gateway.web.forms import FormInvalid, parse_form
from gateway.web.log_question import instant, place
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce

_OFFICER = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class AccessEvents:
    """Query parameters: `officer`, `from`, `to` (instants), `after` (of the page before), `limit`."""

    def __init__(self, read: ReadOfficerLog, admit: Admit) -> None:
        self._read, self._admit = read, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        found = await self._read(caller, _question(scope["query_string"]))
        await Reply(200, orjson.dumps(found), JSON, next_nonce(caller))(scope, receive, send)


def _question(query_string: bytes) -> LogQuestion:
    """Raises Refusal LOG_QUESTION_INVALID."""
    try:
        given = parse_form(query_string, fields=8)
        officer = given.get("officer")
        after, limit = place(given, usual=PAGE, most=MOST)
        if given.keys() - {"officer", "from", "to", "after", "limit"}:
            raise ValueError
        if officer and not _OFFICER.fullmatch(officer):
            raise ValueError
        return LogQuestion(officer, instant(given, "from"), instant(given, "to"), after, limit)
    except (FormInvalid, ValueError, OverflowError):
        raise Refusal("LOG_QUESTION_INVALID") from None
