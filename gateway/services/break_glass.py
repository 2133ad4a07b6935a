"""Emergency access: for one person, one case, a few items and a short time; a second officer first, or a review after.

It opens what the lack of a case link closes, and nothing else: no seal, no relative, no location. Every use raises A17,
which a supervisor answers for (domain brief, section 7): before it opens, or within a day after.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from adapters.identity import normalise_id
from gateway.caller import Alert, Caller, CallerKind, Evidence, Subjects
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.policy.claim import recordable
from gateway.services.identities import PUBLIC_KINDS, SUPERVISOR
from gateway.services.refusals import refusal_event
from gateway.services.release import ALARM

REVIEW_WITHIN = timedelta(hours=24)
APPROVE_WITHIN = timedelta(minutes=30)
LEVEL = 2
MOST_ITEMS = 10
PURPOSE = "BREAK_GLASS"
BASIS = ("社区矫正法第五条；个人信息保护法第三十四条、第三十五条 · Community Corrections Law Art. 5; PIPL Art. 34, 35",)
_SHORTEST, _LONGEST = 10, 1000


class Reason(StrEnum):
    """Why it cannot wait for a case link."""

    RISK_TO_LIFE = "RISK_TO_LIFE"
    OFFENCE_IN_PROGRESS = "OFFENCE_IN_PROGRESS"
    OUT_OF_CONTACT = "OUT_OF_CONTACT"
    DISASTER = "DISASTER"


class Review(StrEnum):
    ONLINE = "ONLINE"  # nothing opens until a supervisor has approved
    AFTER = "AFTER"  # it opens at once; a supervisor must look within 24 hours


@dataclass(frozen=True, slots=True)
class Emergency:
    """What the officer says. `items`: "noun.field", each by name."""

    reason_code: str
    reason: str = field(repr=False)
    case_no: str = ""
    id_no: str = field(default="", repr=False)
    items: Sequence[str] = ()
    review: str = "ONLINE"


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A grant as it is stored; the reason is sealed by whoever stores it."""

    caller: Caller
    subject_id: str
    case_no: str
    reason_code: Reason
    reason: str = field(repr=False)
    items: tuple[str, ...]
    review: Review
    opened_at: datetime
    expires_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """`in_force` False: it waits for a supervisor."""

    id: str
    in_force: bool
    expires_at: datetime
    review_due_at: datetime


class Grants(Protocol):
    async def may_open(self, caller: Caller, subject_id: str, case_no: str) -> str:
        """ "" where that case is this person's, live and not sealed, and the officer no kin of theirs; else the inner
        reason. The same statement whoever it is about."""
        ...

    async def open_grant(self, grant: NewGrant, alert: Alert) -> str:
        """The grant's id; the grant, its alert and the record of both are one transaction."""
        ...

    async def approve(self, grant_id: str, caller: Caller, *, opened_after: datetime, until: datetime) -> bool:
        """Whether this caller's approval now puts it in force until `until`; one atomic statement. Not by who asked, not
        from another organisation, not by the person or their kin, not twice, not one opened before `opened_after`."""
        ...

    async def overdue(self) -> int:
        """Marks every unreviewed grant past its time, once, and raises S1 for each; how many."""
        ...


class BreakGlass:
    """Opens and approves. Reviewing is closing the alert (`gateway.services.alerts`)."""

    def __init__(
        self,
        grants: Grants,
        subjects: Subjects,
        evidence: Evidence,
        clock: Clock,
        *,
        items: Callable[[], frozenset[str]],
        lasts: timedelta = timedelta(minutes=30),
    ) -> None:
        """`items` are the "noun.field" there are now."""
        self._grants, self._subjects, self._evidence, self._clock = grants, subjects, evidence, clock
        self._items, self._lasts = items, lasts

    async def open(self, caller: Caller, said: Emergency) -> Granted:
        """Raises RequestRefused: FORBIDDEN, LEVEL_TOO_LOW, BAD_ID, BAD_VALUE, PURPOSE_NOT_RECORDABLE; NO_GROUND alike for
        somebody unknown, sealed, no person of that case, or close to the officer (recorded)."""
        _officer(caller)
        id_no, reason, review, items = self._checked(said)
        (subject_id,) = await self._subjects.recognise([id_no])
        inner = await self._grants.may_open(caller, subject_id, said.case_no)
        now = self._clock.now()
        if inner:
            event = refusal_event(
                caller, now, PURPOSE, "no-ground", inner=inner, case_no=said.case_no, subjects=(subject_id,),
                fields=items, basis=BASIS,
            )  # fmt: skip
            await self._evidence.record(replace(event, inner_rule_ids=(inner, f"{ALARM}A11_INSIDER")))
            raise RequestRefused("NO_GROUND")
        grant = NewGrant(
            caller, subject_id, said.case_no, reason, said.reason.strip(), items, review, now, now + self._lasts,
            now + REVIEW_WITHIN,
        )  # fmt: skip
        detail = {"at": "BREAK_GLASS", "reason": str(reason), "review": str(review), "items": list(items)}
        alert = Alert(
            "A17_RULE_WAIVED", "S2", "OFFICER", caller.user_id, caller.org_id, subject_id, due_at=grant.due_at,
            detail=detail,
        )  # fmt: skip
        grant_id = await self._grants.open_grant(grant, alert)
        return Granted(grant_id, review is Review.AFTER, grant.expires_at, grant.due_at)

    async def approve(self, caller: Caller, grant_id: str) -> datetime:
        """Until when it is in force. Raises RequestRefused: FORBIDDEN but for supervisors, LEVEL_TOO_LOW; GRANT_UNKNOWN alike
        for one that does not exist, is one's own, is another organisation's, is about oneself or one's kin, is approved
        already or has waited too long."""
        _officer(caller)
        if SUPERVISOR not in caller.roles:
            raise RequestRefused("FORBIDDEN")
        now = self._clock.now()
        until = now + self._lasts
        if not await self._grants.approve(grant_id, caller, opened_after=now - APPROVE_WITHIN, until=until):
            raise RequestRefused("GRANT_UNKNOWN")
        return until

    def _checked(self, said: Emergency) -> tuple[str, Reason, Review, tuple[str, ...]]:
        number = normalise_id(said.id_no)
        if number is None or not number.checksum_ok:
            raise RequestRefused("BAD_ID")
        reason = " ".join(unicodedata.normalize("NFKC", said.reason).split())
        items = tuple(dict.fromkeys(said.items))
        if (
            said.reason_code not in Reason.__members__
            or said.review not in Review.__members__
            or not _SHORTEST <= len(reason) <= _LONGEST
            or not 1 <= len(items) <= MOST_ITEMS
            or not self._items().issuperset(items)
        ):
            raise RequestRefused("BAD_VALUE")
        if not any(character.isalnum() for character in said.case_no) or not recordable(said.case_no):
            raise RequestRefused("PURPOSE_NOT_RECORDABLE")
        return number.value18, Reason(said.reason_code), Review(said.review), items


def _officer(caller: Caller) -> None:
    if caller.kind is not CallerKind.OFFICER or caller.org_kind not in PUBLIC_KINDS:
        raise RequestRefused("FORBIDDEN")
    if caller.level < LEVEL:
        raise RequestRefused("LEVEL_TOO_LOW")
