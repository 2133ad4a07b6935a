"""Plans: what variables decide is decided by their values, and what a stranger sends is not kept."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.federation.plan import Plans, RequestErrors
from gateway.services.execute import GraphQLRequest
from schema.build import build_schema
from schema.limits import LimitExceeded, Limits
from tests.fakes.federated import OFFICER, PERSON, Recorder, opened, road

HEAD = '@purpose(code: "CC_RECEPTION", caseNo: "1")'
HOMES = [
    {"id": "1", "sfz": PERSON[0], "xm": PERSON[1], "dz": "祖庙路1号", "zt": "CURRENT"},
    {"id": "2", "sfz": PERSON[0], "xm": PERSON[1], "dz": "大良路2号", "zt": "LEFT"},
]


def plans(**limits: Any) -> Plans:
    return Plans(build_schema(), Limits(**limits), introspection=True)


@pytest.mark.anyio
async def test_a_filter_by_default_value_filters_and_null_does_not() -> None:
    source, department = opened("LGB", "residence", {"address": "dz", "status": "zt"}, HOMES)
    execute = road([source], Recorder())
    query = f"""query ($w: ResidenceFilter = {{status: {{eq: CURRENT}}}}) {HEAD} {{
      person(idNo: "{PERSON[0]}", name: "{PERSON[1]}") {{ residence {{ state records(where: $w) {{ address }} }} }} }}"""

    async def addresses(variables: dict[str, Any]) -> list[str]:
        answer = await execute(OFFICER, GraphQLRequest(query, None, variables))
        assert answer.data is not None
        return [record["address"] for record in answer.data["person"]["residence"]["records"]]

    for _ in range(2):  # and again, from the plan that is kept
        assert await addresses({}) == ["祖庙路1号"]
        assert await addresses({"w": None}) == ["祖庙路1号", "大良路2号"]
        assert await addresses({"w": {"status": {"eq": "LEFT"}}}) == ["大良路2号"]
    assert "zt" in department.asked[0].fields


@pytest.mark.anyio
async def test_conflicts_are_looked_for_with_what_tells_things_apart() -> None:
    source, department = opened("GDSJ", "correctionCase", {"state": "zt", "caseNo": "ajbh"}, [])
    execute = road([source], Recorder())
    query = f'query {HEAD} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ cases {{ conflicts {{ field }} }} }} }}'
    await execute(OFFICER, GraphQLRequest(query))
    assert "ajbh" in department.asked[0].fields


def test_a_null_that_decides_what_is_asked_is_bad_input() -> None:
    kept = plans()
    plan = kept.plan("query ($s: Boolean = true) { purposes @skip(if: $s) { code } }", None, {"s": None})
    with pytest.raises(RequestErrors) as caught:
        kept.select(plan, kept.coerce(plan, {"s": None}))
    assert caught.value.code == "BAD_USER_INPUT"


@pytest.mark.parametrize("small", [1, 1.0])
@pytest.mark.parametrize("large", [50, 50.0])
def test_a_page_size_is_measured_however_the_number_is_written(small: float, large: float) -> None:
    kept = plans(cost=30)
    text = f'query ($n: Int!) {HEAD} {{ cases(executionAdmin: "1", first: $n) {{ nodes {{ caseNo }} }} }}'
    kept.prepare(text, None, {"n": small})
    with pytest.raises(LimitExceeded):
        kept.prepare(text, None, {"n": large})


def test_variables_that_nobody_declared_leave_nothing_behind() -> None:
    kept = plans()
    for turn in range(5):
        plan = kept.plan("{ purposes { code } }", None, {f"v{n}": turn for n in range(100)})
    assert plan.measured.keys() == {()}


def test_long_texts_push_each_other_out() -> None:
    kept = plans()
    for turn in range(20):
        kept.plan(f"{{ a{turn}: purposes {{ code }} }} #" + " " * 60_000, None, {})
    assert 1 <= len(kept._plans) <= 5
    assert kept._characters == sum(len(text) for text, _ in kept._plans)


def test_long_filters_are_not_kept_whole() -> None:
    kept = plans()
    text = f'query ($w: ResidenceFilter) {HEAD} {{ person(idNo: "1", name: "2") {{ residence {{ records(where: $w) {{ regNo }} }} }} }}'
    for turn in range(3):
        asked = kept.prepare(text, None, {"w": {"status": {"in": ["CURRENT"] * (1000 + turn)}}})
    assert list(asked.plan.forms) == [()]
    assert list(asked.plan.selections) == [(frozenset({"status"}),)]


@pytest.mark.anyio
async def test_one_mask_keeps_a_bounded_number_of_ways_to_ask() -> None:
    source, _ = opened("GDSJ", "correctionCase", {"caseNo": "ajbh"}, [])
    execute = road([source], Recorder())
    codes = ("type", "decidingOrgan", "crimeCategory", "originalPenalty", "level", "state")
    for turn in range(2 ** len(codes) + 20):
        asked = [name + ("Raw" if turn >> place & 1 else "") for place, name in enumerate(codes)]
        asked += [codes[turn % 6]] if turn >= 2 ** len(codes) else []
        fields = " ".join(dict.fromkeys(asked))
        await execute(
            OFFICER,
            GraphQLRequest(
                f'query {HEAD} {{ person(idNo: "{PERSON[0]}", name: "张三") {{ cases {{ records {{ {fields} }} }} }} }}'
            ),
        )
    policy: Any = execute._snapshots.current.policy
    kept = max(len(mask.worked_out) for mask in policy._masks.values())
    assert 2 < kept <= 64


MANY = "query ($p: [PersonKey!]! = [%s]) %s { people(of: $p) { pid } }"


@pytest.mark.parametrize("small", [{"p": None}, {"p": 40}, {"p": {"idNo": "1", "name": "a"}}, {"p": "x"}, {"p": True}])
@pytest.mark.parametrize("large", [{}, {"p": [{"idNo": "1", "name": "a"}] * 40}], ids=["default", "given"])
def test_a_small_question_never_lends_its_cost_to_a_large_one(small: dict[str, Any], large: dict[str, Any]) -> None:
    """What is measured is kept with the plan; a null, a number or a single value is not a list, nor a default."""
    query = MANY % (", ".join(['{idNo: "1", name: "a"}'] * 40), HEAD)
    honest, kept = plans(), plans()
    cost = honest.cost(honest.plan(query, None, large), None, large)
    assert cost >= 40
    plan = kept.plan(query, None, small)
    assert kept.cost(plan, None, large) == cost
