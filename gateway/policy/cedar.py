"""`Policy` by Cedar rules: one decision for an operation, one more for every distinct class of persons it meets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, TypeVar

import structlog

from gateway.clock import Clock, SystemClock
from gateway.errors import GatewayError
from gateway.policy.asked import Asked, PersonClass
from gateway.policy.attributes import PERSON_VALUES
from gateway.policy.decision import EXISTS, Effect, Mask, Question
from gateway.policy.evaluate import judge
from gateway.policy.facts import Facts, SubjectFacts
from gateway.policy.outcome import denied_mask, granted_mask
from gateway.policy.partition import Lot, Partitions, Verdict
from gateway.policy.public_rules import DEFAULT_DENY
from gateway.policy.purposes import PurposeRegister
from gateway.policy.ruleset import RuleSet
from gateway.policy.standing import Standing, Standings

_log = structlog.get_logger(__name__)

PERSON = "person"
JUVENILE = "juvenileRecords"
_MOST_KEPT = 4096
_Kept = TypeVar("_Kept")
_OUTSIDE = Verdict(False, outside=True)


# All that is known of a person, quick to compare and to hash: enum members by their text.
known_of = attrgetter(
    "case_link._value_", "case_role", "claimed_case", "relationship._value_", "seal._value_", "sealed_cases", "unsealed",
    "monitoring_order", "out_of_contact", "revocation_pending", "consent", "break_glass", "break_glass_items", "visible_from",
)  # fmt: skip


class _Plan:
    """An operation as one standing asks it: what may be granted of anybody, and the items left to be judged per person."""

    __slots__ = ("asked", "before", "mask", "open")

    def __init__(self, asked: Asked, before: Mapping[tuple[str, str], Verdict], mask: Mask) -> None:
        self.asked, self.before, self.mask = asked, before, mask
        self.open = [
            (noun, name)
            for noun, names in asked.items.items()
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
        self._facts, clock = facts, clock or SystemClock()
        self._partitions = partitions or Partitions(rules)
        self._standings = Standings(register, self._partitions, clock)
        self._plans: OrderedDict[tuple[Any, ...], _Plan] = OrderedDict()
        # The same by which object asks: a plan of a document asks with one and the same selection each time.
        self._met: OrderedDict[tuple[Any, ...], tuple[Mapping[str, frozenset[str]], _Plan]] = OrderedDict()
        self._masks: OrderedDict[tuple[Any, ...], Mask] = OrderedDict()

    async def decide(self, question: Question) -> Mask:
        plan = self._plan(question)
        if isinstance(plan, str):
            return Mask({}, (DEFAULT_DENY,), (), self.rules.version, denied=plan)
        return plan.mask

    async def decide_subjects(self, question: Question, mask: Mask, subjects: Sequence[str]) -> Sequence[Mask]:
        plan = self._plan(question)
        if mask.denied is not None or isinstance(plan, str) or not subjects:
            refused = mask if mask.denied is not None or not isinstance(plan, str) else replace(mask, denied=plan)
            return [refused] * len(subjects)
        if mask is not plan.mask:  # decided a while ago, and forgotten here since
            plan = _Plan(plan.asked, plan.before, mask)
        try:
            found = await self._facts.of(question.caller, question.purpose, subjects)
            return self._by_facts(plan, found)
        except GatewayError as error:
            _log.error("policy_without_facts", code=error.code)
        effects = {noun: dict.fromkeys(names, Effect.WITHHOLD) for noun, names in question.asked.items()}
        refused = Mask(effects, (DEFAULT_DENY,), (), self.rules.version, denied="POLICY_UNAVAILABLE")
        return [refused] * len(subjects)

    def forget(self, *, verdicts: bool = True) -> None:
        """Drop the masks, and what Cedar said unless `verdicts` is false; the handles stay. For measuring."""
        for kept in (self._plans, self._met, self._masks):
            kept.clear()
        self._standings.forget()
        if verdicts:
            self._partitions.forget()

    def _plan(self, question: Question) -> _Plan | str:
        """The operation as rules see it, or the code of its refusal."""
        standing = self._standings.of(question.caller, question.purpose)
        denied = standing.refusal(question.purpose)
        if denied is not None:
            return denied
        items = question.asked
        times = self._standings.times(standing) if standing.time_attributes else ()
        place = (standing, id(items), times)
        met = self._met.get(place)
        if met is not None and met[0] is items:
            return met[1]
        plan = self._planned(standing, times, items)
        _keep(self._met, place, (items, plan))
        return plan

    def _planned(self, standing: Standing, times: tuple[int, ...], items: Mapping[str, frozenset[str]]) -> _Plan:
        """What this asker may be granted of anybody at all. A lot is asked once, whatever number of items it has."""
        asked = Asked(
            standing.kind, standing.partner, items, standing.rule, standing.partition, standing.emergency,
            standing.asker(times), standing.datatypes,
        )  # fmt: skip
        plan = self._plans.get(asked.key)
        if plan is None:
            before = self._before_anybody(asked)
            mask = granted_mask(self.rules, asked.rule, asked.effect, before, None, self._inputs(asked))
            plan = _keep(self._plans, asked.key, _Plan(asked, before, mask))
        return plan

    def _before_anybody(self, asked: Asked) -> dict[tuple[str, str], Verdict]:
        """What can be said of each item while nobody in particular is asked about."""
        verdicts: dict[tuple[str, str], Verdict] = {}
        for noun, names in asked.items.items():
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

    def _by_facts(self, plan: _Plan, found: Sequence[SubjectFacts]) -> list[Mask]:
        """One mask for all of whom the same is known; equal facts often are one object."""
        places = list(map(id, found))
        distinct = dict(zip(places, found, strict=True))
        masks: dict[int, Mask] = {}
        new: dict[int, SubjectFacts] = {}
        for place, facts in distinct.items():
            mask = self._masks.get((plan.mask, known_of(facts)))
            if mask is None:
                new[place] = facts
            else:
                masks[place] = mask
        if new:
            cores = self._by_class(plan, list(new.values()))
            for (place, facts), core in zip(new.items(), cores, strict=True):
                mask = self._personal(core, facts)
                masks[place] = _keep(self._masks, (plan.mask, known_of(facts)), mask)
        return list(map(masks.__getitem__, places))

    def _by_class(self, plan: _Plan, found: Sequence[SubjectFacts]) -> list[Mask]:
        classes = [PersonClass.of(facts) for facts in found]
        keys = [("class", plan.mask, one.values, one.consented, one.opened) for one in classes]
        masks = {key: self._masks.get(key) for key in keys}  # what is kept meanwhile may push others out
        new = {key: one for key, one in zip(keys, classes, strict=True) if masks[key] is None}
        if new:
            self._judge_ahead(plan, list(new.values()))
            for key, one in new.items():
                masks[key] = _keep(self._masks, key, self._of_class(plan, one))
        return [core for key in keys if (core := masks[key]) is not None]

    def _judge_ahead(self, plan: _Plan, classes: Sequence[PersonClass]) -> None:
        """One batch for each lot, over all classes that are new to it; the ground first, for many end there."""
        asked = plan.asked
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

    def _of_class(self, plan: _Plan, one: PersonClass) -> Mask:
        asked = plan.asked
        inputs = self._inputs(asked, one)
        ground = self._verdict(asked, one, PERSON, EXISTS)
        if not ground.allowed:
            return denied_mask(self.rules, asked.items, ground, inputs, partner=asked.partner)
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
        if asked.partner and not made.granted_facts:  # consent to other items: not seen
            return denied_mask(self.rules, asked.items, Verdict(False), inputs, partner=True)
        minor = self._verdict(asked, one, PERSON, JUVENILE)
        return replace(made, hide_minor=False) if minor.allowed else made

    def _personal(self, core: Mask, facts: SubjectFacts) -> Mask:
        """What belongs to one person alone, laid over the mask of the class."""
        consent_id = facts.consent.consent_id if facts.consent is not None and core.denied is None else None
        hidden = facts.sealed_cases if core.denied is None else frozenset[str]()
        grant = f"break-glass:{facts.break_glass}" if "A17_RULE_WAIVED" in core.alarms else None
        if not hidden and facts.visible_from is None and consent_id is None and grant is None:
            return core
        key = ("personal", core, hidden, facts.visible_from, consent_id, grant)
        held = self._masks.get(key)
        if held is not None:
            return held
        inner = (*core.inner_rule_ids, grant) if grant is not None else core.inner_rule_ids
        return _keep(
            self._masks,
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
        return judge(policies, lot, asked.kind, asked.rule.code, contexts)

    def _inputs(self, asked: Asked, one: PersonClass | None = None) -> dict[str, Any]:
        """What the decision was made from, as codes, so that it can be made again. No id, no personal data."""
        kept: dict[str, Any] = {"kind": asked.kind, "asker": asked.asker}
        if asked.datatypes is not None:
            kept["datatypes"] = sorted(asked.datatypes)
        if one is not None:
            kept["person"] = dict(zip(PERSON_VALUES, one.values, strict=True))
            if one.consented is not None:
                kept["consentItems"] = sorted(one.consented)
            if one.opened:
                kept["emergencyItems"] = sorted(one.opened)
        return kept


def _keep(held: OrderedDict[tuple[Any, ...], _Kept], key: tuple[Any, ...], value: _Kept) -> _Kept:
    held[key] = value
    if len(held) > _MOST_KEPT:
        held.popitem(last=False)
    return value
