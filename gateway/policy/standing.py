"""The foundation's policy: purpose register and organisation kind. The access rules (Cedar) take its place by the port."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from gateway.policy.decision import EXISTS, Effect, Mask, Question
from gateway.policy.purposes import PurposeRegister, PurposeRule

_MASKS = 512


class StandingPolicy:
    """Allows what the claimed purpose names, to callers who may claim it; everything else is refused."""

    def __init__(self, register: PurposeRegister) -> None:
        self._register = register
        self._masks: OrderedDict[Hashable, Mask] = OrderedDict()

    async def decide(self, question: Question) -> Mask:
        rule = self._register.get(question.purpose.code)
        denied = self._refusal(question, rule)
        if denied is not None or rule is None:
            return Mask({}, ("default-deny",), (), self._register.version, denied=denied or "PURPOSE_UNKNOWN")
        # What a purpose grants of a selection depends on nothing else, so equal questions get the very same mask.
        place = (rule.code, *question.asked.items())
        mask = self._masks.get(place)
        if mask is None:
            effects = {noun: _effects(rule, noun, asked) for noun, asked in question.asked.items()}
            basis = (f"{rule.basis_zh} · {rule.basis_en}",)
            mask = self._masks[place] = Mask(effects, (f"purpose:{rule.code}",), basis, self._register.version)
            if len(self._masks) > _MASKS:
                self._masks.popitem(last=False)
        return mask

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        """No rule here depends on the subject; seals, case links and relationships arrive with the access rules."""
        return [mask] * len(subjects)

    @staticmethod
    def _refusal(question: Question, rule: PurposeRule | None) -> str | None:
        if rule is None:
            return "PURPOSE_UNKNOWN"
        if rule.code not in question.caller.purposes or question.caller.org_kind not in rule.org_kinds:
            return "PURPOSE_NOT_YOURS"
        if rule.case_required and not _says_something(question.purpose.case_no):
            return "CASE_REQUIRED"
        return None


def _effects(rule: PurposeRule, noun: str, asked: frozenset[str]) -> dict[str, Effect]:
    if noun not in rule.nouns:
        return dict.fromkeys(asked, Effect.WITHHOLD)
    allowed = rule.nouns[noun]
    if allowed is not None:
        allowed = allowed | {EXISTS}
    masked = rule.masks.get(noun, frozenset())
    return {
        name: Effect.WITHHOLD
        if allowed is not None and name not in allowed
        else Effect.MASK
        if name in masked
        else Effect.ALLOW
        for name in asked
    }


def _says_something(case_no: str | None) -> bool:
    """A case number has letters or digits; blanks and invisible characters are none."""
    return any(character.isalnum() for character in case_no or "")
