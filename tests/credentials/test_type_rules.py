"""From facts to claims: what the shipped types make of what departments may say, and what no rule may ever do."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.conditions import Compared
from credentials.rules import (
    Among,
    Evidence,
    Given,
    Judged,
    Outcome,
    Part,
    Predicate,
    Requirement,
    Rule,
    Said,
    judge,
)
from credentials.type_files import load_types

TYPES = load_types()
NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 26)
HOLDER = {"person": Part("FRESH", ({"name": "张三", "nameMasked": "张*"},))}
SILENT = Part("UNAVAILABLE", waiting=True, sources=(Said("X", "UNAVAILABLE", None, NOW + timedelta(minutes=5)),))
NOTHING = Part("NOT_FOUND", sources=(Said("X", "NOT_FOUND", NOW),))

LGB = {"status": "CURRENT", "admin": "440604001", "address": "福宁路36号", "startOn": "2026-10-28", "leftOn": None}
POLICE = {"status": None, "admin": "440604", "address": "福宁路36号", "startOn": "2026-10-28", "leftOn": None}
PENSION = {"kind": "PENSION", "status": "ACTIVE", "lastPaidMonth": "2026-10", "monthsPaid24": 22}
SHOP = {"role": "OPERATOR", "status": "OPERATING", "abnormal": False, "name": "三记五金店"}
CASE = {"state": "SUPERVISED", "endOn": "2028-10-07", "prohibitions": []}
OVER = {"state": "DISCHARGED", "endOn": "2021-11-20", "prohibitions": []}


def fresh(*records: Mapping[str, Any], **more: Any) -> Part:
    return Part("FRESH", records, sources=(Said("X", "FRESH", NOW),), **more)


def of(type_id: str, **parts: Part) -> Judged:
    return judge(TYPES[type_id].rule, {**HOLDER, **parts}, NOW, TODAY)


R, I, B = "residence", "insurance", "business"  # noqa: E741  (nouns, a letter each for the table)


@pytest.mark.parametrize(
    ("type_id", "parts", "outcome"),
    [
        ("residence", {R: fresh(LGB)}, "READY"),
        ("residence", {R: fresh(POLICE)}, "READY"),
        ("residence", {R: fresh(POLICE, {**LGB, "status": "LEFT", "leftOn": "2026-11-20"})}, "NOT_MET"),
        ("residence", {R: fresh({**LGB, "status": "LAPSED"})}, "NOT_MET"),
        ("residence", {R: fresh({**LGB, "leftOn": "2026-11-01"})}, "NOT_MET"),
        ("residence", {R: NOTHING}, "NOT_MET"),
        ("residence", {R: SILENT}, "UNAVAILABLE"),
        ("residence", {}, "UNAVAILABLE"),
        ("residence", {R: replace(fresh(LGB), state="PARTIAL", waiting=True)}, "UNAVAILABLE"),
        ("residence", {R: replace(fresh(LGB), state="PARTIAL")}, "DOUBTED"),
        ("residence", {R: replace(fresh(LGB), conflicts=frozenset({"admin"}))}, "DOUBTED"),
        ("residence", {R: replace(fresh(LGB), disputed=frozenset({"address"}))}, "DOUBTED"),
        ("residence", {R: replace(fresh(LGB), disputed=frozenset({"*"}))}, "DOUBTED"),
        ("residence", {R: replace(fresh(LGB), disputed=frozenset({"landlordMasked"}))}, "READY"),
        ("residence", {R: fresh({**LGB, "quality": [{"field": "status", "flag": "CODE_UNMAPPED"}]})}, "DOUBTED"),
        ("residence", {R: fresh({**LGB, "quality": [{"field": "startOn", "flag": "DISPUTED"}]})}, "DOUBTED"),
        ("residence", {R: fresh({**LGB, "quality": [{"field": "permitNo", "flag": "DATE_BAD"}]})}, "READY"),
        ("residence", {R: fresh({**LGB, "quality": [{"field": None, "flag": "NAME_VARIANT"}]})}, "READY"),
        ("residence", {R: Part("WITHHELD")}, "WITHHELD"),
        ("residence", {R: replace(fresh(LGB), withheld=frozenset({"address"}))}, "WITHHELD"),
        ("stable-income", {I: fresh(PENSION), B: NOTHING}, "READY"),
        ("stable-income", {I: NOTHING, B: fresh(SHOP)}, "READY"),
        ("stable-income", {I: SILENT, B: fresh(SHOP)}, "READY"),
        ("stable-income", {I: fresh(PENSION), B: SILENT}, "READY"),
        ("stable-income", {I: SILENT, B: NOTHING}, "UNAVAILABLE"),
        ("stable-income", {I: fresh({**PENSION, "monthsPaid24": 11}), B: NOTHING}, "NOT_MET"),
        ("stable-income", {I: fresh({**PENSION, "monthsPaid24": 7}, {**PENSION, "monthsPaid24": 8}), B: NOTHING}, "NOT_MET"),
        ("stable-income", {I: fresh({**PENSION, "kind": "MEDICAL"}), B: NOTHING}, "NOT_MET"),
        ("stable-income", {I: fresh({**PENSION, "lastPaidMonth": "2026-07"}), B: NOTHING}, "NOT_MET"),
        ("stable-income", {I: fresh({**PENSION, "monthsPaid24": None}), B: NOTHING}, "NOT_MET"),
        ("stable-income", {I: NOTHING, B: fresh({**SHOP, "status": "REVOKED"})}, "NOT_MET"),
        ("stable-income", {I: NOTHING, B: fresh({**SHOP, "abnormal": True})}, "NOT_MET"),
        ("stable-income", {I: NOTHING, B: fresh({**SHOP, "role": "EXECUTIVE"})}, "NOT_MET"),
        ("stable-income", {I: NOTHING, B: replace(NOTHING, review=True)}, "DOUBTED"),
        ("stable-income", {I: NOTHING, B: fresh(SHOP, review=True)}, "READY"),  # the sure row carries without the other
        ("stable-income", {I: SILENT, B: replace(fresh(SHOP), conflicts=frozenset({"status"}))}, "UNAVAILABLE"),
        ("stable-income", {I: NOTHING, B: replace(fresh(SHOP), conflicts=frozenset({"status"}))}, "DOUBTED"),
        ("business", {B: fresh(SHOP)}, "READY"),
        ("discharge", {"correctionCase": fresh(OVER)}, "READY"),
        ("discharge", {"correctionCase": fresh(CASE)}, "NOT_MET"),
        ("discharge", {"correctionCase": fresh(OVER, CASE)}, "NOT_MET"),
        ("discharge", {"correctionCase": fresh({**OVER, "endOn": "2026-11-26"})}, "NOT_MET"),
        ("discharge", {"correctionCase": NOTHING}, "NOT_MET"),
        ("leave-clearance", {"correctionCase": fresh(CASE)}, "READY"),
        ("leave-clearance", {"correctionCase": fresh({**CASE, "prohibitions": None})}, "READY"),
        ("leave-clearance", {"correctionCase": fresh({**CASE, "prohibitions": ["禁止进入网吧"]})}, "NOT_MET"),
        ("leave-clearance", {"correctionCase": fresh({**CASE, "state": "REVOCATION_PENDING"})}, "NOT_MET"),
        ("leave-clearance", {"correctionCase": fresh(CASE, {**CASE, "state": "OUT_OF_CONTACT"})}, "NOT_MET"),
        ("leave-clearance", {"correctionCase": NOTHING}, "NOT_MET"),
        ("leave-clearance", {"correctionCase": replace(fresh(CASE), review=True)}, "DOUBTED"),
        ("conduct-reporting", {"conductStatement": fresh({"reportedOnTime": True, "validUntil": "2026-11-26"})}, "READY"),
        ("conduct-reporting", {"conductStatement": fresh({"reportedOnTime": True, "validUntil": "2026-11-25"})}, "NOT_MET"),
        ("conduct-no-warning", {"conductStatement": fresh({"noWarningInForce": False, "validUntil": "2027-01-01"})}, "NOT_MET"),
        ("conduct-plan", {"conductStatement": fresh({"planFollowed": None, "validUntil": "2027-01-01"})}, "NOT_MET"),
    ],
)  # fmt: skip
def test_what_departments_say_and_what_follows(type_id: str, parts: dict[str, Part], outcome: str) -> None:
    assert of(type_id, **parts).outcome == outcome


@pytest.mark.parametrize(("days", "outcome"), [(0, "READY"), (7, "READY"), (8, "UNAVAILABLE"), (None, "UNAVAILABLE")])
def test_old_data_counts_as_long_as_the_type_tolerates_it(days: int | None, outcome: str) -> None:
    as_of = None if days is None else NOW - timedelta(days=days)
    part = Part("STALE", (LGB,), sources=(Said("LGB", "STALE", as_of),))
    assert of("residence", residence=part).outcome == outcome


def test_claims_are_what_the_record_says_and_no_more() -> None:
    found = of("residence", residence=fresh(LGB))
    assert found.claims == {
        "districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "residentSince": "2026-10-28",
        "address": "福宁路36号", "name": "张三",
    }  # fmt: skip
    assert found.used == ("residence",)
    assert of("stable-income", insurance=fresh(PENSION), business=NOTHING).claims == {
        "stableIncome": True,
        "name": "张三",
    }


def test_a_predicate_says_no_as_well_as_yes_and_nothing_while_unsure() -> None:
    part = fresh({**PENSION, "monthsPaid24": 3, "lastPaidMonth": "2026-02"})
    found = of("social-insurance", insurance=part)
    assert found.claims == {
        "insuredNow": False, "pensionNow": False, "medicalNow": False, "monthsAtLeast12": False, "name": "张三",
    }  # fmt: skip
    assert of("social-insurance", insurance=SILENT).outcome == Outcome.UNAVAILABLE


def test_what_is_silent_says_when_to_ask_again() -> None:
    found = of("residence", residence=SILENT)
    assert found.retry_at == NOW + timedelta(minutes=5)
    assert found.reason == "lives-here"


def test_the_order_of_rows_changes_no_claim() -> None:
    rows = [LGB, {**LGB, "startOn": "2025-01-01", "address": "旧址"}, {**LGB, "startOn": "2026-10-28", "address": "甲"}]
    assert len({str(of("residence", residence=fresh(*order)).claims) for order in itertools.permutations(rows)}) == 1


def test_an_outage_of_one_alternative_changes_no_claim() -> None:
    """Else the next look would take a silent department for a changed fact, and revoke."""
    both = of("stable-income", insurance=fresh(PENSION), business=fresh(SHOP))
    assert both.claims == of("stable-income", insurance=SILENT, business=fresh(SHOP)).claims
    assert both.claims == of("stable-income", insurance=fresh(PENSION), business=SILENT).claims


# --- what no rule and no answers may ever do

NOUNS = ("a", "b")
CONDITIONS = st.builds(Compared, st.just("x"), st.just("eq"), st.integers(0, 2)) | st.just(
    Compared("x", "missing", True)
)
EVIDENCE = st.builds(
    Evidence,
    st.sampled_from(["e1", "e2", "e3"]),
    st.sampled_from(NOUNS),
    st.tuples(CONDITIONS),
    st.just(()) | st.tuples(CONDITIONS),
    st.sampled_from(Among),
    st.sampled_from([0, 5]),
)
RULES = st.builds(
    Rule,
    st.lists(
        st.builds(Requirement, st.sampled_from(["r1", "r2"]), st.lists(EVIDENCE, min_size=1, max_size=3).map(tuple)),
        min_size=1,
        max_size=3,
    ).map(tuple),
    st.lists(st.builds(Predicate, st.sampled_from(["p", "q"]), EVIDENCE), max_size=2).map(tuple),
)
RECORDS = st.fixed_dictionaries(
    {"x": st.none() | st.integers(0, 2)},
    optional={"quality": st.just([{"field": "x", "flag": "CODE_UNMAPPED"}])},
)
PARTS = st.builds(
    Part,
    st.sampled_from(["FRESH", "STALE", "PARTIAL", "UNAVAILABLE", "NOT_FOUND"]),
    st.lists(RECORDS, max_size=3).map(tuple),
    st.sampled_from([frozenset[str](), frozenset({"x"})]),
    st.sampled_from([frozenset[str](), frozenset({"x"}), frozenset({"*"})]),
    st.just(frozenset[str]()),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(Said("S", "FRESH", NOW),), (Said("S", "STALE", NOW - timedelta(days=3)),), ()]),
)
ANSWERS = st.fixed_dictionaries(dict.fromkeys(NOUNS, PARTS))
UNSURE = st.sampled_from([
    SILENT, Part("PARTIAL", ({"x": 1},)), Part("FRESH", ({"x": 1},), disputed=frozenset({"*"})),
    Part("STALE", ({"x": 1},), sources=(Said("S", "STALE", None),)), Part("UNAVAILABLE"),
])  # fmt: skip


@settings(max_examples=1500)
@given(RULES, ANSWERS, st.sampled_from(NOUNS), UNSURE)
def test_what_is_no_longer_sure_turns_nothing_into_no_and_nothing_into_yes(
    rule: Rule, parts: dict[str, Part], noun: str, unsure: Part
) -> None:
    before, after = judge(rule, parts, NOW, TODAY), judge(rule, {**parts, noun: unsure}, NOW, TODAY)
    if after.outcome is Outcome.NOT_MET:
        assert before.outcome is Outcome.NOT_MET or not _sure(parts[noun])
    if after.outcome is Outcome.READY and _sure(parts[noun]):
        assert before.outcome is Outcome.READY
        assert before.claims == after.claims


@settings(max_examples=500)
@given(RULES, UNSURE, UNSURE)
def test_of_nothing_that_is_sure_nothing_follows(rule: Rule, one: Part, other: Part) -> None:
    assert judge(rule, {"a": one, "b": other}, NOW, TODAY).outcome in (Outcome.UNAVAILABLE, Outcome.DOUBTED)


@settings(max_examples=500)
@given(RULES, ANSWERS, EVIDENCE)
def test_a_further_alternative_never_costs_anybody_the_credential(
    rule: Rule, parts: dict[str, Part], more: Evidence
) -> None:
    wider = replace(rule, requirements=tuple(replace(one, evidence=(*one.evidence, more)) for one in rule.requirements))
    if judge(rule, parts, NOW, TODAY).outcome is Outcome.READY:
        assert judge(wider, parts, NOW, TODAY).outcome is Outcome.READY


def _sure(part: Part) -> bool:
    return (
        part.state in ("FRESH", "NOT_FOUND")
        and not part.conflicts
        and not part.disputed
        and not part.review
        and all(one.state == "FRESH" for one in part.sources)
        and not any("quality" in record for record in part.records)
    )


def test_a_given_claim_may_be_a_beginning_only() -> None:
    assert Given("district", field="admin", first=6).of({"admin": "440604001"}) == "440604"
    assert Given("district", field="admin", first=6).of({}) is None


def test_a_given_claim_may_be_what_a_division_is_called() -> None:
    named = Given("district", field="admin", first=6, named=True)
    assert named.of({"admin": "440604001"}) == "广东省佛山市禅城区"
    assert named.of({}) is None
