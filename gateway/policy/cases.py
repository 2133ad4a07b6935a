"""A single made-up or recorded question, put to a set of rules: for examples, explanations and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from gateway.caller import Caller, CallerKind, SharingDetail
from gateway.consent.ports import ConsentInForce
from gateway.policy.attributes import ASKER_VALUES, TIME_VALUES
from gateway.policy.cedar import CedarPolicy
from gateway.policy.decision import EXISTS, Effect, Mask, Purpose, Question
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts
from gateway.policy.partition import Partitions
from gateway.policy.ruleset import RuleSet

NOON = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
_FACTS = {
    "caseLink": ("case_link", CaseLink),
    "casePart": ("case_role", str),
    "claimedCase": ("claimed_case", bool),
    "relationship": ("relationship", Relationship),
    "seal": ("seal", Seal),
    "unsealed": ("unsealed", bool),
    "monitoringOrder": ("monitoring_order", bool),
    "outOfContact": ("out_of_contact", bool),
    "revocationPending": ("revocation_pending", bool),
}
_ASKER = {"caller", "roles", "posts", "jurisdiction", "level", *TIME_VALUES}


@dataclass(frozen=True, slots=True)
class Case:
    """Who asks, for what, of whom, which items; all as codes. `person` None: nobody in particular.

    `consent` and `emergency` list what the person's consent and an emergency grant name; None where there is none.
    """

    kind: str
    purpose: str
    items: Sequence[str]  # "noun.field"
    asker: Mapping[str, Any]
    person: Mapping[str, Any] | None
    case_no: str | None = "1"
    consent: frozenset[str] | None = None
    emergency: frozenset[str] | None = None
    datatypes: frozenset[str] | None = None
    at: datetime = NOON

    @property
    def question(self) -> Question:
        asked: dict[str, set[str]] = {}
        for item in self.items:
            noun, _, name = item.partition(".")
            asked.setdefault(noun, {EXISTS}).add(name)
        caller = self._caller()
        return Question(
            caller, Purpose(self.purpose, self.case_no), {noun: frozenset(names) for noun, names in asked.items()}
        )

    @property
    def facts(self) -> SubjectFacts:
        given = {
            _FACTS[name][0]: _FACTS[name][1](value) for name, value in (self.person or {}).items() if name in _FACTS
        }
        consent = None
        if self.consent is not None:
            consent = ConsentInForce("example", self.consent, self.at + timedelta(days=1))
        return SubjectFacts(
            **given,
            consent=consent,
            break_glass="example" if self.emergency is not None else None,
            break_glass_items=self.emergency or frozenset(),
        )

    def _caller(self) -> Caller:
        kind = CallerKind(self.asker.get("caller", "OFFICER"))
        details: tuple[SharingDetail, ...] = ()
        if kind is CallerKind.PARTNER or self.datatypes is not None:
            everything = self.datatypes if self.datatypes is not None else frozenset(self.items)
            details = (SharingDetail(self.purpose, datatypes=everything),)
        return Caller(
            user_id="someone",
            org_id="somewhere",
            org_kind=self.kind,
            roles=frozenset(self.asker.get("roles", ())),
            token_id="",
            expires_at=self.at + timedelta(days=1),
            purposes=frozenset({self.purpose}),
            kind=kind,
            jurisdiction=str(self.asker.get("jurisdiction", "")),
            posts=frozenset(self.asker.get("posts", ())),
            level=int(self.asker.get("level", 2)),
            details=details,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: the operation's mask, the person's where there is one."""

    plan: Mask
    mask: Mask

    def effect(self, item: str) -> Effect:
        noun, _, name = item.partition(".")
        if self.mask.denied is not None:
            return Effect.WITHHOLD
        return self.mask.effects.get(noun, {}).get(name, Effect.WITHHOLD)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that decided, inside and outside."""
        return (*self.mask.inner_rule_ids, *self.mask.rule_ids)


class _These:
    def __init__(self, facts: SubjectFacts) -> None:
        self._facts = facts

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        return [self._facts] * len(subjects)


class _Then:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


@lru_cache(maxsize=4)
def _partitions(rules: RuleSet) -> Partitions:
    """Many cases are put to the same few sets."""
    return Partitions(rules)


async def put(rules: RuleSet, case: Case) -> Outcome:
    """What these rules say of this case. The same code decides as in service, on facts that are given."""
    policy = CedarPolicy(rules.register, rules, _These(case.facts), _Then(case.at), _partitions(rules))
    question = case.question
    plan = await policy.decide(question)
    if plan.denied is not None or case.person is None:
        return Outcome(plan, plan)
    return Outcome(plan, (await policy.decide_subjects(question, plan, ["someone"]))[0])


def recorded(inputs: Mapping[str, Any], purpose: str, case_no: str | None, items: Sequence[str], at: datetime) -> Case:
    """The case an access event was, from its `Mask.inputs`."""
    person = inputs.get("person")
    return Case(
        kind=inputs["kind"],
        purpose=purpose,
        items=[item for item in items if not item.endswith(f".{EXISTS}")] or items,
        asker={name: value for name, value in inputs["asker"].items() if name in ASKER_VALUES},
        person=person,
        case_no=case_no,
        consent=_set(inputs.get("consentItems")),
        emergency=frozenset(inputs.get("emergencyItems", ())) if person is not None and person["breakGlass"] else None,
        datatypes=_set(inputs.get("datatypes")),
        at=at,
    )


def _set(items: Sequence[str] | None) -> frozenset[str] | None:
    return None if items is None else frozenset(items)


def faults_of(asker: Mapping[str, Any], person: Mapping[str, Any]) -> list[str]:
    """What a written case says that no rule could ever look at."""
    found = [f"asker.{name} is not known; there are {', '.join(sorted(_ASKER))}" for name in asker.keys() - _ASKER]
    found += [f"person.{name} is not known; there are {', '.join(_FACTS)}" for name in person.keys() - _FACTS.keys()]
    for name, value in person.items():
        if name in _FACTS:
            try:
                _FACTS[name][1](value)
            except ValueError:
                found.append(f"person.{name} is never {value}")
    return found
