"""What a part says: the state is never better than what is known."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Reason
from adapters.source import Absent, Answer, Failed, Found, Match, Row
from gateway.federation.parts import build_part, shape_of
from gateway.policy.decision import EXISTS, Effect
from schema.builtin import builtin_nouns
from tests.fakes.offers import NOW, found, offer

NOUNS = {noun.name: noun for noun in builtin_nouns()}
RESIDENCE = NOUNS["residence"]
ALLOW = Effect.ALLOW


def shape(*asked: str, **effects: Effect):
    return shape_of(RESIDENCE, frozenset(asked), {EXISTS: ALLOW, **{name: effects.get(name, ALLOW) for name in asked}})


ASKED = shape("admin", "address", "leftOn", "startOn")
LGB = offer("LGB", "residence", "admin", "address", "leftOn", rank=20)
GA = offer("GA_POP", "residence", "admin", "address", rank=10)
HOME = {"admin": "440604", "address": "佛山市禅城区祖庙路1号"}


@pytest.mark.parametrize(
    ("answers", "state", "reason"),
    [
        ([found(HOME), found(HOME)], "FRESH", None),
        ([Absent(), found(HOME)], "FRESH", None),
        ([Absent(), Absent()], "NOT_FOUND", None),
        ([Failed(Reason.DOWN), Absent()], "UNAVAILABLE", "DOWN"),
        ([Absent(), Failed(Reason.CLOSED)], "UNAVAILABLE", "CLOSED"),
        ([Failed(Reason.TIMEOUT), found(HOME)], "PARTIAL", "TIMEOUT"),
        ([found(HOME), Failed(Reason.TIMEOUT)], "PARTIAL", "TIMEOUT"),
        ([Found((), incomplete=Reason.INCOMPLETE), Absent()], "PARTIAL", "INCOMPLETE"),
    ],
)
def test_state_of_two_sources(answers: list[Answer], state: str, reason: str | None) -> None:
    part = build_part(ASKED, [GA, LGB], answers, NOW)
    assert (part["state"], part["reason"]) == (state, reason)


ANSWERS = st.sampled_from(
    [
        Absent(),
        Absent(as_of=NOW - timedelta(days=9)),
        Failed(Reason.DOWN),
        Failed(Reason.BREAKER_OPEN),
        found(HOME),
        Found((), incomplete=Reason.INCOMPLETE),
        Found((Row({}, match=Match.REVIEW),)),
    ]
)


@given(st.lists(ANSWERS, min_size=1, max_size=4))
def test_an_outage_is_never_an_absence(answers: list[Answer]) -> None:
    offers = [offer(f"S{index}", "residence", "admin", stale_after=timedelta(days=1)) for index in range(len(answers))]
    part = build_part(ASKED, offers, answers, NOW)
    if any(not isinstance(answer, Absent) for answer in answers):
        assert part["state"] != "NOT_FOUND"
    if part["state"] == "FRESH":
        assert not any(isinstance(answer, Failed) for answer in answers)
    assert (part["best"] is None) == (not part["records"])


def test_an_absence_from_an_old_delivery_is_stale() -> None:
    old = offer("JY", "residence", "admin", stale_after=timedelta(days=1))
    part = build_part(ASKED, [old], [Absent(as_of=NOW - timedelta(days=3))], NOW)
    assert (part["state"], part["asOf"]) == ("STALE", NOW - timedelta(days=3))


def test_both_values_of_a_conflict_stand_most_authoritative_first() -> None:
    nanhai = {"admin": "440605012", "address": "南海"}
    part = build_part(ASKED, [GA, LGB], [found(nanhai), found(HOME)], NOW)
    assert part["best"]["source"] == "GA_POP"
    assert [(value["source"], value["value"]) for value in part["conflicts"][0]["values"]] == [
        ("GA_POP", "440605012"),
        ("LGB", "440604"),
    ]
    assert {"field": "admin", "flag": "CONFLICT"} in part["quality"]
    assert len(part["records"]) == 2


def test_the_same_county_is_no_conflict() -> None:
    part = build_part(ASKED, [GA, LGB], [found(HOME | {"admin": "440604003"}), found(HOME)], NOW)
    assert part["conflicts"] == []


def test_two_cases_of_one_person_do_not_disagree_for_being_two() -> None:
    case = NOUNS["correctionCase"]
    jy, gdsj = (offer(code, "correctionCase", "caseNo", "state", "type") for code in ("JY", "GDSJ"))
    parole, probation = {"caseNo": "A", "state": "CLOSED", "type": "PAROLE"}, {"caseNo": "B", "state": "SUPERVISED"}
    for asked in (frozenset({"state", "type"}), frozenset({"state", "type", "caseNo"})):
        allowed = shape_of(case, asked, {EXISTS: ALLOW, "state": ALLOW, "type": ALLOW, "caseNo": ALLOW})
        part = build_part(allowed, [jy, gdsj], [found(parole), found(probation)], NOW)
        assert (part["conflicts"], part["quality"]) == ([], [])
    same = build_part(allowed, [jy, gdsj], [found(parole), found(probation | {"caseNo": "A"})], NOW)
    assert [conflict["field"] for conflict in same["conflicts"]] == ["state"]


def test_a_record_that_ended_does_not_lead() -> None:
    left = HOME | {"admin": "440605", "leftOn": date(2026, 1, 1)}
    part = build_part(ASKED, [LGB], [found(left, HOME | {"leftOn": None})], NOW)
    assert part["best"]["admin"] == "440604"


def test_what_is_for_review_shows_no_value_and_denies_nothing() -> None:
    row = Row({}, match=Match.REVIEW, review_hint="张*")
    part = build_part(ASKED, [LGB], [Found((row,), fetched_at=NOW)], NOW)
    assert part["state"] == "PARTIAL"
    assert part["records"] == []
    assert part["review"] == [{"source": "LGB", "nameMasked": "张*", "quality": []}]


def test_mask_and_withhold_apply_to_each_record() -> None:
    limited = shape("admin", "address", "permitNo", address=Effect.MASK, permitNo=Effect.WITHHOLD)
    part = build_part(limited, [LGB], [found(HOME | {"permitNo": "X1"})], NOW)
    record = part["records"][0]
    assert record["admin"] == "440604"
    assert "禅城" not in record["address"]
    assert "permitNo" not in record
    assert part["withheld"] == ("permitNo",)


def test_nothing_allowed_means_no_source_is_asked() -> None:
    assert not shape("permitNo", permitNo=Effect.WITHHOLD).open
    assert not shape_of(RESIDENCE, frozenset({"admin"}), {}).open
    assert shape_of(RESIDENCE, frozenset(), {EXISTS: ALLOW}).open


@pytest.mark.parametrize("reason", list(Reason))
def test_what_passes_by_itself_says_when_to_ask_again(reason: Reason) -> None:
    part = build_part(ASKED, [LGB], [Failed(reason)], NOW)
    passes = reason in {Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.DOWN, Reason.BREAKER_OPEN, Reason.INCOMPLETE}
    assert part["retryAt"] == (NOW + LGB.pause if passes else None)
    stated = NOW + timedelta(hours=5)
    assert build_part(ASKED, [LGB], [Failed(reason, stated)], NOW)["retryAt"] == stated
