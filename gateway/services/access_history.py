"""Who looked, told to those who may know: the person about themselves, supervisors and prosecutors about officers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.caller import Caller, CallerKind, Change, Decision, Subjects
from gateway.consent.notice import Both, in_words
from gateway.errors import RequestRefused
from gateway.services.identities import PROCURATORATE, PROSECUTOR, PUBLIC_KINDS, SUPERVISOR
from gateway.services.words import Words

PAGE = 50
MOST = 200


@dataclass(frozen=True, slots=True)
class LoggedAccess:
    """An access event as it was recorded. `subjects` is empty where the reader is the person."""

    id: str
    at: datetime
    actor_org: str
    actor_user: str
    client_id: str
    purpose: str
    case_no: str | None
    reference: str | None
    subjects: tuple[str, ...]
    fields: tuple[str, ...]
    decision: Decision
    rule_ids: tuple[str, ...]
    inner_rule_ids: tuple[str, ...]
    legal_basis: tuple[str, ...]
    policy_version: str
    level: int
    visible_from: datetime | None
    repeats: int
    upstream: tuple[Mapping[str, Any], ...] = ()  # receipts of other gateways, as they are recorded


@dataclass(frozen=True, slots=True)
class OfficerLog:
    """Which officers' accesses: those of `org_id`, or else those of public bodies within `jurisdiction`."""

    org_id: str | None = None
    jurisdiction: str = ""
    org_kinds: frozenset[str] = PUBLIC_KINDS
    officer: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    after: str | None = None
    limit: int = PAGE


class AccessLog(Protocol):
    async def of_subject(self, subject_id: str, *, before: str | None, limit: int) -> Sequence[LoggedAccess]:
        """What the person may see now, newest first, from before the event `before`."""
        ...

    async def of_officers(self, asked: OfficerLog, reader: Change) -> Sequence[LoggedAccess]:
        """Oldest first, from after the event `asked.after`. Never the reader's own, and never what rests on a consent:
        that would show who agreed. `reader` is recorded with the reading or nothing is read.
        """
        ...


@dataclass(frozen=True, slots=True)
class AccessInWords:
    """One access as the person reads it: no officer's name, no case number, no rule that must not be named."""

    id: str
    at: Both
    instant: datetime
    body: Both
    purpose: Both
    basis: tuple[str, ...]
    facts: tuple[Both, ...]
    allowed: bool
    repeats: int


@dataclass(frozen=True, slots=True)
class HistoryPage:
    accesses: tuple[AccessInWords, ...]
    before: str | None  # where the next page begins; None: there is none


class PersonHistory:
    """The person's own access history."""

    def __init__(self, log: AccessLog, words: Words) -> None:
        self._log, self._words = log, words

    async def __call__(self, subject_id: str, *, before: str | None = None, limit: int = PAGE) -> HistoryPage:
        """Whether an access was refused for a reason that may not be told makes no difference here: refused is refused."""
        found = await self._log.of_subject(subject_id, before=before, limit=limit + 1)
        page = tuple([await self._in_words(one) for one in found[:limit]])
        return HistoryPage(page, page[-1].id if len(found) > limit else None)

    async def _in_words(self, one: LoggedAccess) -> AccessInWords:
        return AccessInWords(
            id=one.id,
            at=in_words(one.at),
            instant=one.at,
            body=await self._words.organisation(one.actor_org),
            purpose=self._words.purpose(one.purpose),
            basis=one.legal_basis,
            facts=tuple(self._words.facts(one.fields)),
            allowed=one.decision is Decision.ALLOW,
            repeats=one.repeats,
        )


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """What a supervisor or prosecutor asks of the log."""

    officer: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    after: str | None = None
    limit: int = field(default=PAGE)


class ReadOfficerLog:
    """What really decided is in here, so only those who watch over officers may read it, and reading is evidenced."""

    def __init__(self, log: AccessLog, subjects: Subjects) -> None:
        self._log, self._subjects = log, subjects

    async def __call__(self, caller: Caller, question: LogQuestion) -> Mapping[str, Any]:
        """`events` oldest first and `after` for the next page, None at the end. Raises RequestRefused FORBIDDEN."""
        within = _within(caller)
        limit = max(1, min(question.limit, MOST))
        asked = OfficerLog(
            org_id=within.org_id,
            jurisdiction=within.jurisdiction,
            officer=question.officer,
            starts_at=question.starts_at,
            ends_at=question.ends_at,
            after=question.after,
            limit=limit + 1,
        )
        detail = {
            "officer": question.officer,
            "from": None if question.starts_at is None else question.starts_at.isoformat(),
            "to": None if question.ends_at is None else question.ends_at.isoformat(),
            "after": question.after,
        }
        reader = Change("LOG_READ", within.org_id or within.jurisdiction, caller.org_id, caller.user_id, None, detail)
        found = await self._log.of_officers(asked, reader)
        page = found[:limit]
        return {
            "events": [self._event(caller, one) for one in page],
            "after": page[-1].id if len(found) > limit else None,
        }

    def _event(self, caller: Caller, one: LoggedAccess) -> dict[str, Any]:
        return {
            "id": one.id,
            "at": one.at,
            "org": one.actor_org,
            "officer": one.actor_user,
            "client": one.client_id,
            "level": one.level,
            "purpose": one.purpose,
            "caseNo": one.case_no,
            "reference": one.reference,
            "persons": [self._subjects.pid(subject, caller.org_id) for subject in one.subjects],
            "fields": list(one.fields),
            "decision": one.decision.value,
            "rules": list(one.rule_ids),
            "innerRules": list(one.inner_rule_ids),
            "basis": list(one.legal_basis),
            "policyVersion": one.policy_version,
            "repeats": one.repeats,
            "upstream": list(one.upstream),
        }


def _within(caller: Caller) -> OfficerLog:
    if caller.kind is not CallerKind.OFFICER:
        raise RequestRefused("FORBIDDEN")
    if PROSECUTOR in caller.roles and caller.org_kind == PROCURATORATE and caller.jurisdiction:
        return OfficerLog(jurisdiction=caller.jurisdiction)
    if SUPERVISOR in caller.roles and caller.org_kind in PUBLIC_KINDS:
        return OfficerLog(org_id=caller.org_id)
    raise RequestRefused("FORBIDDEN")
