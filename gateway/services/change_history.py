"""What was changed, and by whom: identities, clients, rules, keys, cases, consents, read by those who answer for it.

Who may read what:
- DPO (data protection officer) of a public body: what their own body did, and what no body did: persons who consented,
  refused, withdrew; tokens that ended with it. Of a partner: what the partner did, for a no must not show to whoever asked.
- PROSECUTOR: what every public body within their jurisdiction did, and what no body did, but nothing of consents.
- SUPERVISOR: what their own body did, but nothing of consents: that somebody said no must not show to officers, nor to
  those who command them or bring cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Protocol

from gateway.caller import Caller, CallerKind, Change, Subjects
from gateway.errors import RequestRefused
from gateway.services.identities import DPO, PROCURATORATE, PROSECUTOR, PUBLIC_KINDS, SUPERVISOR

PAGE, MOST = 50, 200
CONSENT_KINDS = ("CONSENT_", "TOKENS_REVOKED", "GRANT_REVOKED")
"""Beginnings of the kinds that show, or let guess, that somebody consented, refused or withdrew."""


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change event as it was recorded."""

    id: str
    at: datetime
    actor_org: str
    actor_user: str
    kind: str
    object_id: str
    subject_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChangesAsked:
    """Whose changes: of `org_id`, or else of public bodies within `jurisdiction`; or `everybody`'s."""

    everybody: bool = False
    org_id: str | None = None
    jurisdiction: str = ""
    org_kinds: frozenset[str] = PUBLIC_KINDS
    kind: str | None = None
    object_id: str | None = None
    without: tuple[str, ...] = ()  # beginnings of kinds that are left out
    nobodys: bool = False  # also what no body did: persons, and what happens by itself
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    after: str | None = None
    limit: int = PAGE


class ChangeLog(Protocol):
    async def read(self, asked: ChangesAsked, reader: Change) -> Sequence[LoggedChange]:
        """Oldest first, from after the event `asked.after`; never what tells the reader of alerts about themselves.
        `reader` is recorded with the reading or nothing is read."""
        ...


@dataclass(frozen=True, slots=True)
class ChangeQuestion:
    """What a reader narrows it to."""

    kind: str | None = None
    object_id: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    after: str | None = None
    limit: int = PAGE


class ReadChanges:
    def __init__(self, log: ChangeLog, subjects: Subjects) -> None:
        self._log, self._subjects = log, subjects

    async def __call__(self, caller: Caller, question: ChangeQuestion) -> Mapping[str, Any]:
        """`changes` oldest first and `after` for the next page, None at the end. Raises RequestRefused FORBIDDEN."""
        within = changes_within(caller)
        limit = max(1, min(question.limit, MOST))
        asked = replace(narrowed(within, question), limit=limit + 1)
        found = await self._log.read(asked, reading(asked, caller.org_id, caller.user_id))
        page = found[:limit]
        return {
            "changes": [told(self._subjects, caller.org_id, one) for one in page],
            "after": page[-1].id if len(found) > limit else None,
        }


def narrowed(within: ChangesAsked, question: ChangeQuestion) -> ChangesAsked:
    return replace(within, **{one.name: getattr(question, one.name) for one in fields(question)})


def told(subjects: Subjects, reader_org: str, one: LoggedChange) -> dict[str, Any]:
    """As it is shown: persons only by the `pid` that this reader's organisation knows, wherever their id stands."""
    person = None if one.subject_id is None else subjects.pid(one.subject_id, reader_org)
    place = one.object_id.replace(one.subject_id, person) if one.subject_id and person else one.object_id
    return {
        "id": one.id, "at": one.at, "kind": one.kind, "object": place, "org": one.actor_org, "user": one.actor_user,
        "person": person, "detail": _without_subjects(one.detail),
    }  # fmt: skip


def reading(question: ChangesAsked, org: str, user: str) -> Change:
    """The record of a reading: who read how far, never what was found."""
    detail = {
        "kind": question.kind,
        "object": question.object_id,
        "from": None if question.starts_at is None else question.starts_at.isoformat(),
        "to": None if question.ends_at is None else question.ends_at.isoformat(),
        "after": question.after,
    }
    return Change("CHANGES_READ", question.org_id or question.jurisdiction or "*", org, user, None, detail)


def _without_subjects(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """The detail without ids of persons: whoever reads it knows persons by their own `pid` only."""
    found: dict[str, Any] = {}
    for name, value in detail.items():
        if name.endswith("subject_id"):
            continue
        found[name] = _without_subjects(value) if isinstance(value, Mapping) else value
    return found


def changes_within(caller: Caller) -> ChangesAsked:
    """Which changes are this caller's business. Two factors, as for whatever shows what others did. Raises RequestRefused
    FORBIDDEN."""
    if caller.kind is not CallerKind.OFFICER or caller.level < 2:
        raise RequestRefused("FORBIDDEN")
    if PROSECUTOR in caller.roles and caller.org_kind == PROCURATORATE and caller.jurisdiction:
        return ChangesAsked(jurisdiction=caller.jurisdiction, nobodys=True, without=CONSENT_KINDS)
    if DPO in caller.roles:
        return ChangesAsked(org_id=caller.org_id, nobodys=caller.org_kind in PUBLIC_KINDS)
    if SUPERVISOR in caller.roles and caller.org_kind in PUBLIC_KINDS:
        return ChangesAsked(org_id=caller.org_id, without=CONSENT_KINDS)
    raise RequestRefused("FORBIDDEN")
