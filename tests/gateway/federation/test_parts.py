"""What a part says: the state is never better than what is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Reason
from adapters.source import Absent, Answer, Failed, Found, Match, Quality, Row
from gateway.federation.answers import SOURCE_ANSWER
from gateway.federation.catalog import Offer
from gateway.federation.parts import PART, FreshParts, Part, build_part, build_parts
from gateway.federation.readings import readings_of
from gateway.federation.records import RECORD
from gateway.federation.shapes import Shape, shape_of
from gateway.federation.view import View
from gateway.policy.decision import EXISTS, Effect
from gateway.services.disputes.ports import Disputed
from schema.builtin import builtin_nouns
from schema.wiring import LINKS
from tests.fakes.offers import NOW, found, offer
from tests.gateway.federation.reference_part import reference_doubts, reference_part

NOUNS = {noun.name: noun for noun in builtin_nouns()}
RESIDENCE = NOUNS["residence"]
ALLOW = Effect.ALLOW


def shape(*asked: str, **effects: Effect) -> Shape:
    return shape_of(RESIDENCE, frozenset(asked), {EXISTS: ALLOW, **{name: effects.get(name, ALLOW) for name in asked}})


def part_of(shape: Shape, offers: Sequence[Offer], answers: Sequence[Answer]) -> Part:
    return build_part(View(shape, offers, NOW), answers)


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
    part = part_of(ASKED, [GA, LGB], answers)
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
    part = part_of(ASKED, offers, answers)
    if any(not isinstance(answer, Absent) for answer in answers):
        assert part["state"] != "NOT_FOUND"
    if part["state"] == "FRESH":
        assert not any(isinstance(answer, Failed) for answer in answers)
    assert (part["best"] is None) == (not part["records"])


def test_an_absence_from_an_old_delivery_is_stale() -> None:
    old = offer("JY", "residence", "admin", stale_after=timedelta(days=1))
    part = part_of(ASKED, [old], [Absent(as_of=NOW - timedelta(days=3))])
    assert (part["state"], part["asOf"]) == ("STALE", NOW - timedelta(days=3))


def test_both_values_of_a_conflict_stand_most_authoritative_first() -> None:
    nanhai = {"admin": "440605012", "address": "南海"}
    part = part_of(ASKED, [GA, LGB], [found(nanhai), found(HOME)])
    assert part["best"]["source"] == "GA_POP"
    assert [(value["source"], value["value"]) for value in part["conflicts"][0]["values"]] == [
        ("GA_POP", "440605012"),
        ("LGB", "440604"),
    ]
    assert {"field": "admin", "flag": "CONFLICT"} in part["quality"]
    assert len(part["records"]) == 2


def test_the_same_county_is_no_conflict() -> None:
    part = part_of(ASKED, [GA, LGB], [found(HOME | {"admin": "440604003"}), found(HOME)])
    assert part["conflicts"] == []


def test_two_cases_of_one_person_do_not_disagree_for_being_two() -> None:
    case = NOUNS["correctionCase"]
    jy, gdsj = (offer(code, "correctionCase", "caseNo", "state", "type") for code in ("JY", "GDSJ"))
    parole, probation = {"caseNo": "A", "state": "CLOSED", "type": "PAROLE"}, {"caseNo": "B", "state": "SUPERVISED"}
    for asked in (frozenset({"state", "type"}), frozenset({"state", "type", "caseNo"})):
        allowed = shape_of(case, asked, {EXISTS: ALLOW, "state": ALLOW, "type": ALLOW, "caseNo": ALLOW})
        part = part_of(allowed, [jy, gdsj], [found(parole), found(probation)])
        assert (part["conflicts"], part["quality"]) == ([], [])
    same = part_of(allowed, [jy, gdsj], [found(parole), found(probation | {"caseNo": "A"})])
    assert [conflict["field"] for conflict in same["conflicts"]] == ["state"]


def test_a_record_that_ended_does_not_lead() -> None:
    left = HOME | {"admin": "440605", "leftOn": date(2026, 1, 1)}
    part = part_of(ASKED, [LGB], [found(left, HOME | {"leftOn": None})])
    assert part["best"]["admin"] == "440604"


def test_what_is_for_review_shows_no_value_and_denies_nothing() -> None:
    row = Row({}, match=Match.REVIEW, review_hint="张*")
    part = part_of(ASKED, [LGB], [Found((row,), fetched_at=NOW)])
    assert part["state"] == "PARTIAL"
    assert part["records"] == []
    assert part["review"] == [{"source": "LGB", "nameMasked": "张*", "quality": []}]


def test_mask_and_withhold_apply_to_each_record() -> None:
    limited = shape("admin", "address", "permitNo", address=Effect.MASK, permitNo=Effect.WITHHOLD)
    part = part_of(limited, [LGB], [found(HOME | {"permitNo": "X1"})])
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
    part = part_of(ASKED, [LGB], [Failed(reason)])
    passes = reason in {Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.DOWN, Reason.BREAKER_OPEN, Reason.INCOMPLETE}
    assert part["retryAt"] == (NOW + LGB.pause if passes else None)
    stated = NOW + timedelta(hours=5)
    assert part_of(ASKED, [LGB], [Failed(reason, stated)])["retryAt"] == stated


# A lazily read part against one that is worked out at once as plain mappings.
CODES = ("S0", "S1", "S2")
FLAGS = (Quality.DATE_GUESSED, Quality.NAME_VARIANT)
TIMES = st.sampled_from([None, NOW, NOW - timedelta(hours=1), NOW - timedelta(days=9)])
SHAPED = ("residence", "insurance", "business", "correctionCase")


class Said:
    def __init__(self, said: Collection[Disputed]) -> None:
        self._said = said

    def of(self, subject_id: str) -> Collection[Disputed]:
        return self._said


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    noun = NOUNS[draw(st.sampled_from(SHAPED))]
    asked = draw(st.frozensets(st.sampled_from(sorted(noun.field_names)), max_size=6))
    implied = frozenset(name for name in (noun.ended_by, noun.newest_by) if name is not None)
    effects = {name: draw(st.sampled_from([ALLOW, ALLOW, Effect.MASK, Effect.WITHHOLD])) for name in sorted(asked)}
    if draw(st.booleans()):
        effects = dict.fromkeys(effects, ALLOW)
    return shape_of(noun, asked | implied, {**dict.fromkeys(implied, ALLOW), **effects, EXISTS: ALLOW}, implied - asked)


@st.composite
def answers(draw: st.DrawFn, shape: Shape) -> Answer:
    """Anything a source may say; a careless one says more than it was asked for."""
    kind = draw(st.sampled_from(["found", "found", "found", "absent", "failed"]))
    if kind == "absent":
        return Absent(draw(TIMES), draw(TIMES))
    if kind == "failed":
        return Failed(draw(st.sampled_from(list(Reason))), draw(TIMES))
    names = sorted(shape.noun.field_names)
    doubted = st.tuples(st.sampled_from(["", *names]), st.sampled_from(FLAGS))
    days = st.dates(date(2020, 1, 1), date(2026, 1, 1))
    rows = [
        Row(
            {
                item.name: draw(days if item.type == "Date" else st.sampled_from(["440604001", "440605001", "甲乙丙"]))
                for item in shape.noun.fields
                if draw(st.booleans())
            },
            draw(st.sampled_from(["", "1", "2"])),
            draw(TIMES),
            draw(st.sampled_from([Match.AUTO, Match.AUTO, Match.AUTO, Match.REVIEW])),
            tuple(draw(st.lists(doubted, max_size=2))),
            {"idNo": "440604199001010018", "caseNo": "1"},
            "张*",
        )
        for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3])))
    ]
    incomplete = draw(st.sampled_from([None, None, None, Reason.INCOMPLETE]))
    return Found(tuple(rows), draw(TIMES), draw(TIMES), incomplete)


@given(st.data())
def test_whatever_is_read_is_what_the_reference_says(data: st.DataObject) -> None:
    shape = data.draw(shapes())
    noun = shape.noun
    offers = [
        offer(code, noun.name, *sorted(noun.field_names), rank=10 + number, stale_after=data.draw(STALE_AFTER))
        for number, code in enumerate(CODES[: data.draw(st.integers(1, 3))])
    ]
    said = [data.draw(answers(shape)) for _ in offers]
    disputed = [
        Disputed("s", data.draw(st.sampled_from([noun.name, "other"])), name, data.draw(st.sampled_from(["", "S0"])))
        for name in data.draw(st.lists(st.sampled_from(sorted(noun.field_names)), max_size=2))
    ]
    wanted = reference_part(shape, offers, said, NOW)
    reference_doubts(wanted, noun.name, shape.shown, disputed)
    view = View(shape, offers, NOW, Said(disputed))
    part = build_parts(view, [said], ["s"])[0] if data.draw(st.booleans()) else build_part(view, said, "s")
    order = list(PART)
    data.draw(st.randoms(use_true_random=False)).shuffle(order)
    for name in order:  # whichever field is read first
        assert plain(part.get(name), noun.field_names) == plain(wanted[name], noun.field_names), name
    for record, like in zip(part.records, wanted["records"], strict=True):
        assert {name for name in noun.field_names if name in record} == noun.field_names & like.keys()
        assert (record[LINKS].values, record.links.subject) == (like["links"], "s")
    shown = sorted(shape.shown)
    assert compiled(noun.type_name, "rows", shown, part) == [
        {name: one[name] for name in shown} for one in wanted["records"]
    ]
    asked = [*shown, *RECORD]
    assert compiled(noun.type_name, "records", asked, part) == [
        {name: one[name] for name in asked} for one in wanted["records"]
    ]


ONE, TWO = found(HOME), found({"admin": "440604", "address": "佛山市顺德区"})


def test_a_fresh_level_is_of_the_same_parts_whoever_looks() -> None:
    level = build_parts(View(ASKED, [LGB], NOW), [[ONE], [TWO]], ["s", "t"])
    assert isinstance(level, FreshParts)
    assert [row.values for row in level.rows] == [part.records[0].values for part in level]
    assert [part.records[0].subject for part in level] == ["s", "t"]
    assert [part.state for part in level] == [level.state] * len(level) == ["FRESH"] * 2
    assert all(one is other for one, other in zip(level, level, strict=True))
    assert level[1] is list(level)[1]


@pytest.mark.parametrize(
    ("view", "other"),
    [
        (View(ASKED, [LGB], NOW), Absent()),
        (View(ASKED, [LGB], NOW), Failed(Reason.DOWN)),
        (View(ASKED, [LGB], NOW), found(HOME, HOME)),
        (View(ASKED, [LGB], NOW), Found(ONE.rows, incomplete=Reason.INCOMPLETE)),
        (View(ASKED, [LGB], NOW), Found((Row(HOME, match=Match.REVIEW),))),
        (View(shape("admin", "address", address=Effect.MASK), [LGB], NOW), TWO),
        (View(shape("admin", "address", address=Effect.WITHHOLD), [LGB], NOW), TWO),
        (View(ASKED, [offer("LGB", "residence", stale_after=timedelta(days=1))], NOW), TWO),
    ],
)
def test_rows_stand_for_parts_only_where_all_are_fresh_and_shown(view: View, other: Answer) -> None:
    level = build_parts(view, [[ONE], [other]], ["s", "t"])
    assert not isinstance(level, FreshParts)
    assert [part.state for part in level] == [build_part(view, [said]).state for said in (ONE, other)]


STALE_AFTER = st.sampled_from([None, timedelta(days=1)])


def plain(value: Any, names: Collection[str]) -> Any:
    """Values as plain ones: records and sources' answers as mappings of every field a reader could name."""
    if isinstance(value, list | tuple):
        return [plain(item, names) for item in value]
    if value is None or isinstance(value, str) or not hasattr(value, "get"):
        return value
    every = {*RECORD, *names, *SOURCE_ANSWER, "field", "flag", "values", "value", "nameMasked"}
    return {name: plain(found, names) for name in sorted(every) if (found := value.get(name)) is not None}


def compiled(type_name: str, where: str, fields: Sequence[str], part: Part) -> list[dict[str, Any]]:
    """What code says that is written by the type's own reading."""
    reading = readings_of(NOUNS)[type_name]
    lines = [f"for one in part.{where}:", *(f"    {line}" for line in reading.prelude("one"))]
    pairs = ", ".join(f"{name!r}: {reading.field('one', name)}" for name in fields)
    lines.append(f"    out.append({{{pairs}}})")
    out: list[dict[str, Any]] = []
    exec("\n".join(lines), {"part": part, "out": out})
    return out
