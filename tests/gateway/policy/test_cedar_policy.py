"""The policy as execution uses it: one mask for equal questions, one for alike persons, one refusal for many reasons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.caller import Caller, CallerKind, SharingDetail
from gateway.consent.ports import ConsentInForce
from gateway.errors import GatewayError
from gateway.policy.attributes import ATTRIBUTES
from gateway.policy.cases import Case, put
from gateway.policy.cedar import CedarPolicy, known_of
from gateway.policy.decision import EXISTS, Effect, Mask, Purpose, Question
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts
from gateway.policy.purposes import read_register
from gateway.policy.ruleset import RuleSet, read_rules, shipped

pytestmark = pytest.mark.anyio
REGISTER = read_register()
RULES = read_rules(REGISTER)
NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
MINE = SubjectFacts(CaseLink.ASSIGNED, "SUPERVISING", claimed_case=True)
OFFICER = Caller(
    "u", "o", "JUSTICE_OFFICE", frozenset({"JUSTICE_OFFICER"}), "t", NOW + timedelta(days=1),
    frozenset({"CC_RECEPTION", "CC_PLAN", "CC_SUPERVISION"}), level=2,
)  # fmt: skip
STATEMENT = frozenset({"conductStatement.reportedOnTime", "conductStatement.period"})
BANK = replace(
    OFFICER, org_kind="BANK", kind=CallerKind.PARTNER, purposes=frozenset({"LOAN_SERVICE"}),
    details=(SharingDetail("LOAN_SERVICE", datatypes=STATEMENT, consent_id="c1"),),
)  # fmt: skip


@dataclass
class Town:
    """Facts by subject; nobody else is known."""

    known: dict[str, SubjectFacts]
    asked: list[Sequence[str]] = field(default_factory=list)
    broken: bool = False

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        self.asked.append(subjects)
        if self.broken:
            raise GatewayError("down")
        return [self.known.get(subject, SubjectFacts()) for subject in subjects]


@dataclass
class Hand:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


def question(caller: Caller = OFFICER, code: str = "CC_RECEPTION", case_no: str | None = "1", **asked: str) -> Question:
    nouns = asked or {"residence": "address status"}
    return Question(
        caller, Purpose(code, case_no), {noun: frozenset({EXISTS, *names.split()}) for noun, names in nouns.items()}
    )


def policy(rules: RuleSet = RULES, clock: Hand | None = None, **known: SubjectFacts) -> CedarPolicy:
    return CedarPolicy(rules.register, rules, Town(known), clock or Hand())


async def towards(facts: SubjectFacts, asked: Question) -> Mask:
    one = policy(someone=facts)
    mask = await one.decide(asked)
    return (await one.decide_subjects(asked, mask, ["someone"]))[0]


async def test_equal_questions_and_alike_persons_get_the_very_same_mask() -> None:
    one = policy(a=MINE, b=MINE, c=SubjectFacts())
    mask = await one.decide(question())
    assert await one.decide(question()) is mask
    masks = await one.decide_subjects(question(), mask, ["a", "b", "c", "d"])
    assert masks[0] is masks[1]
    assert masks[2] is masks[3]
    assert masks[0] is (await one.decide_subjects(question(), mask, ["b"]))[0]
    assert (await one.decide(question(replace(OFFICER, roles=frozenset())))) is not mask


async def test_rules_are_asked_once_for_each_class_not_for_each_person(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[int] = []
    real = cedarpy.is_authorized_batch

    def counted(asked: list[Any], *more: Any) -> Any:
        requests.append(len(asked))
        return real(asked, *more)

    monkeypatch.setattr(cedarpy, "is_authorized_batch", counted)
    people = {f"p{number}": MINE for number in range(20)}
    one = policy(**people)
    mask = await one.decide(question())
    await one.decide_subjects(question(), mask, list(people))
    first = sum(requests)
    assert first <= 6
    requests.clear()
    await one.decide_subjects(question(), await one.decide(question()), list(people))
    assert requests == []


REFUSED = {
    "unknown": (SubjectFacts(), "no-case-link"),
    "relative": (replace(MINE, relationship=Relationship.RELATIVE), "relative"),
    "former spouse": (replace(MINE, relationship=Relationship.FORMER_SPOUSE), "former-spouse"),
    "self": (replace(MINE, relationship=Relationship.SELF), "self"),
    "sealed": (SubjectFacts(seal=Seal.SEALED_JUVENILE), "sealed-juvenile"),
    "sealed, with a link": (replace(MINE, claimed_case=False, seal=Seal.SEALED_JUVENILE), "sealed-juvenile"),
    "sealed penalty": (SubjectFacts(seal=Seal.SEALED_PUBLIC_ORDER), "sealed-public-order"),
    "an emergency towards a relative": (
        SubjectFacts(relationship=Relationship.RELATIVE, break_glass="g", break_glass_items=frozenset({"residence"})), "relative",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
async def test_whatever_the_reason_the_refusal_looks_the_same(why: str) -> None:
    facts, inner = REFUSED[why]
    mask = await towards(facts, question(identity="name", residence="address"))
    assert mask.inner_rule_ids == (inner,)
    assert mask.alarms == ("A11_INSIDER",)
    plain = await towards(SubjectFacts(), question(identity="name", residence="address"))
    shown = (
        "denied",
        "rule_ids",
        "legal_basis",
        "effects",
        "hide_minor",
        "hidden_cases",
        "policy_version",
        "visible_from",
    )
    assert {name: getattr(mask, name) for name in shown} == {name: getattr(plain, name) for name in shown}
    assert (mask.denied, mask.rule_ids) == ("NO_GROUND", ("no-ground",))
    assert {effect for fields in mask.effects.values() for effect in fields.values()} == {Effect.WITHHOLD}


async def test_what_belongs_to_one_person_is_laid_over_the_mask_of_the_class() -> None:
    later = NOW + timedelta(days=30)
    one = policy(a=MINE, b=replace(MINE, visible_from=later), c=replace(MINE, sealed_cases=frozenset({"9"})))
    mask = await one.decide(question())
    plain, delayed, hiding = await one.decide_subjects(question(), mask, ["a", "b", "c"])
    assert (plain.visible_from, delayed.visible_from, hiding.visible_from) == (None, later, None)
    assert (plain.hidden_cases, hiding.hidden_cases) == (frozenset(), frozenset({"9"}))
    assert delayed.effects == plain.effects == hiding.effects
    assert (await one.decide_subjects(question(), mask, ["b"]))[0] is delayed


@pytest.mark.parametrize(
    ("caller", "code", "facts", "hidden"),
    [
        (OFFICER, "CC_RECEPTION", MINE, True),
        (OFFICER, "CC_RECEPTION", replace(MINE, unsealed=True), False),
        (replace(OFFICER, org_kind="POLICE", purposes=frozenset({"CASE_HANDLING"})), "CASE_HANDLING", MINE, False),
        (
            replace(OFFICER, org_kind="POLICE", purposes=frozenset({"CASE_HANDLING"})), "CASE_HANDLING",
            replace(MINE, claimed_case=False), True,
        ),
        (
            replace(OFFICER, org_kind="PRISON", purposes=frozenset({"PRISON_HANDOVER"})), "PRISON_HANDOVER",
            replace(MINE, unsealed=True), False,
        ),
    ],
)  # fmt: skip
async def test_rows_of_minors_are_for_the_agency_and_for_judicial_bodies_on_the_case(
    caller: Caller, code: str, facts: SubjectFacts, hidden: bool
) -> None:
    mask = await towards(facts, question(caller, code, correctionCase="type"))
    assert mask.denied is None
    assert mask.hide_minor is hidden


def consent(*items: str) -> SubjectFacts:
    return SubjectFacts(consent=ConsentInForce("c1", frozenset(items), NOW + timedelta(days=1)))


async def test_a_partner_gets_what_was_consented_within_what_its_token_names_within_what_it_asked() -> None:
    asked = question(BANK, "LOAN_SERVICE", None, conductStatement="reportedOnTime noWarningInForce period")
    mask = await towards(consent("conductStatement.reportedOnTime", "conductStatement.noWarningInForce"), asked)
    assert mask.granted("conductStatement") == {EXISTS, "reportedOnTime"}
    assert (mask.consent_id, mask.denied) == ("c1", None)


@pytest.mark.parametrize(
    "facts",
    [SubjectFacts(), consent(), consent("conductStatement.noWarningInForce"), consent("residence.address"),
     replace(consent(*STATEMENT), seal=Seal.SEALED_JUVENILE), replace(MINE, break_glass="g")],
)  # fmt: skip
async def test_without_consent_to_what_was_asked_there_is_one_refusal(facts: SubjectFacts) -> None:
    mask = await towards(facts, question(BANK, "LOAN_SERVICE", None, conductStatement="reportedOnTime"))
    assert (mask.denied, mask.rule_ids, mask.consent_id, mask.alarms) == ("NO_CONSENT", ("no-consent",), None, ())


@pytest.mark.parametrize(
    ("caller", "asked", "denied"),
    [
        (OFFICER, Purpose("UNKNOWN", "1"), "PURPOSE_UNKNOWN"),
        (OFFICER, Purpose("CC_HELP", "1"), "PURPOSE_NOT_YOURS"),
        (replace(OFFICER, org_kind="COURT"), Purpose("CC_PLAN", "1"), "PURPOSE_NOT_YOURS"),
        (OFFICER, Purpose("CC_PLAN", None), "CASE_REQUIRED"),
        (OFFICER, Purpose("CC_PLAN", " ​"), "CASE_REQUIRED"),
        (replace(OFFICER, details=(SharingDetail("CC_RECEPTION"),)), Purpose("CC_PLAN", "1"), "PURPOSE_NOT_YOURS"),
        (replace(OFFICER, details=(SharingDetail("CC_PLAN", reference="2"),)), Purpose("CC_PLAN", "1"), "PURPOSE_NOT_YOURS"),
        (replace(OFFICER, details=(SharingDetail("CC_PLAN", reference="1"),)), Purpose("CC_PLAN", "1"), None),
        (replace(OFFICER, details=(SharingDetail("CC_PLAN", until=NOW),)), Purpose("CC_PLAN", "1"), "PURPOSE_NOT_YOURS"),
        (replace(BANK, details=()), Purpose("LOAN_SERVICE"), "PURPOSE_NOT_YOURS"),
        (BANK, Purpose("LOAN_SERVICE", None, "loan-7"), None),
        (replace(BANK, details=(SharingDetail("LOAN_SERVICE", "loan-8", STATEMENT),)), Purpose("LOAN_SERVICE", None, "loan-7"), "PURPOSE_NOT_YOURS"),
    ],
)  # fmt: skip
async def test_a_purpose_is_claimed_within_token_registration_and_register(
    caller: Caller, asked: Purpose, denied: str | None
) -> None:
    mask = await policy().decide(replace(question(caller), purpose=asked))
    assert mask.denied == denied
    if denied is not None:
        assert mask.effects == {}


async def test_a_token_without_datatypes_for_one_of_its_details_is_not_limited_by_the_others() -> None:
    limited = SharingDetail("CC_RECEPTION", datatypes=frozenset({"residence.status"}))
    narrow = await policy().decide(question(replace(OFFICER, details=(limited,))))
    assert narrow.granted("residence") == {EXISTS, "status"}
    wide = await policy().decide(question(replace(OFFICER, details=(limited, SharingDetail("CC_RECEPTION")))))
    assert wide.granted("residence") == {EXISTS, "status", "address"}


async def test_where_the_store_does_not_answer_nobody_may_be_seen() -> None:
    one = policy(a=MINE)
    mask = await one.decide(question())
    one._facts.broken = True  # type: ignore[attr-defined]
    (refused,) = await one.decide_subjects(question(), mask, ["a"])
    assert (refused.denied, refused.granted_facts) == ("POLICY_UNAVAILABLE", ())


NOTES = '@title_zh("题") @title_en("t") @basis_zh("据") @basis_en("b")'


def with_rule(text: str) -> RuleSet:
    return read_rules(REGISTER, {**shipped(), "99.cedar": text})


async def test_a_rule_that_looks_at_the_clock_makes_the_hour_count_and_no_other_does() -> None:
    night = with_rule(
        f'@id("night") {NOTES} forbid (principal, action == Action::"CC_RECEPTION", resource in ItemGroup::"livelihood") when {{ context.hour >= 22 }};'
    )
    clock = Hand(NOW)  # noon in China
    one = policy(night, clock, a=MINE)
    day = await one.decide(question())
    assert day.granted("residence") == {EXISTS, "address", "status"}
    clock.at = NOW + timedelta(hours=10)  # 22:00
    assert (await one.decide(question())).granted("residence") == frozenset()
    timeless = policy(RULES, clock, a=MINE)
    before = await timeless.decide(question())
    clock.at += timedelta(hours=3)
    assert await timeless.decide(question()) is before


async def test_the_hour_counts_for_the_very_same_question_too() -> None:
    night = with_rule(f'@id("night") {NOTES} forbid (principal, action, resource) when {{ context.hour >= 22 }};')
    clock = Hand(NOW)
    one, asked = policy(night, clock, a=MINE), question()
    day = await one.decide(asked)
    for hours, granted in ((1, True), (10, False), (1, True), (24, True)):
        clock.at = NOW + timedelta(hours=hours)
        assert bool((await one.decide(asked)).granted_facts) is granted
        masks = await one.decide_subjects(asked, await one.decide(asked), ["a"])
        assert bool(masks[0].granted_facts) is granted
    clock.at = NOW + timedelta(minutes=1)
    assert await one.decide(asked) is day


async def test_details_end_for_the_very_same_question_too() -> None:
    """Whatever was decided before: a detail counts until its end, and not a moment longer."""
    clock = Hand(NOW)
    one = policy(clock=clock, a=MINE)
    ending = SharingDetail("CC_RECEPTION", datatypes=frozenset({"residence.status"}), until=NOW + timedelta(minutes=5))
    lasting = SharingDetail(
        "CC_RECEPTION", datatypes=frozenset({"residence.address"}), until=NOW + timedelta(minutes=9)
    )
    asked = question(replace(OFFICER, details=(ending, lasting)))
    for minutes, granted in (
        (0, {EXISTS, "status", "address"}), (4, {EXISTS, "status", "address"}), (5, {EXISTS, "address"}), (8, {EXISTS, "address"}),
        (9, None), (20, None), (4, {EXISTS, "status", "address"}),
    ):  # fmt: skip
        clock.at = NOW + timedelta(minutes=minutes)
        mask = await one.decide(asked)
        assert mask.denied == ("PURPOSE_NOT_YOURS" if granted is None else None)
        assert granted is None or mask.granted("residence") == granted


async def test_a_case_is_required_of_each_question() -> None:
    one, asked = policy(), question()
    assert (await one.decide(asked)).denied is None
    assert (await one.decide(replace(asked, purpose=Purpose("CC_RECEPTION", " ")))).denied == "CASE_REQUIRED"
    assert (await one.decide(asked)).denied is None


async def test_who_stands_otherwise_is_decided_on_anew_and_another_person_who_stands_alike_is_not() -> None:
    one = policy(a=MINE)
    asked = question()
    mask = await one.decide(asked)
    same = replace(OFFICER, user_id="v", org_id="p", token_id="t2", grant_id="g", client_id="c", expires_at=NOW)
    assert await one.decide(replace(asked, caller=same)) is mask
    for other in (
        replace(OFFICER, org_kind="COURT"), replace(OFFICER, kind=CallerKind.SYSTEM), replace(OFFICER, roles=frozenset()),
        replace(OFFICER, posts=frozenset({"x"})), replace(OFFICER, jurisdiction="44"), replace(OFFICER, level=1),
        replace(OFFICER, purposes=frozenset({"CC_PLAN"})), replace(OFFICER, details=(SharingDetail("CC_PLAN"),)),
    ):  # fmt: skip
        assert await one.decide(replace(asked, caller=other)) is not mask
    assert await one.decide(asked) is mask


def test_all_that_is_known_of_a_person_tells_persons_apart() -> None:
    """A new fact that is not compared would lend one person's mask to another."""
    other: dict[str, Any] = {
        "case_link": CaseLink.ASSIGNED, "case_role": "DECIDING", "claimed_case": True, "relationship": Relationship.SELF,
        "seal": Seal.SEALED_JUVENILE, "sealed_cases": frozenset({"1"}), "unsealed": True, "monitoring_order": True,
        "out_of_contact": True, "revocation_pending": True, "consent": ConsentInForce("c", frozenset(), NOW),
        "break_glass": "g", "break_glass_items": frozenset({"residence"}), "visible_from": NOW,
    }  # fmt: skip
    assert other.keys() == {one.name for one in fields(SubjectFacts)}
    nobody = SubjectFacts()
    for name, value in other.items():
        assert known_of(replace(nobody, **{name: value})) != known_of(nobody), name


