"""Recorded decisions put to rules again: under the version of their day, or under two sets, to see who gains and loses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.policy.cases import Case, put, recorded
from gateway.policy.decision import EXISTS, Effect
from gateway.policy.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Decided:
    """An access event as far as rules are concerned: codes only. `fields`: granted if `allowed`, else asked for."""

    event_id: str
    at: datetime
    purpose: str
    case_no: str | None
    fields: tuple[str, ...]
    allowed: bool
    rule_ids: tuple[str, ...]
    policy_version: str
    inputs: Mapping[str, Any] = field(repr=False)

    @property
    def items(self) -> list[str]:
        """Everything that was asked for."""
        return sorted({*self.fields, *self.inputs.get("withheld", ())})

    @property
    def case(self) -> Case:
        return recorded(self.inputs, self.purpose, self.case_no, self.items, self.at)

    @property
    def granted(self) -> frozenset[str]:
        return frozenset(self.fields) if self.allowed else frozenset()


@dataclass(frozen=True, slots=True)
class Moved:
    """Requests alike in kind, purpose and item that another set of rules would answer otherwise."""

    kind: str
    purpose: str
    item: str
    gained: bool
    requests: int
    rules: tuple[str, ...]  # that decide under the new set


async def granted_by(rules: RuleSet, case: Case) -> tuple[frozenset[str], tuple[str, ...]]:
    """The items these rules give for a case, and the rules that decided."""
    outcome = await put(rules, case)
    given = frozenset(item for item in case.items if outcome.effect(item) in (Effect.ALLOW, Effect.MASK))
    return given, outcome.rules


@dataclass(frozen=True, slots=True)
class Replayed:
    """An old decision made again: what was given then and what the same rules give now, over the same items."""

    then: frozenset[str]
    now: frozenset[str]
    rules: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.then == self.now


async def replay(rules: RuleSet, decided: Decided) -> Replayed:
    """Under the rules of its day this must come out the same: a decision is a function of its inputs and nothing else."""
    given, named = await granted_by(rules, decided.case)
    return Replayed(_leaves(decided.granted), _leaves(given), named)


async def compare(old: RuleSet, new: RuleSet, recorded_requests: Sequence[Decided]) -> list[Moved]:
    """Who would gain or lose what, most requests first. Equal requests are decided once and counted."""
    alike: Counter[tuple[str, str, bool, tuple[str, ...]]] = Counter()
    first: dict[tuple[str, str, bool, tuple[str, ...]], Decided] = {}
    for decided in recorded_requests:
        key = (repr(decided.inputs), decided.purpose, bool(decided.case_no), tuple(decided.items))
        alike[key] += 1
        first.setdefault(key, decided)
    moved: Counter[tuple[str, str, str, bool, tuple[str, ...]]] = Counter()
    for key, requests in alike.items():
        case = first[key].case
        before, _ = await granted_by(old, case)
        after, rules = await granted_by(new, case)
        for item in _leaves(before ^ after):
            moved[case.kind, case.purpose, item, item in after, rules] += requests
    return [
        Moved(kind, purpose, item, gained, requests, rules)
        for (kind, purpose, item, gained, rules), requests in moved.most_common()
    ]


def _leaves(items: frozenset[str]) -> frozenset[str]:
    return frozenset(item for item in items if not item.endswith(f".{EXISTS}"))
