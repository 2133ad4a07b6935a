"""`Policy` by Cedar rules: one decision for an operation, one more for every distinct class of persons it meets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from gateway.caller import CallerKind
from gateway.clock import Clock, SystemClock
from gateway.errors import GatewayError
from gateway.policy.asked import Asked, PersonClass
from gateway.policy.attributes import ASKER_VALUES, PERSON_VALUES, TIME_VALUES
from gateway.policy.decision import EXISTS, Effect, Mask, Question
from gateway.policy.entitlement import claim_of, refusal
from gateway.policy.evaluate import judge
from gateway.policy.facts import Facts, SubjectFacts
from gateway.policy.outcome import denied_mask, granted_mask
from gateway.policy.partition import Lot, Partitions, Verdict
from gateway.policy.public_rules import DEFAULT_DENY
from gateway.policy.purposes import PurposeRegister
from gateway.policy.ruleset import RuleSet

_log = structlog.get_logger(__name__)

PERSON = "person"
JUVENILE = "juvenileRecords"
_MOST_MASKS = 4096
_OUTSIDE = Verdict(False, outside=True)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What could be said before anybody was known, and the items left to be judged per person."""

    before: Mapping[tuple[str, str], Verdict]
    open: Sequence[tuple[str, str]]


def _open(asked: Asked, mask: Mask) -> list[tuple[str, str]]:
    """What the plan left to be judged per person."""
    return [
        (noun, name)
        for noun, names in asked.question.asked.items()
        for name in names
        if mask.effects[noun][name] is not Effect.WITHHOLD
    ]


