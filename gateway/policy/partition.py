"""Which rules can matter to a kind of organisation, a purpose and an item: most questions need a handful of them.

Scopes (principal, action, resource) say so before anybody asks. Cedar still evaluates the whole policy; leaving one
out that cannot apply changes nothing, and a test compares with the whole set.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cedarpy

from gateway.policy.attributes import ATTRIBUTES, Of
from gateway.policy.conditions import looks_at_resource, mentioned, needs_person, places, requires
from gateway.policy.rule_text import RuleText
from gateway.policy.ruleset import RuleSet, scope_entities

_MOST_PARTITIONS = 1024
_MOST_VERDICTS = 4096


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one item for one class of askers and persons."""

    allowed: bool
    masked: bool = False
    permits: tuple[str, ...] = ()  # that hold, where it is allowed
    forbids: tuple[str, ...] = ()  # that hold, where one refuses
    failed: bool = False  # an error inside, which is a refusal
    outside: bool = False  # the purpose or the token does not reach the item, so no rule was asked


@dataclass(eq=False)
class Lot:
    """Items to which the very same rules apply, so that one of them speaks for all. Asked once per distinct class."""

    item: str  # the one that is asked about
    rules: Mapping[str, RuleText]  # by Cedar's own id in the sets below
    policies: cedarpy.PolicySet
    early: cedarpy.PolicySet | None  # what can be said before the person is known; None where no rule looks at persons
    attributes: tuple[str, ...]  # the attributes any of the rules looks at, sorted
    early_attributes: tuple[str, ...]
    per_item: bool  # some rule looks at what holds for one item only
    entities: cedarpy.Entities  # the item and the kind of organisation, and no other: Cedar is quicker with few
    verdicts: OrderedDict[Hashable, Verdict] = field(default_factory=OrderedDict)

    def key(self, context: Mapping[str, Any]) -> Hashable:
        """What a verdict depends on. Where no rule looks at persons, the early verdict is the last word."""
        return ("early", *_plain(context)) if self.early is None else tuple(_plain(context))

    def keep(self, key: Hashable, verdict: Verdict) -> Verdict:
        self.verdicts[key] = verdict
        if len(self.verdicts) > _MOST_VERDICTS:
            self.verdicts.popitem(last=False)
        return verdict


def _plain(context: Mapping[str, Any]) -> Iterable[Hashable]:
    return context.values()


class Partition:
    """The rules one kind of organisation can meet under one purpose, and the lots of items they make.

    Without `emergency`, permits that need an emergency grant are left out: towards most persons there is none.
    """

    def __init__(self, rule_set: RuleSet, kind: str, purpose: str, emergency: bool) -> None:
        self._rule_set, self._kind = rule_set, kind
        groups = rule_set.groups_of_kind(kind)
        self.rules = {
            rule.id: rule
            for rule in rule_set.rules.values()
            if _covers(rule.tree["principal"], kind, groups)
            and _covers(rule.tree["action"], purpose, frozenset())
            and (emergency or not rule.permits or not requires(rule.tree.get("conditions", []), "breakGlass"))
        }
        self._of_item: dict[tuple[str, str], Lot] = {}
        self._lots: dict[Hashable, Lot] = {}
        self.time_attributes = tuple(
            name
            for name, attribute in ATTRIBUTES.items()
            if attribute.of is Of.TIME
            and any(name in mentioned(rule.tree.get("conditions", [])) for rule in self.rules.values())
        )

    @property
    def lots(self) -> Iterable[Lot]:
        return self._lots.values()

    def lot(self, noun: str, name: str) -> Lot:
        lot = self._of_item.get((noun, name))
        if lot is None:
            lot = self._of_item[noun, name] = self._make(noun, name)
        return lot

    def _make(self, noun: str, name: str) -> Lot:
        item = self._rule_set.items.get(noun, name)
        path = f"{noun}.{name}"
        inside = frozenset({noun, *item.groups})
        # Of an item nobody registered Cedar knows nothing; no rule can permit it.
        known = name in self._rule_set.items.items.get(noun, {})
        applicable = [rule for rule in self.rules.values() if known and _covers(rule.tree["resource"], path, inside)]
        conditions = [rule.tree.get("conditions", []) for rule in applicable]
        signature = (
            tuple(rule.id for rule in applicable),
            (item.share_class, item.sensitivity) if looks_at_resource(conditions) else None,
            places(conditions) & (inside | {path}),
        )
        lot = self._lots.get(signature)
        if lot is None:
            lot = self._lots[signature] = _lot(path, applicable, self._rule_set.entities_of(self._kind, noun, name))
        return lot


class Partitions:
    """Every partition asked for so far, a bounded number of them."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._rule_set = rule_set
        self._made: OrderedDict[tuple[str, str, bool], Partition] = OrderedDict()

    def of(self, kind: str, purpose: str, *, emergency: bool = False) -> Partition:
        partition = self._made.get((kind, purpose, emergency))
        if partition is None:
            partition = self._made[kind, purpose, emergency] = Partition(self._rule_set, kind, purpose, emergency)
            if len(self._made) > _MOST_PARTITIONS:
                self._made.popitem(last=False)
        return partition

    def forget(self) -> None:
        """Drop the verdicts, the compiled sets stay."""
        for partition in self._made.values():
            for lot in partition.lots:
                lot.verdicts.clear()


def _lot(path: str, applicable: Iterable[RuleText], entities: cedarpy.Entities) -> Lot:
    rules = {rule.id: rule for rule in applicable}
    trees = {rule.id: _tree(rule, rule.tree.get("conditions", [])) for rule in rules.values()}
    early: dict[str, Any] = {}
    late = False
    for rule in rules.values():
        conditions = rule.tree.get("conditions", [])
        known = [condition for condition in conditions if not needs_person(condition)]
        late = late or len(known) < len(conditions)
        # A permit may yet hold, whoever it is; a forbid counts early only where it holds for everybody.
        if rule.permits or len(known) == len(conditions):
            early[rule.id] = _tree(rule, known)
    attributes = frozenset().union(*(mentioned(rule.tree.get("conditions", [])) for rule in rules.values()))
    early_attributes = frozenset().union(*(mentioned(tree["conditions"]) for tree in early.values()))
    return Lot(
        path,
        rules,
        _policies(trees),
        _policies(early) if late else None,
        tuple(sorted(attributes)),
        tuple(sorted(early_attributes)),
        any(ATTRIBUTES[name].of is Of.ITEM for name in attributes),
        entities,
    )


def _tree(rule: RuleText, conditions: Any) -> dict[str, Any]:
    return {**rule.tree, "conditions": conditions}


def _policies(trees: Mapping[str, Any]) -> cedarpy.PolicySet:
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"templates": {}, "staticPolicies": trees, "templateLinks": []}, ensure_ascii=False)
    )


def _covers(scope: Mapping[str, Any], name: str, inside: frozenset[str]) -> bool:
    """Whether a scope can cover `name`, which lies in the groups `inside`. What is not understood covers."""
    operator = scope.get("op")
    names = {str(entity["id"]) for entity in scope_entities(scope)}
    if operator == "All" or not names:
        return True
    if operator == "==":
        return name in names
    return bool(names & ({name} | inside))
