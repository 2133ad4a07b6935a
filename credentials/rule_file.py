"""A type's requirements, evidence and predicates, read from its file and held against its claims and facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from credentials.conditions import read_conditions
from credentials.credential_type import ClaimType
from credentials.rules import PERSON, Among, Evidence, Given, Predicate, Requirement, Rule
from credentials.toml_form import Form

_ID = re.compile(r"[a-z][a-z0-9-]{0,63}")
_ID_RULE = "small letters, digits and hyphens"
_HOLDER = frozenset({"name", "nameMasked"})
_MOST_STALE = 400
DIVISION = "division"
"""`named = "division"`: the claim holds what the division behind a code is called."""
_COUNTY = 6


def read_rule(top: Form, claims: Sequence[ClaimType], facts: Mapping[str, tuple[str, ...]]) -> Rule:
    """Every fault goes to the form; what comes back is of use only where there was none."""
    names = {one.name for one in claims}
    requirements = tuple(_requirement(form, names, facts) for form in top.tables("requirements", required=True))
    if not requirements and isinstance(top.data.get("requirements"), list):
        top.fault("requirements", "there must be one requirement at least: what is always true says nothing")
    predicates = tuple(_predicate(form, names, facts) for form in top.tables("predicates"))
    person = tuple(_of_person(top.table("person"), names))
    rule = Rule(requirements, predicates, person)
    _check_claims(top, rule, claims)
    _check_facts(top, rule, facts)
    return rule


def _requirement(form: Form, names: set[str], facts: Mapping[str, tuple[str, ...]]) -> Requirement:
    id_ = form.word("id", _ID, _ID_RULE)
    form.both("title")
    evidence = tuple(_evidence(inner, names, facts) for inner in form.tables("evidence", required=True))
    if not evidence and form.has("evidence"):
        form.fault("evidence", "a requirement needs one piece of evidence at least")
    form.done()
    alternatives = {_alike(one.gives) for one in evidence}
    if len(alternatives) > 1 and len({one.noun for one in evidence}) > 1:
        form.fault(
            "evidence",
            "alternatives of different nouns must give the same claims the same constants: else the credential would "
            "change when the source of one is down",
        )
    if any(given.field is not None for one in evidence for given in one.gives) and len({e.noun for e in evidence}) > 1:
        form.fault("evidence", "a claim read from a record cannot come from alternatives of different nouns")
    return Requirement(id_, evidence)


def _alike(gives: Sequence[Given]) -> str:
    return repr(sorted((one.claim, repr(one.value), one.field or "", one.first or 0, one.named) for one in gives))


def _predicate(form: Form, names: set[str], facts: Mapping[str, tuple[str, ...]]) -> Predicate:
    claim = form.text("claim")
    if claim and claim not in names:
        form.fault("claim", f'"{claim[:60]}" is none of the claims')
    evidence = _evidence(form, names, facts, predicate=True)
    return Predicate(claim, evidence)


def _evidence(
    form: Form, names: set[str], facts: Mapping[str, tuple[str, ...]], *, predicate: bool = False
) -> Evidence:
    id_ = form.text("claim") if predicate else form.word("id", _ID, _ID_RULE)
    form.both("title", required=not predicate)
    noun = form.text("noun")
    if noun and noun not in facts:
        form.fault("noun", f'"{noun[:60]}" is none of the nouns under facts')
    fields = frozenset(facts.get(noun, ()))
    newest, same = form.text("newest", ""), form.text("same", "")
    for key, name in (("newest", newest), ("same", same)):
        if name and name not in fields:
            form.fault(key, f'"{name[:60]}" is no field that facts names for this noun')
    evidence = Evidence(
        id_,
        noun,
        read_conditions(form, "where", fields),
        read_conditions(form, "unless", fields),
        Among(form.choice("among", [one.value for one in Among], Among.SOME.value)),
        form.number("stale_days", 0, 0, _MOST_STALE),
        newest or None,
        same or None,
        () if predicate else tuple(_gives(form.table("gives"), names, fields)),
    )
    if not evidence.where:
        form.fault("where", "evidence says which records count: where = [{ field = ..., ... }]")
    if evidence.among is Among.NONE and any(one.field is not None for one in evidence.gives):
        form.fault("gives", "where there is to be no record, none can give a value")
    form.done()
    return evidence


def _gives(form: Form, names: set[str], fields: frozenset[str]) -> Iterator[Given]:
    for claim in form.data:
        if claim not in names:
            form.fault(claim, f'"{claim[:60]}" is none of the claims')
        inner = form.table(claim)
        value = _constant(inner)
        name = inner.text("field", "") or None
        first = inner.number("first", 0, 1, 64) or None
        named = inner.choice("named", ("", DIVISION), "") == DIVISION
        inner.done()
        if (value is None) == (name is None):
            form.fault(claim, "a claim is given either a value or a field")
        if named and first != _COUNTY:
            inner.fault("named", "a division has its name by the first six digits of its code: first = 6")
        if name is not None and name not in fields:
            inner.fault("field", f'"{name[:60]}" is no field that facts names for this noun')
        yield Given(claim, value, name, first, named)


def _constant(form: Form) -> Any:
    value = form.raw("value")
    if value is not None and not isinstance(value, str | bool | int):
        form.fault("value", "a constant is a text, a whole number, true or false")
        return None
    return value


def _of_person(form: Form, names: set[str]) -> Iterator[Given]:
    """`[person]`: claim = "name" or "nameMasked"."""
    for claim in form.data:
        if claim not in names:
            form.fault(claim, f'"{claim[:60]}" is none of the claims')
        yield Given(claim, field=form.choice(claim, _HOLDER, "nameMasked"))


def _check_claims(top: Form, rule: Rule, claims: Sequence[ClaimType]) -> None:
    """Every claim comes from somewhere and from one place; a mandatory one by every road."""
    always = [*(one.claim for one in rule.predicates), *(one.claim for one in rule.person)]
    for requirement in rule.requirements:
        always += {given.claim for given in (requirement.evidence[0].gives if requirement.evidence else ())}
    sometimes = {given.claim for one in rule.requirements for way in one.evidence for given in way.gives}
    for claim in claims:
        if claim.name not in {*always, *sometimes}:
            top.fault("claims", f'nothing gives the claim "{claim.name}" a value')
        elif always.count(claim.name) > 1:
            top.fault("claims", f'the claim "{claim.name}" is given twice')
        elif claim.mandatory and any(
            claim.name in {given.claim for way in one.evidence for given in way.gives}
            and not all(claim.name in {given.claim for given in way.gives} for way in one.evidence)
            for one in rule.requirements
        ):
            top.fault("claims", f'"{claim.name}" is mandatory, and not every alternative gives it')


def _check_facts(top: Form, rule: Rule, facts: Mapping[str, tuple[str, ...]]) -> None:
    """Nothing is asked for that no rule looks at."""
    used: dict[str, set[str]] = {}
    ways = [way for one in rule.requirements for way in one.evidence] + [one.evidence for one in rule.predicates]
    for way in ways:
        used.setdefault(way.noun, set()).update(way.fields)
    for noun, fields in facts.items():
        idle = sorted(set(fields) - used.get(noun, set()))
        if idle and noun != PERSON:
            top.table("facts").fault(
                noun, f"{noun}: no rule looks at {', '.join(idle)}; ask for no more than is needed"
            )