class CedarPolicy:
    """Implements `gateway.policy.decision.Policy`. What no rule permits is refused; any error inside refuses."""

    def __init__(
        self,
        register: PurposeRegister,
        rules: RuleSet,
        facts: Facts,
        clock: Clock | None = None,
        partitions: Partitions | None = None,
    ) -> None:
        """`partitions` of these very rules, where they were made before."""
        self.register, self.rules = register, rules
        self._facts, self._clock = facts, clock or SystemClock()
        self._partitions = partitions or Partitions(rules)
        self._masks: OrderedDict[tuple[Any, ...], Mask] = OrderedDict()

    async def decide(self, question: Question) -> Mask:
        asked = self._asked(question)
        if isinstance(asked, str):
            return Mask({}, (DEFAULT_DENY,), (), self.rules.version, denied=asked)
        mask = self._masks.get(asked.key)
        return mask if mask is not None else self._keep(asked.key, self._planned(asked))

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        asked = self._asked(question)
        if mask.denied is not None or isinstance(asked, str) or not subjects:
            refused = mask if mask.denied is not None or not isinstance(asked, str) else replace(mask, denied=asked)
            return [refused] * len(subjects)
        try:
            found = await self._facts.of(question.caller, question.purpose, subjects)
            return self._by_class(asked, mask, found)
        except GatewayError as error:
            _log.error("policy_without_facts", code=error.code)
        effects = {noun: dict.fromkeys(names, Effect.WITHHOLD) for noun, names in question.asked.items()}
        refused = Mask(effects, (DEFAULT_DENY,), (), self.rules.version, denied="POLICY_UNAVAILABLE")
        return [refused] * len(subjects)

    def forget(self, *, verdicts: bool = True) -> None:
        """Drop the masks, and what Cedar said unless `verdicts` is false; the handles stay. For measuring."""
        self._masks.clear()
        if verdicts:
            self._partitions.forget()

    def _asked(self, question: Question) -> Asked | str:
        """The operation as rules see it, or the code of its refusal."""
        now = self._clock.now()
        caller = question.caller
        rule = self.register.get(question.purpose.code)
        claim = claim_of(caller, question.purpose, now)
        denied = refusal(caller, question.purpose, rule, claim)
        if denied is not None or rule is None:
            return denied or "PURPOSE_UNKNOWN"
        partition = self._partitions.of(caller.org_kind, rule.code)
        emergency = self._partitions.of(caller.org_kind, rule.code, emergency=True)
        asker = {name: value(caller) for name, value in ASKER_VALUES.items()}
        for name in emergency.time_attributes:  # only where a rule looks at the clock does the hour make a difference
            asker[name] = TIME_VALUES[name](now)
        return Asked(question, rule, partition, emergency, asker, claim.datatypes)

    def _planned(self, asked: Asked) -> Mask:
        """What this asker may be granted of anybody at all. A lot is asked once, whatever number of items it has."""
        return granted_mask(
            self.rules, asked.rule, asked.effect, self._before_anybody(asked), None, self._inputs(asked)
        )

    def _before_anybody(self, asked: Asked) -> dict[tuple[str, str], Verdict]:
        """What can be said of each item while nobody in particular is asked about."""
        verdicts: dict[tuple[str, str], Verdict] = {}
        for noun, names in asked.question.asked.items():
            for name in names:
                if not asked.named(noun, name):
                    verdicts[noun, name] = _OUTSIDE
                    continue
                verdict = self._early(asked, asked.partition.lot(noun, name))
                if not verdict.allowed:  # but in an emergency, perhaps
                    waived = self._early(asked, asked.emergency.lot(noun, name))
                    verdict = waived if waived.allowed else verdict
                verdicts[noun, name] = verdict
        return verdicts

    def _early(self, asked: Asked, lot: Lot) -> Verdict:
        context = {attribute: asked.asker[attribute] for attribute in lot.early_attributes}
        key = ("early", *context.values())
        verdict = lot.verdicts.get(key)
        if verdict is None:
            verdict = lot.keep(key, self._judge(asked, lot, lot.early or lot.policies, [context])[0])
        return verdict

    def _by_class(self, asked: Asked, mask: Mask, found: Sequence[SubjectFacts]) -> list[Mask]:
        classes = [
            PersonClass(
                tuple(value(facts) for value in PERSON_VALUES.values()),
                facts.consent.items if facts.consent is not None else None,
                facts.break_glass_items if facts.break_glass is not None else frozenset(),
                facts.break_glass is not None,
            )
            for facts in found
        ]
        keys = [(mask, one.values, one.consented, one.opened) for one in classes]
        masks = {key: self._masks.get(key) for key in keys}  # what is kept meanwhile may push others out
        new = {key: one for key, one in zip(keys, classes, strict=True) if masks[key] is None}
        if new:
            plan = _Plan(self._before_anybody(asked), _open(asked, mask))
            self._judge_ahead(asked, plan, list(new.values()))
            for key, one in new.items():
                masks[key] = self._keep(key, self._of_class(asked, plan, one))
        return [
            self._personal(core, facts)
            for key, facts in zip(keys, found, strict=True)
            if (core := masks[key]) is not None
        ]

    def _judge_ahead(self, asked: Asked, plan: _Plan, classes: Sequence[PersonClass]) -> None:
        """One batch for each lot, over all classes that are new to it; the ground first, for many end there."""
        self._judge_lots(asked, classes, [(PERSON, EXISTS)])
        grounded = [one for one in classes if self._verdict(asked, one, PERSON, EXISTS).allowed]
        if grounded:
            self._judge_lots(asked, grounded, [(PERSON, JUVENILE), *plan.open])

    def _judge_lots(self, asked: Asked, classes: Sequence[PersonClass], items: Sequence[tuple[str, str]]) -> None:
        wanted: dict[Lot, dict[Hashable, dict[str, Any]]] = {}
        for one in classes:
            partition = asked.of(one)
            done: set[Lot] = set()
            for noun, name in items:
                lot = partition.lot(noun, name)
                if lot in done:
                    continue
                if not lot.per_item:
                    done.add(lot)
                context = one.context(asked, lot, f"{noun}.{name}")
                key = lot.key(context)
                if key not in lot.verdicts:
                    wanted.setdefault(lot, {})[key] = context
        for lot, contexts in wanted.items():
            verdicts = self._judge(asked, lot, lot.policies, list(contexts.values()))
            for key, verdict in zip(contexts, verdicts, strict=True):
                lot.keep(key, verdict)

    def _verdict(self, asked: Asked, one: PersonClass, noun: str, name: str) -> Verdict:
        lot = asked.of(one).lot(noun, name)
        context = one.context(asked, lot, f"{noun}.{name}")
        held = lot.verdicts.get(lot.key(context))
        return held if held is not None else self._judge(asked, lot, lot.policies, [context])[0]

    def _of_class(self, asked: Asked, plan: _Plan, one: PersonClass) -> Mask:
        inputs = self._inputs(asked, one)
        ground = self._verdict(asked, one, PERSON, EXISTS)
        if not ground.allowed:
            return denied_mask(self.rules, asked.question, ground, inputs)
        verdicts = dict(plan.before)
        partition = asked.of(one)
        of_lot: dict[Lot, Verdict] = {}
        for noun, name in plan.open:
            lot = partition.lot(noun, name)
            found = of_lot.get(lot)
            if found is None or lot.per_item:
                found = of_lot[lot] = self._verdict(asked, one, noun, name)
            verdicts[noun, name] = found
        made = granted_mask(self.rules, asked.rule, asked.effect, verdicts, ground, inputs)
        if asked.question.caller.kind is CallerKind.PARTNER and not made.granted_facts:
            return denied_mask(self.rules, asked.question, Verdict(False), inputs)  # consent to other items: not seen
        minor = self._verdict(asked, one, PERSON, JUVENILE)
        return replace(made, hide_minor=False) if minor.allowed else made

    def _personal(self, core: Mask, facts: SubjectFacts) -> Mask:
        """What belongs to one person alone, laid over the mask of the class."""
        consent_id = facts.consent.consent_id if facts.consent is not None and core.denied is None else None
        hidden = facts.sealed_cases if core.denied is None else frozenset[str]()
        grant = f"break-glass:{facts.break_glass}" if "A17_RULE_WAIVED" in core.alarms else None
        if not hidden and facts.visible_from is None and consent_id is None and grant is None:
            return core
        key = (core, "personal", hidden, facts.visible_from, consent_id, grant)
        held = self._masks.get(key)
        if held is not None:
            return held
        inner = (*core.inner_rule_ids, grant) if grant is not None else core.inner_rule_ids
        return self._keep(
            key,
            replace(
                core,
                hidden_cases=hidden,
                visible_from=facts.visible_from,
                consent_id=consent_id,
                inner_rule_ids=inner,
            ),
        )

    def _judge(self, asked: Asked, lot: Lot, policies: Any, contexts: Sequence[Mapping[str, Any]]) -> list[Verdict]:
        kind = asked.question.caller.org_kind
        return judge(policies, lot, kind, asked.rule.code, contexts)

    def _inputs(self, asked: Asked, one: PersonClass | None = None) -> dict[str, Any]:
        """What the decision was made from, as codes, so that it can be made again. No id, no personal data."""
        caller = asked.question.caller
        kept: dict[str, Any] = {"kind": caller.org_kind, "asker": asked.asker}
        if asked.datatypes is not None:
            kept["datatypes"] = sorted(asked.datatypes)
        if one is not None:
            kept["person"] = dict(zip(PERSON_VALUES, one.values, strict=True))
            if one.consented is not None:
                kept["consentItems"] = sorted(one.consented)
            if one.opened:
                kept["emergencyItems"] = sorted(one.opened)
        return kept

    def _keep(self, key: tuple[Any, ...], mask: Mask) -> Mask:
        self._masks[key] = mask
        if len(self._masks) > _MOST_MASKS:
            self._masks.popitem(last=False)
        return mask
