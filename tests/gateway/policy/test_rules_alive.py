"""Every rule, and every condition of one, is alive: without it some example or some line of the law is no longer true.

Mutants are made from Cedar's own tree: a rule left out, one operand of an "and" or an "or" left out, a whole `when` or
`unless` left out. What survives must stand in `SECOND_LOCKS` with the reason why nothing shows it, and nothing else may.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cedarpy
import pytest

from gateway.policy.cases import Case, put
from gateway.policy.decision import Effect
from gateway.policy.examples import difference
from gateway.policy.items import DeclaredNoun
from gateway.policy.purposes import read_register, register_of
from gateway.policy.ruleset import RuleSet, read_rules, scope_entities
from tests.gateway.policy.law import (
    BY_SYSTEMS,
    EMERGENCY,
    FOR_CREDENTIALS,
    PARTNERS,
    PURPOSES,
    ROW,
    Asked,
    may_see,
    minors_shown,
)
from tests.gateway.policy.test_access_table import EXAMPLES_GIVEN, KINDS, as_case, within_purpose

LAND = """
[LAND]
title = { zh = "不动产", en = "Land" }
legal_basis = { zh = "据", en = "basis" }
case_required = false
org_kinds = ["LAND_OFFICE"]
nouns = { landParcel = "*", landMap = "*", landSecret = "*" }
"""
RULES = read_rules(
    register_of([*read_register().texts, ("land.toml", LAND)]),
    declared={
        "landParcel": DeclaredNoun("C", {"no": "PERSONAL"}),
        "landMap": DeclaredNoun("U", {"no": "GENERAL"}),
        "landSecret": DeclaredNoun("N", {"no": "PERSONAL"}),
    },
)
"""The shipped rules, and an application that has joined them."""

NOT_PARTNER, OFFICER_ONLY = '(context.caller) != "PARTNER"', '(context.caller) == "OFFICER"'
GROUND = "a partner's client of such a body finds no ground: whether and what are both asked about the caller"
CONSENT = (
    "without consent nothing is granted of the items, and who is granted nothing is answered as one without consent"
)
NOBODY = "what it forbids, nothing permits in the first place; it stands so that a later permit cannot open it"
DERIVED = "follows from another attribute: an emergency names an item only where there is a grant"
SECOND_LOCKS: Mapping[str, str] = {
    **{
        f"{rule} - {NOT_PARTNER}": GROUND
        for rule in (
            "person-case-link", "identity-basics", "judgments-corrections", "judgments-procuratorate", "judgments-court",
            "judgments-police", "judgments-prison", "livelihood-corrections", "livelihood-procuratorate",
            "aftercare-corrections", "supervision-corrections", "supervision-procuratorate", "supervision-court-revocation",
            "penalties-case-organs", "juvenile-agency", "juvenile-judicial", "juvenile-unsealed",
        )
    },
    **{
        f"{rule} - {condition}": "a system finds its ground in a case alone, and who is no system finds none"
        for rule in ("credential-facts-livelihood", "credential-facts-conduct", "credential-facts-case")
        for condition in ('(context.caller) == "SYSTEM"', '(context.caseLink) != "NONE"')
    },
    **{f"{rule} - {NOT_PARTNER} (2)": GROUND for rule in ("sealed-juvenile", "sealed-public-order")},
    **{
        f"{rule} - {OFFICER_ONLY}": "location-corrections-only says the same of all location"
        for rule in ("location-assigned-officer", "location-police", "location-procuratorate")
    },
    'credential-facts-livelihood - when ((context.caller) == "SYSTEM") && ((context.caseLink) != "NONE")': (
        "the ground says both: see the two halves above"
    ),
    "statement-consent - (context.caller) == \"PARTNER\"": "person-consent says the same before",
    "own-log - when (context.relationship) == \"SELF\"": "person-self says the same before",
    "emergency-items - context.breakGlass": DERIVED,
    "juvenile-unsealed - unless principal in KindGroup::\"corrections\"": "juvenile-agency gives the agency the same",
}  # fmt: skip
ALL_OF_IT: Mapping[str, str] = {
    "not-shared-class": "what is of this class is also hidden, biometric or in no register",
    "penalties-sealed": NOBODY,
    "partners-nothing-else": NOBODY,
    "person-consent": CONSENT,
}
"""Rules that are second locks as a whole: any part of them may go unnoticed."""


@dataclass(frozen=True)
class Mutant:
    """One rule changed in one place; `conditions` None: the rule is gone."""

    rule: str
    name: str
    conditions: Sequence[Any] | None

    def rules(self) -> RuleSet:
        held = dict(RULES.rules)
        if self.conditions is None:
            del held[self.rule]
        else:
            was = held[self.rule]
            held[self.rule] = replace(was, tree={**was.tree, "conditions": list(self.conditions)})
        return replace(RULES, version=self.name, rules=held)


def mutants(rule: str) -> list[Mutant]:
    """Each with a name of its own: what stands twice in a rule is numbered."""
    found: dict[str, Mutant] = {}
    conditions = RULES.rules[rule].tree.get("conditions", [])
    lost: list[tuple[str, Sequence[Any] | None]] = [("the rule", None)]
    for number, condition in enumerate(conditions):
        before, behind = conditions[:number], conditions[number + 1 :]
        lost.append((f"{condition['kind']} {_words(condition['body'])}", [*before, *behind]))
        lost += [
            (words, [*before, {**condition, "body": body}, *behind])
            for words, body in _operands(condition["body"])
            if body is not None
        ]
    for words, left in lost:
        name = f"{rule} - {words}"
        times = sum(one == name or one.startswith(f"{name} (") for one in found)
        name = f"{name} ({times + 1})" if times else name
        found[name] = Mutant(rule, name, left)
    return list(found.values())


def _operands(node: Any) -> Iterator[tuple[str, Any]]:
    """(what is left out, what is left of the node); the rest is None where nothing is."""
    for operator in ("&&", "||"):
        sides = node.get(operator) if isinstance(node, Mapping) else None
        if isinstance(sides, Mapping):
            for here, there in (("left", "right"), ("right", "left")):
                for words, rest in _operands(sides[here]):
                    yield words, sides[there] if rest is None else {operator: {**sides, here: rest}}
            return
    yield _words(node), None


def _words(node: Any) -> str:
    """The condition as Cedar text, in one line."""
    tree = {
        "effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"},
        "conditions": [{"kind": "when", "body": node}],
    }  # fmt: skip
    text = cedarpy.policies_from_json_str(
        json.dumps({"templates": {}, "staticPolicies": {"one": tree}, "templateLinks": []})
    )
    return " ".join(text.partition("when {")[2].rpartition("}")[0].split())


FAR: Sequence[Mapping[str, Any]] = (
    {"caller": "SYSTEM"}, {"caller": "PARTNER"}, {"caller": "OFFICER"}, {"level": 1}, {"case_link": "ORGANISATION"},
    {"case_link": "NONE"}, {"case_part": ""}, {"claimed": False}, {"seal": "SEALED_JUVENILE"}, {"seal": "SEALED_PUBLIC_ORDER"},
    {"unsealed": False}, {"order": False}, {"out_of_contact": False}, {"revocation": False}, {"consented": "THIS"},
    {"consented": None}, {"case_part": "", "emergency": "THIS"}, {"case_link": "NONE", "emergency": "THIS"},
)  # fmt: skip
ALONE: Sequence[Mapping[str, Any]] = (
    {"relationship": "SELF"}, {"relationship": "RELATIVE"}, {"relationship": "FORMER_SPOUSE"},
    {"consented": frozenset(EMERGENCY)}, {"case_link": "NONE", "emergency": frozenset({"identity.sex"})},
)  # fmt: skip


def neighbourhood() -> list[Asked]:
    """From what is wholly in order every single step away, for each purpose, body and row of the table; and every two
    steps for the rows that the purpose is for. What is near comes first, for most mutants show there."""
    near: dict[Asked, None] = {}
    far: dict[Asked, None] = {}
    for purpose, (kinds, rows) in PURPOSES.items():
        for kind, (row, item) in itertools.product(sorted(kinds), _one_each(purpose).items()):
            partner = kind in PARTNERS
            good = Asked(
                kind=kind, caller="PARTNER" if partner else "SYSTEM" if purpose in BY_SYSTEMS else "OFFICER", level=2, purpose=purpose, item=item,
                case_link="ASSIGNED", claimed=True, case_part="SUPERVISING" if purpose in FOR_CREDENTIALS else "DECIDING", relationship="NONE", seal="NONE", unsealed=True,
                order=True, out_of_contact=True, revocation=True,
                consented=frozenset({item}) if partner else None, emergency=None,
            )  # fmt: skip
            steps = [{name: frozenset({item}) if to == "THIS" else to for name, to in one.items()} for one in FAR]
            near |= dict.fromkeys([good, *(replace(good, **one) for one in (*steps, *ALONE))])
            if row in rows:
                far |= dict.fromkeys(
                    replace(good, **{**one, **other}) for one, other in itertools.combinations(steps, 2)
                )
    return list(near | far)


def _one_each(purpose: str) -> Mapping[str, str]:
    """An item of each row: the first that the purpose reaches, where it reaches any."""
    found: dict[str, str] = {}
    for item, row in ROW.items():
        if row not in found or (_reached(purpose, item) and not _reached(purpose, found[row])):
            found[row] = item
    return found


def _reached(purpose: str, item: str) -> bool:
    noun, _, name = item.partition(".")
    fields = RULES.register.rules[purpose].nouns.get(noun, frozenset())
    return fields is None or name in fields


@dataclass(frozen=True)
class Probe:
    """A question and what the law says of it: whether the item is given, and whether rows of minors are."""

    case: Case
    granted: bool
    minors: bool | None = None

    async def right(self, rules: RuleSet) -> bool:
        outcome = await put(rules, self.case)
        if (outcome.effect(self.case.items[0]) in (Effect.ALLOW, Effect.MASK)) != self.granted:
            return False
        return self.minors is None or outcome.mask.denied is not None or outcome.mask.hide_minor is not self.minors


def _land(noun: str, caller: str, granted: bool) -> Probe:
    return Probe(Case("LAND_OFFICE", "LAND", [f"{noun}.no"], {"caller": caller}, None), granted)


PROBES = [
    *(Probe(as_case(one), may_see(one) and within_purpose(one), minors_shown(one)) for one in neighbourhood()),
    *(_land(noun, caller, caller != "PARTNER" and noun != "landSecret")
      for noun in ("landParcel", "landMap", "landSecret") for caller in ("OFFICER", "SYSTEM", "PARTNER")),
]  # fmt: skip


def near(rule: str) -> list[Probe]:
    """The probes its scope is about."""
    tree = RULES.rules[rule].tree
    kinds = {kind for kind in (*KINDS, "LAND_OFFICE") if _may(tree["principal"], kind, RULES.groups_of_kind(kind))}
    purposes = {purpose for purpose in RULES.register.rules if _may(tree["action"], purpose, frozenset())}
    items = {
        f"{noun}.{name}"
        for noun, names in RULES.items.items.items()
        for name, item in names.items()
        if _may(tree["resource"], "person.exists", frozenset())
        or (noun == "correctionCase" and _may(tree["resource"], "person.juvenileRecords", frozenset()))
        or _may(tree["resource"], f"{noun}.{name}", frozenset({noun, *item.groups}))
    }
    return [
        one for one in PROBES if one.case.kind in kinds and one.case.purpose in purposes and one.case.items[0] in items
    ]


def _may(scope: Mapping[str, Any], name: str, inside: frozenset[str]) -> bool:
    names = {str(entity["id"]) for entity in scope_entities(scope)}
    return not names or bool(names & {name, *inside})


async def noticed(mutant: Mutant, probes: Sequence[Probe]) -> bool:
    rules = mutant.rules()
    for example in EXAMPLES_GIVEN:
        if difference(example, await put(rules, example.case)):
            return True
    for probe in probes:
        if not await probe.right(rules):
            return True
    return False


def test_the_rules_say_what_the_law_says_everywhere_near_its_edges() -> None:
    async def wrong() -> list[Probe]:
        return [one for one in PROBES if not await one.right(RULES)]

    assert asyncio.run(wrong()) == []


@pytest.mark.parametrize("rule", sorted(RULES.rules))
def test_without_a_rule_or_a_condition_of_it_something_is_no_longer_true(rule: str) -> None:
    async def silent() -> AsyncIterator[str]:
        probes = near(rule)
        for mutant in mutants(rule):
            if not await noticed(mutant, probes):
                yield mutant.name

    async def unnoticed() -> set[str]:
        return {name async for name in silent()}

    async def some() -> bool:
        async for _ in silent():
            return True
        return False

    if rule in ALL_OF_IT:
        assert asyncio.run(some()), f"{rule} is noticed by now: take it out of ALL_OF_IT"
    else:
        assert asyncio.run(unnoticed()) == {name for name in SECOND_LOCKS if name.startswith(f"{rule} - ")}


def test_second_locks_are_of_rules_that_there_are() -> None:
    names = {mutant.name for rule in RULES.rules for mutant in mutants(rule)}
    assert SECOND_LOCKS.keys() <= names
    assert ALL_OF_IT.keys() <= RULES.rules.keys()
