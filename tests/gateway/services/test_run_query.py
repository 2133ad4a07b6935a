"""Decide, fetch, record, release; and what happens where one of them says no."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import orjson
import pytest

from adapters.source import Quality
from gateway.caller import Decision
from gateway.errors import EvidenceUnavailable
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.run_query import RunQuery
from tests.fakes.federated import OFFICER, OTHER, PERSON, Recorder, opened, road

pytestmark = pytest.mark.anyio
P = '@purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号")'
ONE = f"""query One($idNo: String!, $name: String!) {P} {{
  person(idNo: $idNo, name: $name) {{ pid residence {{ state source records {{ address admin }} best {{ address }} }} }} }}"""
HOME = {"id": "1", "sfz": PERSON[0], "xm": PERSON[1], "dz": "佛山市禅城区祖庙路1号", "qh": "440604", "fd": "secret"}
FIELDS = {"address": "dz", "admin": "qh", "landlordMasked": "fd"}


class House:
    """A road over one residence source."""

    def __init__(self, rows: list[dict[str, Any]] | None = None, **more: Any) -> None:
        self.source, self.department = opened("LGB", "residence", FIELDS, [HOME] if rows is None else rows)
        self.evidence = Recorder()
        self.execute: RunQuery = road([self.source], self.evidence, **more)

    async def ask(self, query: str, **variables: Any) -> GraphQLAnswer:
        return await self.execute(OFFICER, GraphQLRequest(query, None, variables))


def code(answer: GraphQLAnswer) -> str:
    return str(answer.errors[0]["extensions"]["code"])


async def test_a_fact_comes_with_its_source_and_a_receipt() -> None:
    house = House()
    answer = await house.ask(ONE, idNo=PERSON[0], name=PERSON[1])
    assert answer.data is not None
    part = answer.data["person"]["residence"]
    assert (part["state"], part["source"], part["best"]["address"]) == ("FRESH", "LGB", HOME["dz"])
    assert answer.extensions["receipt"]["id"] == "r1"
    assert answer.extensions["policy"]["rules"] == [
        "purpose:CC_RECEPTION",
        "livelihood-corrections",
        "person-case-link",
    ]
    assert answer.body is not None
    assert orjson.loads(answer.body)["data"] == orjson.loads(orjson.dumps(answer.data))


async def test_only_fields_asked_for_leave_the_department() -> None:
    house = House()
    await house.ask(ONE, idNo=PERSON[0], name=PERSON[1])
    assert "fd" not in house.department.asked[0].fields
    assert {"dz", "qh"} <= house.department.asked[0].fields


async def test_no_record_no_release() -> None:
    house = House()
    house.evidence.broken = True
    with pytest.raises(EvidenceUnavailable):
        await house.ask(ONE, idNo=PERSON[0], name=PERSON[1])


async def test_the_event_names_who_what_and_why_but_no_person() -> None:
    house = House()
    await house.ask(ONE, idNo=PERSON[0], name=PERSON[1])
    event = house.evidence.events[0]
    assert (event.actor_user, event.purpose, event.decision) == ("officer-lin", "CC_RECEPTION", Decision.ALLOW)
    # `best` is chosen by what ended and when it began, so these two are asked for with it.
    leading = {"residence.leftOn", "residence.startOn"}
    assert set(event.fields) == {"residence.address", "residence.admin", "residence.exists", *leading}
    assert len(event.subjects) == 1
    assert PERSON[0] not in repr(event)
    assert "张三" not in repr(event)


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("", "PURPOSE_MISSING"),
        ('@purpose(code: "NO_SUCH", caseNo: "1")', "PURPOSE_UNKNOWN"),
        ('@purpose(code: "PROC_SUPERVISION", caseNo: "1")', "PURPOSE_NOT_YOURS"),
        ('@purpose(code: "CC_RECEPTION")', "CASE_REQUIRED"),
        ('@purpose(code: "CC_RECEPTION", caseNo: "  ")', "CASE_REQUIRED"),
        ('@purpose(code: "CC_RECEPTION", caseNo: "()")', "CASE_REQUIRED"),
    ],
)
async def test_a_refused_purpose_asks_nobody_and_is_recorded(directive: str, expected: str) -> None:
    house = House()
    answer = await house.ask(ONE.replace(P, directive), idNo=PERSON[0], name=PERSON[1])
    assert code(answer) == expected
    assert not answer.executed
    assert house.department.asked == []
    assert house.evidence.events[0].decision is Decision.DENY
    assert answer.extensions["receipt"]["id"] == "r1"


async def test_a_purpose_is_no_place_to_keep_things() -> None:
    house = House()
    answer = await house.ask(ONE.replace("刑初123号", "刑" * 100), idNo=PERSON[0], name=PERSON[1])
    assert code(answer) == "PURPOSE_TOO_LONG"
    assert house.evidence.events == []


async def test_two_purposes_are_refused() -> None:
    answer = await House().ask(ONE.replace(P, P + P), idNo=PERSON[0], name=PERSON[1])
    assert code(answer) == "GRAPHQL_VALIDATION_FAILED"


async def test_a_purpose_by_variable_is_the_same_purpose() -> None:
    query = """query Q($c: String!, $n: String, $i: String!, $m: String!) @purpose(code: $c, caseNo: $n) {
      person(idNo: $i, name: $m) { residence { state } } }"""
    house = House()
    good = await house.ask(query, c="CC_RECEPTION", n="1", i=PERSON[0], m=PERSON[1])
    assert good.data == {"person": {"residence": {"state": "FRESH"}}}
    assert code(await house.ask(query, c="CC_RECEPTION", i=PERSON[0], m=PERSON[1])) == "CASE_REQUIRED"
    assert code(await house.ask(query, c=None, n="1", i=PERSON[0], m=PERSON[1])) == "BAD_USER_INPUT"


@pytest.mark.parametrize("query", ["{ __typename }", "{ catalogue { code } purposes { code } }"])
async def test_the_catalogue_needs_no_purpose_and_leaves_no_event(query: str) -> None:
    house = House()
    answer = await house.ask(query)
    assert answer.executed
    assert not answer.errors
    assert house.evidence.events == []


async def test_introspection_has_its_switch() -> None:
    assert code(await House().ask("{ __schema { queryType { name } } }")) == "INTROSPECTION_OFF"
    assert (await House(introspection=True).ask("{ __schema { queryType { name } } }")).data is not None


async def test_a_purpose_reaches_only_what_it_names() -> None:
    house = House()
    query = ONE.replace("CC_RECEPTION", "CC_PLAN").replace("address admin", "address admin landlordMasked")
    answer = await house.ask(query.replace("state source", "state withheld"), idNo=PERSON[0], name=PERSON[1])
    assert answer.data is not None
    part = answer.data["person"]["residence"]
    assert list(part["withheld"]) == ["landlordMasked"]
    assert part["records"][0]["landlordMasked"] is None
    assert "fd" not in house.department.asked[0].fields


async def test_what_may_not_be_seen_may_not_be_searched() -> None:
    house = House()
    query = f"""{{ person(idNo: "{PERSON[0]}", name: "张三") {{ residence {{ state withheld
      records(where: {{startOn: {{min: "2020-01-01"}}}}) {{ admin }} }} }} }}"""
    answer = await house.ask('query @purpose(code: "CC_PLAN", caseNo: "1") ' + query)
    # An empty list would say that there is no such record.
    assert (code(answer), answer.errors[0]["extensions"]["field"]) == ("FILTER_WITHHELD", "startOn")
    assert answer.data == {"person": None}


async def test_each_person_is_asked_for_once_however_often_they_are_named() -> None:
    house = House()
    keys = ", ".join(f'{{idNo: "{id_no}", name: "{name}"}}' for id_no, name in [PERSON, OTHER, PERSON])
    part = "residence { state records { admin } }"
    answer = await house.ask(
        f"query {P} {{ people(of: [{keys}]) {{ a: {part} b: {part} }} again: people(of: [{keys}]) {{ ...F }} }}"
        f"fragment F on Person {{ {part} }}"
    )
    assert answer.data is not None
    assert [person["a"]["state"] for person in answer.data["people"]] == ["FRESH", "NOT_FOUND", "FRESH"]
    assert len(house.department.asked) == 1
    assert [key[0] for key in house.department.asked[0].keys] == [PERSON[0], OTHER[0]]


@pytest.mark.parametrize(
    ("id_no", "name", "expected"),
    [
        ("440606199003070018", "张三", "BAD_ID"),
        ("x", "张三", "BAD_ID"),
        ("", "张三", "BAD_ID"),
        ("4" * 10_000, "张三", "BAD_ID"),
        (PERSON[0], " ", "BAD_NAME"),
        (PERSON[0], "张" * 101, "BAD_NAME"),
    ],
)
async def test_a_bad_key_is_an_error_at_its_place_and_repeats_nothing(id_no: str, name: str, expected: str) -> None:
    house = House()
    query = f"query Q($of: [PersonKey!]!) {P} {{ people(of: $of) {{ residence {{ state }} }} }}"
    answer = await house.ask(query, of=[{"idNo": PERSON[0], "name": "张三"}, {"idNo": id_no, "name": name}])
    assert answer.data == {"people": [{"residence": {"state": "FRESH"}}, None]}
    assert answer.errors[0]["extensions"]["code"] == expected
    assert answer.errors[0]["path"] == ["people", 1]
    assert len(id_no) < 5 or id_no not in repr(answer.errors)


async def test_a_hundred_and_one_persons_are_refused_also_across_fields() -> None:
    house = House()
    query = f"query Q($of: [PersonKey!]!) {P} {{ people(of: $of) {{ pid }} }}"
    key = {"idNo": PERSON[0], "name": "张三"}
    assert code(await house.ask(query, of=[key] * 101)) == "BATCH_TOO_LARGE"
    assert not (await house.ask(query, of=[key] * 100)).errors
    twice = f"query Q($of: [PersonKey!]!) {P} {{ a: people(of: $of) {{ pid }} b: people(of: $of) {{ pid }} }}"
    assert code(await house.ask(twice, of=[key] * 60)) == "BATCH_TOO_LARGE"


async def test_a_home_long_left_does_not_stand_for_the_present_one() -> None:
    """Also where the asker names neither the beginning nor the end."""
    left = HOME | {"id": "0", "dz": "旧居", "zx": date(2024, 1, 1)}
    source, _ = opened(
        "LGB", "residence", {"address": "dz", "leftOn": "zx"}, [left, HOME | {"zx": None}], dates=("leftOn",)
    )
    query = (
        f'query {P} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ residence {{ withheld best {{ address }} }} }} }}'
    )
    answer = await road([source], Recorder())(OFFICER, GraphQLRequest(query))
    assert answer.data == {"person": {"residence": {"withheld": [], "best": {"address": HOME["dz"]}}}}


async def test_a_silent_source_is_unavailable_and_the_rest_is_answered() -> None:
    lgb, silent = opened("LGB", "residence", FIELDS, [HOME], timeout_s=0.2)
    silent.silent = True
    gs, _ = opened("GS", "business", {"name": "mc"}, [{"id": "1", "sfz": PERSON[0], "xm": "张三", "mc": "面馆"}])
    execute = road([lgb, gs], Recorder())
    query = f'query {P} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ residence {{ state reason }} business {{ state }} }} }}'
    async with asyncio.timeout(1):
        answer = await execute(OFFICER, GraphQLRequest(query))
    assert answer.data == {
        "person": {"residence": {"state": "UNAVAILABLE", "reason": "TIMEOUT"}, "business": {"state": "FRESH"}}
    }


async def test_a_part_without_a_source_says_so() -> None:
    query = f'query {P} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ insurance {{ state reason }} }} }}'
    answer = await House().ask(query)
    assert answer.data == {"person": {"insurance": {"state": "UNAVAILABLE", "reason": "NO_SOURCE"}}}


async def test_another_name_is_for_review_and_shows_nothing() -> None:
    house = House([HOME | {"xm": "李四"}])
    query = f'query {P} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ residence {{ state records {{ address }} review {{ nameMasked }} }} }} }}'
    answer = await house.ask(query)
    assert answer.data is not None
    part = answer.data["person"]["residence"]
    assert part["records"] == []
    assert part["review"][0]["nameMasked"] == "李*"
    assert HOME["dz"] not in repr(answer)


async def test_a_url_carries_no_person_and_no_mutation() -> None:
    house = House()
    get = GraphQLRequest(ONE, None, {"idNo": PERSON[0], "name": "张三"}, method="GET")
    assert code(await house.execute(OFFICER, get)) == "PERSONAL_VARIABLES_IN_GET"
    literal = GraphQLRequest(f'query {P} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ pid }} }}', method="GET")
    assert code(await house.execute(OFFICER, literal)) == "PERSONAL_VARIABLES_IN_GET"
    case = GraphQLRequest(f'query {P} {{ case(caseNo: "(2026)1") {{ state }} }}', method="GET")
    assert code(await house.execute(OFFICER, case)) == "PERSONAL_VARIABLES_IN_GET"
    assert not (await house.execute(OFFICER, GraphQLRequest("{ catalogue { code } }", method="GET"))).errors
    assert code(
        await house.execute(OFFICER, GraphQLRequest("subscription { sourceHealth { source } }", method="GET"))
    ) == ("MUTATION_IN_GET")


async def test_trusted_documents_run_by_id_and_others_can_be_shut_out() -> None:
    house = House(trusted={"sha256:aa": "{ catalogue { code } }"}, trusted_only=True)
    assert not (await house.execute(OFFICER, GraphQLRequest(None, document_id="sha256:aa"))).errors
    assert (
        code(await house.execute(OFFICER, GraphQLRequest(None, document_id="sha256:bb"))) == "PERSISTED_QUERY_NOT_FOUND"
    )
    assert code(await house.execute(OFFICER, GraphQLRequest("{ catalogue { code } }"))) == "TRUSTED_DOCUMENTS_ONLY"


@pytest.mark.parametrize(
    "query",
    [
        '{ person(idNo: 440606199003070017, name: "张三") { pid } }',
        'query Q($a: Int = "440606199003070017") { person(idNo: $a, name: "张三") { pid } }',
        '{ person(idNo: "440606199003070017", name: "张三") { 张三 } }',
        '{ person(idNo: "440606199003070017", name: "张三") { zhangsan440606199003070017 } }',
        '{ person(idNo: "440606199003070017',
        '{ "440606199003070017" }',
        '{ person(idNo: "440606199003070017", nam: "张三") { pid } }',
    ],
)
async def test_errors_repeat_nothing_that_was_written(query: str) -> None:
    answer = await House().ask(query)
    shown = orjson.dumps(answer.errors).decode()
    assert not answer.executed
    assert "19900307" not in shown
    assert "张三" not in shown


async def test_a_bad_variable_is_named_but_not_repeated() -> None:
    answer = await House().ask(ONE, idNo=440606199003070017, name={"x": "张三"})
    shown = orjson.dumps(answer.errors).decode()
    assert code(answer) == "BAD_USER_INPUT"
    assert "19900307" not in shown
    assert "张三" not in shown


async def test_pids_differ_between_organisations() -> None:
    house = House()
    mine = await house.ask(ONE, idNo=PERSON[0], name=PERSON[1])
    other = OFFICER.__class__(*(getattr(OFFICER, name) if name != "org_id" else "other" for name in OFFICER.__slots__))
    theirs = await house.execute(other, GraphQLRequest(ONE, None, {"idNo": PERSON[0], "name": PERSON[1]}))
    assert mine.data is not None
    assert theirs.data is not None
    assert mine.data["person"]["pid"] != theirs.data["person"]["pid"]


def test_quality_flags_of_the_adapters_are_those_of_the_schema() -> None:
    from adapters.errors import Reason
    from schema.types.part import UnavailableReason
    from schema.types.record import QualityFlag

    assert set(Quality) == set(QualityFlag.__members__)
    assert set(Reason) | {"NO_SOURCE"} == set(UnavailableReason.__members__)
