"""A small policy for tests of the road itself: who has a ground towards whom is said outright."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.policy.decision import Effect, Mask, Question
from gateway.policy.public_rules import NO_GROUND


@dataclass
class GroundPolicy:
    """The inner policy for people in `grounds`; everybody else is refused, `reasons` says why, for evidence only."""

    inner: Any
    grounds: set[str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of the masks of people in `grounds`
    asked: list[Sequence[str]] = field(default_factory=list)

    async def decide(self, question: Question) -> Mask:
        found: Mask = await self.inner.decide(question)
        return found

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        self.asked.append(tuple(subjects))
        return [self._mask(question, mask, subject) for subject in subjects]

    def _mask(self, question: Question, mask: Mask, subject: str) -> Mask:
        if subject in self.grounds:
            return replace(mask, **self.changes[subject]) if subject in self.changes else mask
        return Mask(
            {noun: dict.fromkeys(names, Effect.WITHHOLD) for noun, names in question.asked.items()},
            (NO_GROUND.id,),
            (NO_GROUND.basis,),
            mask.policy_version,
            denied=NO_GROUND.code,
            inner_rule_ids=(self.reasons.get(subject, "no-case-link"),),
            alarms=("A11_INSIDER",),
        )
