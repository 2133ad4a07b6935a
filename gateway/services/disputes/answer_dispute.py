"""A body with the person's case reads what they dispute, and answers: corrected at the source, or it stands, and why."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.caller import Caller, CallerKind, Decision, Evidence, Subjects
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.policy.decision import Purpose
from gateway.policy.facts import CaseLink, Facts, Relationship, SubjectFacts
from gateway.services.disputes.my_disputes import LONGEST, Hasten
from gateway.services.disputes.ports import Dispute, Disputes, DisputeState
from gateway.services.identities import DPO, JUSTICE_OFFICER, SUPERVISOR
from gateway.services.refusals import refusal_event

PURPOSE = "DISPUTE"
BASIS = ("个人信息保护法第四十六条;征信业管理条例第二十五条 · PIPL Art. 46; Credit Reporting Regulation Art. 25",)
_ROLES = frozenset({JUSTICE_OFFICER, SUPERVISOR, DPO})
_MOST = 200
_OUTCOMES = {"corrected": DisputeState.CORRECTED, "refused": DisputeState.REFUSED}
Tell = Callable[[str], Awaitable[None]]
"""A message to a person that there is an answer on their pages."""


class AnswerDisputes:
    """Reading is recorded like any other look at a person; a person without ground is not there."""

    def __init__(
        self,
        disputes: Disputes,
        facts: Facts,
        subjects: Subjects,
        evidence: Evidence,
        clock: Clock,
        *,
        hasten: Hasten,
        tell: Tell,
    ) -> None:
        self._disputes, self._facts, self._subjects, self._evidence = disputes, facts, subjects, evidence
        self._clock, self._hasten, self._tell = clock, hasten, tell

    async def waiting(self, caller: Caller) -> Sequence[dict[str, Any]]:
        """Open disputes of persons whose live case is with this body, the most urgent first; 200 at most.

        Raises RequestRefused FORBIDDEN (recorded).
        """
        await self._may(caller)
        found = await self._disputes.waiting()
        grounds = dict(zip(*await self._grounds(caller, [one.subject_id for one in found]), strict=True))
        mine = [one for one in found if _has_ground(grounds[one.subject_id])][:_MOST]
        for one in mine:
            await self._record(caller, one, Decision.ALLOW)
        now = self._clock.now()
        return [self._told(caller, one, now) for one in mine]

    async def answer(self, caller: Caller, dispute_id: str, outcome: str, text: str) -> None:
        """`outcome`: corrected | refused; a refusal needs its reason, which the person reads.

        Raises RequestRefused FORBIDDEN, NOT_FOUND (none, not this body's, or decided), DISPUTE_TEXT, BAD_VALUE.
        """
        await self._may(caller)
        state, said = _OUTCOMES.get(outcome), text.strip()
        if state is None:
            raise RequestRefused("BAD_VALUE")
        if len(said) > LONGEST or (state is DisputeState.REFUSED and not said):
            raise RequestRefused("DISPUTE_TEXT")
        dispute = await self._disputes.find(dispute_id)
        if dispute is None or dispute.state is not DisputeState.OPEN:
            raise RequestRefused("NOT_FOUND")
        _, (ground,) = await self._grounds(caller, [dispute.subject_id])
        if not _has_ground(ground):
            await self._record(caller, dispute, Decision.DENY)
            raise RequestRefused("NOT_FOUND")
        if not await self._disputes.decide(dispute, state, said, org=caller.org_id, user=caller.user_id):
            raise RequestRefused("NOT_FOUND")
        await self._hasten(dispute.subject_id)
        await self._tell(dispute.subject_id)

    async def _may(self, caller: Caller) -> None:
        if caller.kind is CallerKind.OFFICER and caller.roles & _ROLES:
            return
        await self._evidence.record(refusal_event(caller, self._clock.now(), PURPOSE, "default-deny", basis=BASIS))
        raise RequestRefused("FORBIDDEN")

    async def _grounds(self, caller: Caller, subjects: Sequence[str]) -> tuple[Sequence[str], Sequence[SubjectFacts]]:
        wanted = list(dict.fromkeys(subjects))
        return wanted, await self._facts.of(caller, Purpose(PURPOSE), wanted) if wanted else ()

    async def _record(self, caller: Caller, one: Dispute, decision: Decision) -> None:
        fields = (f"{one.noun}.{one.field}",)
        event = refusal_event(
            caller, self._clock.now(), PURPOSE, "dispute-answer", subjects=(one.subject_id,), fields=fields, basis=BASIS
        )
        await self._evidence.record(replace(event, decision=decision, result_salt=secrets.token_bytes(16)))

    def _told(self, caller: Caller, one: Dispute, now: datetime) -> dict[str, Any]:
        return {
            "id": one.dispute_id,
            "pid": self._subjects.pid(one.subject_id, caller.org_id),
            "noun": one.noun,
            "field": one.field,
            "source": one.source or None,
            "statement": one.statement,
            "openedAt": one.opened_at.isoformat(),
            "dueAt": one.due_at.isoformat(),
            "overdue": one.due_at <= now,
        }


def _has_ground(facts: SubjectFacts) -> bool:
    return facts.case_link is not CaseLink.NONE and facts.relationship is Relationship.NONE
