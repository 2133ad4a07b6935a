"""An operation, and a class of persons, as the rules see them: what policy looks at, and nothing that tells anybody apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.policy.attributes import PERSON_VALUES
from gateway.policy.decision import EXISTS, Effect
from gateway.policy.facts import SubjectFacts
from gateway.policy.partition import Lot, Partition, Verdict
from gateway.policy.purposes import PurposeRule


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation as the rules see it: whose purpose, which rules, what the asker is, what the token is limited to."""

    kind: str  # of the asker's organisation
    partner: bool
    items: Mapping[str, frozenset[str]]  # noun -> facts asked for, EXISTS among them
    rule: PurposeRule
    partition: Partition
    emergency: Partition  # the same with the rules for emergencies
    asker: Mapping[str, Any]
    datatypes: frozenset[str] | None

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.rule.code, self.kind, *self.asker.values(), self.datatypes, *self.items.items())

    def of(self, one: PersonClass) -> Partition:
        return self.emergency if one.emergency else self.partition

    def named(self, noun: str, name: str) -> bool:
        """Whether the purpose reaches this item at all, and the token too."""
        if noun not in self.rule.nouns:
            return False
        fields = self.rule.nouns[noun]
        if fields is not None and name not in fields and name != EXISTS:
            return False
        return self.datatypes is None or name == EXISTS or f"{noun}.{name}" in self.datatypes

    def effect(self, noun: str, name: str, verdict: Verdict) -> Effect:
        if not verdict.allowed:
            return Effect.WITHHOLD
        return Effect.MASK if verdict.masked or name in self.rule.masks.get(noun, ()) else Effect.ALLOW


@dataclass(frozen=True, slots=True)
class PersonClass:
    """Persons who are alike in everything rules can look at."""

    values: tuple[Any, ...]  # in the order of PERSON_VALUES
    consented: frozenset[str] | None
    opened: frozenset[str]  # by an emergency grant: "noun.field", or a whole "noun"
    emergency: bool

    @classmethod
    def of(cls, facts: SubjectFacts) -> PersonClass:
        glass = facts.break_glass is not None
        return cls(
            tuple(value(facts) for value in PERSON_VALUES.values()),
            facts.consent.items if facts.consent is not None else None,
            facts.break_glass_items if glass else frozenset(),
            glass,
        )

    def context(self, asked: Asked, lot: Lot, path: str) -> dict[str, Any]:
        known = dict(zip(PERSON_VALUES, self.values, strict=True))
        known["consented"] = self.consented is not None and path in self.consented
        noun, _, name = path.partition(".")
        known["emergencyNamed"] = (
            path in self.opened
            or noun in self.opened
            or (name == EXISTS and any(item.startswith(f"{noun}.") for item in self.opened))
        )
        return {name: known[name] if name in known else asked.asker[name] for name in lot.attributes}