async def test_an_error_in_any_rule_refuses() -> None:
    """A forbid that cannot be evaluated is skipped by Cedar; here it refuses all the same."""
    broken = with_rule(
        f'@id("overflow") {NOTES} forbid (principal, action, resource in ItemGroup::"livelihood") when {{ context.level * 9223372036854775807 > 0 }};'
    )
    one = policy(broken, a=MINE)
    mask = await one.decide(question(residence="address", correctionCase="type"))
    assert mask.granted("residence") == frozenset()
    assert mask.inner_rule_ids == ("policy-error",)
    assert mask.granted("correctionCase") == {EXISTS, "type"}


async def test_a_masking_permit_masks_unless_another_permits_in_the_clear() -> None:
    rules = with_rule(
        f'@id("soft") {NOTES} @effect_kind("mask") permit (principal, action, resource == Item::"publicOrderPenalty.kind") when {{ context.caseLink != "NONE" }};'
        f'@id("soft2") {NOTES} @effect_kind("mask") permit (principal, action, resource == Item::"residence.address");'
    )
    case = Case("JUSTICE_OFFICE", "CC_RECEPTION", ["residence.address"], {}, {"caseLink": "ASSIGNED"})
    assert (await put(rules, case)).effect("residence.address") is Effect.ALLOW
    unlinked = replace(case, person={"caseLink": "NONE"}, emergency=frozenset())
    assert (await put(rules, unlinked)).effect("residence.address") is Effect.MASK


