"""Decisions in words a lawyer can follow, made again as on their day, and compared under two sets of rules."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.policy.attributes import PERSON_VALUES
from gateway.policy.cases import _FACTS, Case, put
from gateway.policy.compare import Decided, compare, replay
from gateway.policy.examples import read_examples
from gateway.policy.explain import explain
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import EXAMPLES, RuleSet, read_rules, remade, shipped

pytestmark = pytest.mark.anyio
RULES = read_rules(read_register())
ALL = read_examples(shipped()[EXAMPLES], EXAMPLES)
LOCATION = Case("JUSTICE_OFFICE", "CC_SUPERVISION", ["locationFix.lat"], {"level": 2}, {"caseLink": "ORGANISATION"})


async def decided(case: Case, rules: RuleSet = RULES) -> Decided:
    """The access event this case would have left."""
    outcome = await put(rules, case)
    asked = [f"{noun}.{name}" for noun, names in case.question.asked.items() for name in names]
    allowed = outcome.mask.denied is None
    return Decided(
        "e1", datetime(2026, 11, 25, 4, tzinfo=UTC), case.purpose, case.case_no,
        outcome.mask.granted_facts if allowed else tuple(asked), allowed, outcome.rules, rules.version,
        json.loads(outcome.mask.inputs or "{}"),
    )  # fmt: skip


async def test_a_refusal_says_what_would_have_to_be_different() -> None:
    told = await explain(RULES, LOCATION)
    for said in (
        "提问者：司法所（JUSTICE_OFFICE）的工作人员", "Who asks: an officer of a justice office",
        "社区矫正法第二十九条", "locationFix.lat", "不提供", "没有任何规则准许",
        "若此人的案件由提问者本人承办，并且对此人的电子定位决定有效，则可提供。",
        "It would be given if the person's case were assigned to this very officer, and a monitoring order for the person were in force",
        RULES.version[:16],
    ):  # fmt: skip
        assert said in told, told


async def test_a_grant_names_its_rule_its_basis_and_what_mattered() -> None:
    told = await explain(RULES, replace(LOCATION, person={"caseLink": "ASSIGNED", "monitoringOrder": True}))
    for said in (
        "准许 · permits: location-assigned-officer (60-location.cedar:3)",
        "Community Corrections Law Art. 29",
        "起作用的属性",
    ):
        assert said in told, told


async def test_an_explanation_tells_the_inner_reason_and_that_the_answer_does_not() -> None:
    told = await explain(RULES, replace(LOCATION, person={"caseLink": "ASSIGNED", "relationship": "FORMER_SPOUSE"}))
    for said in (
        "NO_GROUND",
        "no-ground",
        "禁止 · forbids: former-spouse",
        "A11_INSIDER",
        "The answer names the rule no-ground only",
    ):
        assert said in told, told


@pytest.mark.parametrize("number", range(len(ALL)))
async def test_every_example_can_be_explained_and_made_again(number: int) -> None:
    example = ALL[number]
    assert RULES.version[:16] in await explain(RULES, example.case)
    event = await decided(example.case)
    if event.inputs:
        assert (await replay(remade(RULES.texts), event)).same


async def test_a_decision_is_made_again_under_the_rules_of_its_day_not_of_today() -> None:
    stricter = read_rules(
        RULES.register,
        {**shipped(), "99.cedar": '@id("no-reports") @title_zh("题") @title_en("t") @basis_zh("据") @basis_en("b") forbid (principal, action, resource in Noun::"report");'},
    )  # fmt: skip
    event = await decided(replace(LOCATION, items=["report.at"]))
    assert (await replay(RULES, event)).same
    again = await replay(stricter, event)
    assert (again.same, again.then, again.now) == (False, {"report.at"}, frozenset())
    assert "no-reports" in again.rules


async def test_a_change_says_who_gains_and_who_loses_over_recorded_requests() -> None:
    texts = shipped()
    texts["60-location.cedar"] = texts["60-location.cedar"].replace(
        'context.caseLink == "ASSIGNED" && context.monitoringOrder', 'context.caseLink != "NONE"'
    )
    texts["50-supervision.cedar"] = texts["50-supervision.cedar"].replace(', Action::"CC_SUPERVISION"', "")
    other = read_rules(RULES.register, texts)
    linked = await decided(replace(LOCATION, items=["locationFix.lat", "report.at"]))
    stranger = await decided(replace(LOCATION, person={}))
    moved = await compare(RULES, other, [linked, linked, stranger])
    assert {(one.kind, one.purpose, one.item, one.gained, one.requests) for one in moved} == {
        ("JUSTICE_OFFICE", "CC_SUPERVISION", "locationFix.lat", True, 2),
        ("JUSTICE_OFFICE", "CC_SUPERVISION", "report.at", False, 2),
    }
    assert await compare(RULES, RULES, [linked, stranger]) == []


def test_cases_name_every_fact_rules_can_look_at() -> None:
    assert _FACTS.keys() | {"breakGlass", "consent"} == PERSON_VALUES.keys()


async def test_an_explanation_is_words_and_says_each_thing_once() -> None:
    said = (
        await explain(
            RULES,
            Case("JUSTICE_OFFICE", "CC_SUPERVISION", ["locationFix.lat", "report.at", "residence.address"], {},
                 {"caseLink": "ORGANISATION", "monitoringOrder": True}),
        )
    )  # fmt: skip
    assert said.count("person-case-link") == 1
    assert "两种因素登录（2 级）" in said
    assert "事项 locationFix.lat（定位信息；有条件共享；行踪轨迹信息）：不提供。" in said
    assert "没有任何规则准许（default-deny）。" in said
    assert "若此人的案件由提问者本人承办，则可提供。" in said
    assert "按登记不包括这一事项，任何事实都不能使其可以提供。" in said
    bank = await explain(RULES, Case("BANK", "LOAN_SERVICE", ["conductStatement.period"], {"caller": "PARTNER"}, {}))
    assert "凭自有密钥（2 级）" in bank
