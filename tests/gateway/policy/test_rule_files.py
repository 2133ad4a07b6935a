"""Rules as text: whatever is wrong comes as a fault with its file and line, all of them at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsInvalid
from gateway.policy.attributes import ATTRIBUTES
from gateway.policy.items import DeclaredNoun
from gateway.policy.purposes import read_register, register_of
from gateway.policy.rule_text import statements
from gateway.policy.ruleset import EXAMPLES, SCHEMA, RuleSet, read_rules, remade, shipped
from schema.builtin import builtin_nouns

NOTES = '@title_zh("题") @title_en("title") @basis_zh("据") @basis_en("basis")'
REGISTER = read_register()


def with_rule(text: str, name: str = "99-more.cedar") -> RuleSet:
    return read_rules(REGISTER, {**shipped(), name: text})


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        with_rule(text)
    return caught.value.faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("permit (principal, action", "99-more.cedar:1: this is no Cedar policy"),
        (f"// a note\n\n{NOTES}\npermit (principal, action, resource);", '99-more.cedar:3: the policy needs @id("...")'),
        ('@id("a")\nforbid (principal, action, resource);', 'needs @basis_zh("...")'),
        (f'@id("a") {NOTES} @note("x") forbid (principal, action, resource);', "@note is not known"),
        (f'@id("a") {NOTES} @effect_kind("mask") forbid (principal, action, resource);', "@effect_kind is"),
        (f'@id("a") {NOTES} @effect_kind("hide") permit (principal, action, resource);', "@effect_kind is"),
        (f'@id("self") {NOTES} forbid (principal, action, resource);', '@id("self") is already used at 10-person.cedar:'),
        (f'@id("a") {NOTES} forbid (principal, action, resource) when {{ context.religion == "x" }};', "`religion`"),
        (f'@id("a") {NOTES} forbid (principal, action, resource) when {{ context.level == "2" }};', "types"),
        (f'@id("a") {NOTES} forbid (principal, action, resource) when {{ context.caseLink == "ASIGNED" }};', 'never "ASIGNED"'),
        (f'@id("a") {NOTES} forbid (principal, action, resource) when {{ ["SELVES"].contains(context.relationship) }};', 'never "SELVES"'),
        (f'@id("a") {NOTES} forbid (principal, action == Action::"CC_PLANS", resource);', "CC_PLANS"),
        (f'@id("a") {NOTES} forbid (principal, action, resource in ItemGroup::"locations");', 'no ItemGroup::"locations"'),
        (f'@id("a") {NOTES} forbid (principal, action, resource == Item::"identity.nam");', 'no Item::"identity.nam"'),
        (f'@id("a") {NOTES} forbid (principal in KindGroup::"organs", action, resource);', 'no KindGroup::"organs"'),
        (f'@id("a") {NOTES} permit (principal == ?principal, action, resource);', "template"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_with_file_and_line(text: str, expected: str) -> None:
    found = faults(text)
    assert any(expected in fault and fault.startswith("99-more.cedar:") for fault in found), found


def test_every_fault_is_told_at_once() -> None:
    found = faults(
        f'permit (\n;\n@id("a") {NOTES}\nforbid (principal, action, resource) when {{ context.x }};\n@id("b") forbid (principal, action, resource);'
    )
    assert {fault.split(":")[1] for fault in found} == {"1", "3", "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nouns = 1", "nouns must be a table"),
        ("[nouns.identity]\n", "nouns.identity is already there"),
        ('[groups]\nidentity = { zh = "a", en = "b" }', "groups.identity is already there"),
        ("[kinds]\npartners = []", "kinds.partners is already there"),
        ('[nouns.x]\ngroups = ["nope"]\nshare_class = "C"\nsensitivity = "GENERAL"', "there is no group nope"),
        ('[nouns.x]\ngroups = ["identity"]\nshare_class = "D"\nsensitivity = "GENERAL"', "share_class must be one of U, C, N"),
        ("[more]\n", "more is not known"),
        ("[", "more.toml"),
    ],
)  # fmt: skip
def test_a_bad_item_file_is_refused(text: str, expected: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_rules(REGISTER, applications={"more.toml": text})
    assert any(expected in fault for fault in caught.value.faults), caught.value.faults


def test_rules_without_their_schema_are_no_rules() -> None:
    with pytest.raises(SettingsInvalid):
        read_rules(REGISTER, {name: text for name, text in shipped().items() if name != SCHEMA})


APPLICATION = register_of([*REGISTER.texts, ("land.toml", """
[LAND]
title = { zh = "不动产", en = "Land" }
legal_basis = { zh = "据", en = "basis" }
case_required = false
org_kinds = ["LAND_OFFICE"]
[LAND.nouns]
landParcel = "*"
""")])  # fmt: skip
LAND = {"landParcel": DeclaredNoun("C", {"parcelNo": "PERSONAL"})}


@pytest.mark.parametrize(
    ("scope", "sound"),
    [
        ('principal, action, resource in Noun::"landParcel"', True),
        ('principal, action, resource == Item::"landParcel.parcelNo"', True),
        ('principal, action == Action::"CC_PLAN", resource in ItemGroup::"location"', False),
        ('principal, action in [Action::"LAND", Action::"CC_PLAN"], resource in ItemGroup::"location"', False),
        ("principal, action, resource", False),
        ('principal, action == Action::"LAND", resource in ItemGroup::"identity"', True),
        ('principal, action == Action::"LAND", resource', False),  # whatever there is and will be
        ('principal, action == Action::"LAND", resource is Item', False),
        ('principal, action == Action::"LAND", resource == Item::"person.juvenileRecords"', False),
        ('principal, action == Action::"LAND", resource in Noun::"person"', False),
        ('principal, action == Action::"LAND", resource in ItemGroup::"juvenile"', False),
        ('principal, action == Action::"LAND", resource in ItemGroup::"location"', False),
        ('principal, action == Action::"LAND", resource in ItemGroup::"penalties"', False),
    ],
)
def test_an_application_keeps_to_its_own_purposes_and_nouns(scope: str, sound: bool) -> None:
    text = {"land.cedar": f'@id("land") {NOTES} permit ({scope});'}
    if sound:
        assert read_rules(APPLICATION, applications=text, declared=LAND).rules["land"].application
    else:
        with pytest.raises(SettingsInvalid) as caught:
            read_rules(APPLICATION, applications=text, declared=LAND)
        assert "may not widen what others rest on" in caught.value.faults[0]


@pytest.mark.parametrize(
    ("condition", "sound"),
    [
        ('when { context.caseLink != "NONE" }', True),
        ('when { context.caller == "OFFICER" && context.caseLink != "NONE" && context.level >= 2 }', True),
        ('when { context.level >= 2 } when { context.caseLink != "NONE" }', True),
        ("", False),
        ('when { context.caller == "OFFICER" }', False),
        ('when { context.caseLink != "NONE" || context.caller == "OFFICER" }', False),
        ('when { !(context.caseLink != "NONE") }', False),
        ('when { context.caseLink != "ASSIGNED" }', False),
        ('unless { context.caseLink != "NONE" }', False),
    ],
)
def test_an_application_opens_a_person_only_to_whoever_has_a_part_in_their_case(condition: str, sound: bool) -> None:
    scope = 'principal, action == Action::"LAND", resource == Item::"person.exists"'
    text = {"land.cedar": f'@id("land") {NOTES} permit ({scope}) {condition};'}
    if sound:
        assert read_rules(APPLICATION, applications=text, declared=LAND).rules["land"].application
    else:
        with pytest.raises(SettingsInvalid) as caught:
            read_rules(APPLICATION, applications=text, declared=LAND)
        assert "part in their case" in caught.value.faults[0]


def test_a_version_is_the_hash_of_all_that_decides_and_of_nothing_else() -> None:
    plain = read_rules(REGISTER)
    assert plain.version == read_rules(REGISTER).version
    assert plain.version == read_rules(REGISTER, {**shipped(), EXAMPLES: ""}).version
    others = [
        with_rule("// a note"),
        read_rules(APPLICATION),
        read_rules(REGISTER, declared=LAND),
        read_rules(REGISTER, declared={"landParcel": DeclaredNoun("N", {"parcelNo": "PERSONAL"})}),
        read_rules(REGISTER, applications={"x.cedar": "// a note"}),
    ]
    assert len({plain.version, *(other.version for other in others)}) == 6
    for rules in others:
        assert remade(rules.texts).version == rules.version


def test_the_schema_and_the_attributes_name_the_same_things() -> None:
    ask = shipped()[SCHEMA].split("type Ask = {")[1].split("};")[0]
    named = {line.split(":")[0].strip() for line in ask.splitlines() if ":" in line.split("//")[0]}
    assert named == ATTRIBUTES.keys()


def test_every_field_of_the_schema_is_registered() -> None:
    items = read_rules(REGISTER).items
    missing = {
        f"{noun.name}.{field.name}"
        for noun in builtin_nouns()
        for field in noun.fields
        if not field.name.endswith("Raw") and field.name not in items.items.get(noun.name, {})
    }
    assert missing == set(), "register them in gateway/policy/rules/items.toml; until then nobody gets them"


@given(st.lists(st.sampled_from(['@id("a;b")\n', "// c; d\n", "permit(x);", '"\\";"', "\n", " "]), max_size=12))
def test_statements_end_at_semicolons_outside_strings_and_comments(parts: list[str]) -> None:
    text = "".join(parts)
    found = list(statements(text))
    ends = sum(part == "permit(x);" for part in parts)
    assert ends <= len(found) <= ends + 1
    for line, statement in found:
        assert statement.splitlines()[0] in text.splitlines()[line - 1]