async def test_an_emergency_is_named_only_where_nothing_else_permits() -> None:
    facts = replace(MINE, break_glass="g1", break_glass_items=frozenset({"residence.address"}))
    mask = await towards(facts, question())
    assert mask.alarms == ()
    assert "emergency-items" not in mask.rule_ids
    alone = await towards(replace(facts, case_link=CaseLink.NONE, claimed_case=False), question())
    assert alone.granted("residence") == {EXISTS, "address"}
    assert alone.alarms == ("A17_RULE_WAIVED",)
    assert alone.inner_rule_ids == ("break-glass:g1",)
    assert {"emergency-items", "person-break-glass"} <= set(alone.rule_ids)


async def test_what_a_decision_was_made_from_is_kept_as_codes() -> None:
    mask = await towards(MINE, question(residence="address landlordMasked"))
    kept = json.loads(mask.inputs)
    assert kept["kind"] == "JUSTICE_OFFICE"
    assert kept["person"]["caseLink"] == "ASSIGNED"
    assert kept["withheld"] == ["residence.landlordMasked"]
    assert "someone" not in mask.inputs


PEOPLE = st.builds(
    SubjectFacts,
    case_link=st.sampled_from(CaseLink), case_role=st.sampled_from(["", "SUPERVISING", "DECIDING"]), claimed_case=st.booleans(),
    relationship=st.sampled_from([Relationship.NONE] * 4 + [*Relationship]), seal=st.sampled_from([Seal.NONE] * 3 + [*Seal]), unsealed=st.booleans(),
    monitoring_order=st.booleans(), out_of_contact=st.booleans(), revocation_pending=st.booleans(),
    break_glass=st.none() | st.just("g"), break_glass_items=st.just(frozenset({"residence", "identity.name"})),
)  # fmt: skip
KINDS = ["JUSTICE_OFFICE", "COURT", "PROCURATORATE", "POLICE", "PRISON"]
PATHS = sorted(f"{noun}.{name}" for noun, names in RULES.items.items.items() if noun != "person" for name in names)


