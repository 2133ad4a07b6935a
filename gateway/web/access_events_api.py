"""`GET /admin/access-events`: supervisors and prosecutors read what officers did, and that they read is recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from starlette.types import Receive, Scope, Send

from gateway.services.access_history import MOST, PAGE, LogQuestion, ReadOfficerLog
from gateway.web.forms import FormInvalid, parse_form
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce

_EVENT_ID = re.compile(r"[0-9a-f-]{36}")
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
        officer, after = given.get("officer"), given.get("after")
        limit = int(given.get("limit", str(PAGE)))
        if given.keys() - {"officer", "from", "to", "after", "limit"} or not 1 <= limit <= MOST:
            raise ValueError
        if (officer and not _OFFICER.fullmatch(officer)) or (after and not _EVENT_ID.fullmatch(after)):
            raise ValueError
        return LogQuestion(officer, _instant(given, "from"), _instant(given, "to"), after, limit)
    except (FormInvalid, ValueError, OverflowError):
        raise Refusal("LOG_QUESTION_INVALID") from None


def _instant(given: Mapping[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    instant = datetime.fromisoformat(given[name])
    if instant.tzinfo is None:
        raise ValueError
    return instant.astimezone(UTC)
