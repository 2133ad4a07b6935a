"""A person's access history, as a page that prints well and as JSON to keep."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from gateway.clock import CIVIL
from gateway.consent.notice import Both
from gateway.services.access_history import MOST, AccessInWords, PersonHistory
from gateway.web.me_visit import PersonVisit
from gateway.web.problems import JSON, Reply

_EVENT_ID = re.compile(r"[0-9a-f-]{36}")
_MOST_PAGES = 50


class HistoryPages:
    """Each method answers one URL."""

    def __init__(self, history: PersonHistory) -> None:
        self._history = history

    async def page(self, visit: PersonVisit) -> Reply:
        """`GET /me/history?before=`."""
        person = await visit.person()
        found = await self._history(person.subject_id, before=_before(visit))
        accesses = [replace(one, facts=_by_noun(one.facts)) for one in _told_once(found.accesses)]
        return visit.page("me_history.html", accesses=accesses, before=found.before)

    async def export(self, visit: PersonVisit) -> Reply:
        """`GET /me/history.json?before=`: everything at once, or the first ten thousand and where to go on."""
        person = await visit.person()
        before, said = _before(visit), list[dict[str, Any]]()
        for _ in range(_MOST_PAGES):
            found = await self._history(person.subject_id, before=before, limit=MOST)
            said += map(_entry, found.accesses)
            before = found.before
            if before is None:
                break
        body = orjson.dumps({"accesses": said, "before": before}, option=orjson.OPT_INDENT_2)
        name = b'attachment; filename="access-history.json"'
        return Reply(200, body, JSON, [(b"content-disposition", name)])


def _told_once(accesses: Iterable[AccessInWords]) -> list[AccessInWords]:
    """What was the same to the letter on one day is one entry with its number: facts behind a document are looked at again
    and again, and must not hide who else looked. The file to keep has each."""
    told: dict[tuple[Any, ...], AccessInWords] = {}
    for one in accesses:
        like = (one.instant.astimezone(CIVIL).date(), one.body, one.purpose, one.basis, one.facts, one.allowed)
        before = told.get(like)
        told[like] = one if before is None else replace(before, repeats=before.repeats + one.repeats)
    return list(told.values())


def _by_noun(facts: Iterable[Both]) -> tuple[Both, ...]:
    """A line for each noun instead of each field: a reception asks sixty, which on a phone is six screens."""
    lines: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for fact in facts:
        noun_zh, _, zh = fact.zh.partition("：")
        noun_en, _, en = fact.en.partition(": ")
        lines.setdefault((noun_zh, noun_en), []).append((zh, en))
    return tuple(
        Both(f"{noun_zh}：{'、'.join(zh for zh, _ in said)}", f"{noun_en}: {', '.join(en for _, en in said)}")
        for (noun_zh, noun_en), said in lines.items()
    )


def _before(visit: PersonVisit) -> str | None:
    """What is no place in the log is the beginning."""
    before = visit.asked.get("before", "")
    return before if _EVENT_ID.fullmatch(before) else None


def _entry(one: AccessInWords) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": one.instant,
        "body": {"zh": one.body.zh, "en": one.body.en},
        "purpose": {"zh": one.purpose.zh, "en": one.purpose.en},
        "basis": list(one.basis),
        "facts": [{"zh": fact.zh, "en": fact.en} for fact in one.facts],
        "allowed": one.allowed,
        "repeats": one.repeats,
    }