@settings(max_examples=400, deadline=None)
@given(
    PEOPLE, st.sampled_from(KINDS), st.sampled_from(sorted(REGISTER.rules)), st.sampled_from(PATHS), st.integers(1, 3)
)
def test_partitions_and_classes_change_nothing(
    facts: SubjectFacts, kind: str, code: str, path: str, level: int
) -> None:
    """The whole set, asked by Cedar itself about one item at a time, says the same as the parts that are kept."""
    noun, _, name = path.partition(".")
    rule = REGISTER.rules[code]
    fields = rule.nouns.get(noun, frozenset())
    if kind not in rule.org_kinds or name == EXISTS or (fields is not None and name not in fields):
        return
    caller = replace(OFFICER, org_kind=kind, purposes=frozenset({code}), level=level)
    mask = asyncio.run(towards(facts, question(caller, code, **{noun: name})))
    ground = _whole("person.exists", kind, code, level, facts, path)
    assert (mask.denied is None) == ground
    granted = mask.effects.get(noun, {}).get(name) in (Effect.ALLOW, Effect.MASK)
    assert granted == (ground and _whole(path, kind, code, level, facts, path))


WHOLE = cedarpy.PolicySet.from_str("\n".join(rule.text for rule in RULES.rules.values()))
SCHEMA = cedarpy.Schema.from_str(RULES.schema)


def _whole(item: str, kind: str, code: str, level: int, facts: SubjectFacts, path: str) -> bool:
    context = {
        "caller": "OFFICER", "roles": ["JUSTICE_OFFICER"], "posts": [], "jurisdiction": "", "level": level, "hour": 12,
        "weekday": 3, "caseLink": facts.case_link, "casePart": facts.case_role, "claimedCase": facts.claimed_case,
        "relationship": facts.relationship, "seal": facts.seal, "unsealed": facts.unsealed,
        "monitoringOrder": facts.monitoring_order, "outOfContact": facts.out_of_contact,
        "revocationPending": facts.revocation_pending, "breakGlass": facts.break_glass is not None, "consent": False,
        "emergencyNamed": facts.break_glass is not None and (path.startswith("residence.") or path == "identity.name"),
        "consented": False,
    }  # fmt: skip
    assert context.keys() == ATTRIBUTES.keys()
    request = {
        "principal": {"type": "OrganisationKind", "id": kind},
        "action": {"type": "Action", "id": code},
        "resource": {"type": "Item", "id": item},
        "context": context,
    }
    return cedarpy.is_authorized(request, WHOLE, RULES.entities, schema=SCHEMA).allowed
