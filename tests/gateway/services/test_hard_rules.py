"""Who may not be noticed: for whoever has no ground, a sealed person, an unknown number and a stranger are one and the
same, in answers, events and questions to the departments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from adapters.mapping import Mapped
from gateway.caller import AccessEvent, Decision
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.run_query import RunQuery
from tests.fakes.federated import NOW, OFFICER, OTHER, PERSON, Everyone, Recorder, opened, road
from tests.fakes.grounds import GroundPolicy
from tests.fakes.memory_source import MemorySource

pytestmark = pytest.mark.anyio
HEAD = '@purpose(code: "CC_RECEPTION", caseNo: "1")'
SEALED = ("440604200909120036", "王小明")
NOBODY = ("440604199303030065", "刘芳")
BODY = (
    "pid residence { state reason withheld sources { source } records { address } } cases { state records { caseNo } }"
)
CASE = 'case(caseNo: "{}") {{ state withheld sources {{ source state }} records {{ caseNo person {{ pid }} documents {{ state }} }} }}'
PAGE = """cases(executionAdmin: "440604", first: %d%s) { state edges { cursor node { caseNo person { pid } } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""


def row(place: int, person: tuple[str, str], **more: Any) -> dict[str, Any]:
    id_no, name = person
    return {
        "id": f"{place:04}", "sfz": id_no, "xm": name, "ajbh": f"case-{place}", "zxd": "440604", "dz": f"home {place}",
        "wcn": False,
    } | more  # fmt: skip


async def subject(person: tuple[str, str]) -> str:
    return (await Everyone().intern([person[0]]))[0]


class House:
    """A register of cases and one of homes; `knows` says whom the officer has a ground towards."""

    def __init__(self, rows: list[dict[str, Any]], policy: Callable[[Any], GroundPolicy]) -> None:
        lgb, self.homes = opened("LGB", "residence", {"address": "dz"}, rows)
        gdsj, self.cases = opened("GDSJ", "correctionCase", {}, [])
        self.cases = MemorySource(
            rows, {"idNo": "sfz", "caseNo": "ajbh", "executionAdmin": "zxd"}, "GDSJ", now=lambda: NOW
        )
        by_person = opened(
            "GDSJ", "correctionCase", {"caseNo": "ajbh", "executionAdmin": "zxd", "minorAtOffence": "wcn"}, []
        )[0].manifest.answers[0]
        typed = tuple(replace(one, type="bool") if one.name == "minorAtOffence" else one for one in by_person.fields)
        by_person = replace(by_person, fields=typed)
        answers = tuple(
            replace(by_person, by=by, subject=by_person.subject if by == ("idNo", "name") else None)
            for by in (("idNo", "name"), ("caseNo",), ("executionAdmin",))
        )
        manifest = replace(gdsj.manifest, answers=answers)
        paged = _Paged(self.cases)
        self.pages = paged.asked
        gdsj = replace(gdsj, manifest=manifest, source=Mapped(manifest, paged, now=lambda: NOW))
        self.evidence = Recorder()
        self.run: RunQuery = road([lgb, gdsj], self.evidence)
        held = self.run._snapshots.current
        self.policy = policy(held.policy)
        held.policy = self.policy  # type: ignore[assignment]

    async def ask(self, body: str) -> GraphQLAnswer:
        answer = await self.run(OFFICER, GraphQLRequest(f"query {HEAD} {{ {body} }}"))
        assert not answer.errors, answer.errors
        return answer

    @property
    def asked(self) -> list[Any]:
        return [*self.homes.asked, *self.cases.asked, *self.pages]


class _Paged:
    """Keyset pages over a source in memory."""

    def __init__(self, source: MemorySource) -> None:
        self._source = source
        self.asked: list[Any] = []

    async def fetch(self, lookup: Any, *, timeout_s: float) -> Any:
        if lookup.page is None:
            return await self._source.fetch(lookup, timeout_s=timeout_s)
        self.asked.append(lookup)
        whole = replace(lookup, page=None)
        (answer,) = await MemorySource(self._source.rows, self._source.key_columns, "GDSJ", now=lambda: NOW).fetch(
            whole, timeout_s=timeout_s
        )
        if not hasattr(answer, "rows"):
            return [answer]
        rows = [one for one in answer.rows if lookup.page.after is None or one.values["id"] > lookup.page.after]
        return [replace(answer, rows=tuple(rows[: lookup.page.first]))]

    async def close(self) -> None: ...


async def house(rows: list[dict[str, Any]], *known: tuple[str, str], **more: Any) -> House:
    grounds = {await subject(person) for person in known}
    return House(rows, lambda inner: GroundPolicy(inner, grounds, **more))


def shape(event: AccessEvent) -> AccessEvent:
    """An event less what must differ: whom it is about, why, its salt and what that salts."""
    return replace(
        event, subjects=("?",) * len(event.subjects), inner_rule_ids=(), inputs="", result_digest=b"", result_salt=b""
    )


def one(person: tuple[str, str]) -> str:
    return f'person(idNo: "{person[0]}", name: "{person[1]}") {{ {BODY} }}'


async def test_the_sealed_and_the_unknown_get_the_same_bytes_events_and_questions() -> None:
    rows = [row(1, PERSON), row(2, SEALED, wcn=True)]
    told = []
    for person, why in ((SEALED, "sealed-juvenile"), (NOBODY, "no-case-link"), (OTHER, "former-spouse")):
        here = await house(rows, PERSON, reasons={await subject(person): why})
        answer = await here.ask(one(person))
        assert here.asked == [], "no department hears of it"
        assert answer.body is not None
        pid = Everyone().pid(await subject(person), OFFICER.org_id)
        (event,) = here.evidence.events
        assert event.decision is Decision.DENY
        assert event.inner_rule_ids == (why, "alarm:A11_INSIDER")
        assert list(event.subjects) == [await subject(person)]
        told.append((answer.body.replace(pid.encode(), b"?"), shape(event), answer.extensions))
    assert told[0] == told[1] == told[2]
    assert orjson.loads(told[0][0])["data"]["person"]["residence"]["state"] == "WITHHELD"
    assert told[0][2]["policy"]["rules"] == ["no-ground"]
    assert b"A11" not in told[0][0]


async def test_among_several_each_refusal_has_its_event_and_the_receipt_is_of_what_was_shown() -> None:
    here = await house([row(1, PERSON), row(2, SEALED)], PERSON)
    people = ", ".join(f'{{idNo: "{id_no}", name: "{name}"}}' for id_no, name in (SEALED, PERSON, NOBODY))
    answer = await here.ask(f"people(of: [{people}]) {{ {BODY} }}")
    assert answer.data is not None
    assert [person["residence"]["state"] for person in answer.data["people"]] == ["WITHHELD", "FRESH", "WITHHELD"]
    assert [(event.decision.value, list(event.subjects)) for event in here.evidence.events] == [
        ("ALLOW", [await subject(PERSON)]),
        ("DENY", [await subject(SEALED)]),
        ("DENY", [await subject(NOBODY)]),
    ]
    assert answer.extensions["receipt"]["id"] == "r1"
    assert {key[0] for lookup in here.asked for key in lookup.keys} == {PERSON[0]}


async def test_a_case_number_of_somebody_without_ground_is_one_nobody_has() -> None:
    told = []
    for case_no, rows in (("case-2", [row(1, PERSON), row(2, SEALED)]), ("case-2", [row(1, PERSON)])):
        here = await house(rows, PERSON)
        answer = await here.ask(CASE.format(case_no))
        (event,) = here.evidence.events
        told.append((answer.body, replace(shape(event), subjects=()), [lookup.fields for lookup in here.asked]))
        assert event.decision is Decision.DENY
        assert event.rule_ids == ("no-ground",)
    assert told[0] == told[1]
    assert orjson.loads(told[0][0] or b"")["data"]["case"]["state"] == "NOT_FOUND"


@pytest.mark.parametrize("asks", ["caseNo minorAtOffence", "caseNo"])
async def test_what_a_source_marks_as_a_minors_is_hidden_whether_or_not_the_mark_was_asked_for(asks: str) -> None:
    bodies = []
    for rows in ([row(1, PERSON), row(2, PERSON, wcn=True)], [row(1, PERSON)]):
        here = await house(rows, PERSON)
        answer = await here.ask(
            f'person(idNo: "{PERSON[0]}", name: "{PERSON[1]}") {{ cases {{ state sources {{ source state asOf }} '
            f"records {{ {asks} quality {{ field }} }} best {{ caseNo }} conflicts {{ field }} review {{ source }} }} }}"
        )
        bodies.append(answer.body)
        assert all({"wcn", "ajbh"} <= lookup.fields for lookup in here.cases.asked)
    assert bodies[0] == bodies[1]


async def test_a_minors_row_under_another_name_is_not_even_a_hint() -> None:
    bodies = []
    for rows in ([row(2, (PERSON[0], "王小明"), wcn=True)], []):
        here = await house(rows, PERSON)
        bodies.append(
            (
                await here.ask(
                    f'person(idNo: "{PERSON[0]}", name: "张三") {{ cases {{ state review {{ nameMasked }} }} }}'
                )
            ).body
        )
    assert bodies[0] == bodies[1]
    shown = await house([row(2, (PERSON[0], "王小明"))], PERSON)
    assert b'nameMasked":"\xe7\x8e\x8b' in (
        (
            await shown.ask(
                f'person(idNo: "{PERSON[0]}", name: "张三") {{ cases {{ state review {{ nameMasked }} }} }}'
            )
        ).body
        or b""
    ), "the hint of an adult is there"


async def test_whoever_may_see_the_minors_case_sees_it_and_its_mark() -> None:
    here = await house([row(2, SEALED, wcn=True)], SEALED, changes={await subject(SEALED): {"hide_minor": False}})
    answer = await here.ask(
        f'person(idNo: "{SEALED[0]}", name: "王小明") {{ cases {{ records {{ caseNo minorAtOffence }} }} }}'
    )
    assert answer.data is not None
    assert answer.data["person"]["cases"]["records"] == [{"caseNo": "case-2", "minorAtOffence": True}]


@pytest.mark.parametrize("written", ["(2020)粤1号", "（2020）粤1号", "〔2020〕粤 1号"])
async def test_a_sealed_case_of_a_person_one_may_see_is_hidden_however_its_number_is_written(written: str) -> None:
    bodies = []
    for rows in ([row(1, PERSON), row(2, PERSON, ajbh=written)], [row(1, PERSON)]):
        changes = {await subject(PERSON): {"hidden_cases": frozenset({"(2020)粤1号"})}}
        here = await house(rows, PERSON, changes=changes)
        bodies.append(
            (
                (await here.ask(one(PERSON))).body,
                (await here.ask(CASE.format(written))).body,
                (await here.ask(PAGE % (1, ""))).body,
                [replace(shape(event), subjects=()) for event in here.evidence.events],
            )
        )
    assert bodies[0] == bodies[1]


def people(count: int) -> list[tuple[str, str]]:
    """ID numbers with their check digit, for as many people as asked."""
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    found = []
    for number in range(count):
        body = f"44060419900101{number:03}"
        check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]
        found.append((body + check, f"人{number}"))
    return found


@pytest.mark.parametrize("first", [1, 2, 5, 30])
async def test_pages_are_cut_after_what_is_hidden_and_look_as_if_it_had_never_been_there(first: int) -> None:
    everybody = people(60)
    # One hidden row in every place a page can begin, end or turn at.
    hidden = {everybody[place] for place in (0, 1, 5, 6, 7, 20, 30, 31, 58, 59)}
    known = [person for person in everybody if person not in hidden]
    full = [row(place, person) for place, person in enumerate(everybody)]
    bare = [one for one, person in zip(full, everybody, strict=True) if person not in hidden]
    told = []
    for rows in (full, bare):
        here = await house(rows, *known)
        pages, after = [], ""
        while True:
            answer = await here.ask(PAGE % (first, after))
            pages.append((answer.body, answer.extensions))
            assert answer.data is not None
            info = answer.data["cases"]["pageInfo"]
            if not info["hasNextPage"]:
                break
            assert len(answer.data["cases"]["edges"]) == first
            after = f', after: "{info["endCursor"]}"'
        told.append((pages, [shape(event) for event in here.evidence.events], len(here.pages)))
        assert {who for event in here.evidence.events for who in event.subjects} == {
            await subject(one) for one in known
        }
    assert [body for body, _ in told[0][0]] == [body for body, _ in told[1][0]]
    assert told[0][1] == told[1][1], "events"
    assert told[0][2] == told[1][2], "calls"


async def test_however_much_is_hidden_a_page_is_full_and_the_end_is_the_end() -> None:
    everybody = people(700)
    rows = [row(place, person) for place, person in enumerate(everybody)]
    here = await house(rows, everybody[0], everybody[-1])
    answer = await here.ask(PAGE % (1, ""))
    assert answer.data is not None
    info = answer.data["cases"]["pageInfo"]
    assert info["hasNextPage"]
    last = (await here.ask(PAGE % (5, f', after: "{info["endCursor"]}"'))).data
    assert last is not None
    assert [edge["node"]["caseNo"] for edge in last["cases"]["edges"]] == ["case-699"]
    assert not last["cases"]["pageInfo"]["hasNextPage"]


async def test_a_list_of_people_without_ground_is_an_empty_one_and_accuses_nobody() -> None:
    bodies = []
    for rows in ([row(1, SEALED), row(2, OTHER)], []):
        here = await house(rows)
        bodies.append((await here.ask(PAGE % (5, ""))).body)
        (event,) = here.evidence.events
        assert (event.decision, list(event.subjects)) == (Decision.ALLOW, [])
        assert event.inner_rule_ids == ()
    assert bodies[0] == bodies[1]


async def test_a_row_that_names_nobody_is_nobodys_to_see() -> None:
    here = await house([row(1, PERSON), row(2, ("", "无名"))], PERSON)
    assert (await here.ask(CASE.format("case-2"))).data == (await here.ask(CASE.format("case-9"))).data


async def test_an_answer_says_which_rules_it_rests_on_for_each_it_shows() -> None:
    here = await house(
        [row(1, PERSON)], PERSON, changes={await subject(PERSON): {"rule_ids": ("purpose:CC_RECEPTION", "case-link")}}
    )
    answer = await here.ask(one(PERSON))
    assert answer.extensions["policy"]["rules"] == ["purpose:CC_RECEPTION", "case-link"]
    answer = await here.ask(CASE.format("case-1"))
    assert "case-link" in answer.extensions["policy"]["rules"]
    answer = await here.ask(CASE.format("case-2"))
    assert "case-link" not in answer.extensions["policy"]["rules"]


async def test_events_carry_consent_delay_and_who_asked_how() -> None:
    later = NOW.replace(year=2027)
    more = {"consent_id": "consent-1", "visible_from": later, "inner_rule_ids": ("quiet",)}
    here = await house([row(1, PERSON)], PERSON, changes={await subject(PERSON): more})
    caller = replace(OFFICER, client_id="desk", grant_id="g1", level=3)
    await here.run(caller, GraphQLRequest(f"query {HEAD} {{ {one(PERSON)} }}"))
    (event,) = here.evidence.events
    assert (event.client_id, event.grant_id, event.level) == ("desk", "g1", 3)
    assert (event.consent_id, event.visible_from, event.inner_rule_ids) == ("consent-1", later, ("quiet",))
