"""The compiled executor against graphql-core: any question, the same data, errors, evidence and upstream calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

import orjson
import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLScalarType, get_named_type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.caller import AccessEvent, Caller
from gateway.federation import compiled as compiled_module
from gateway.federation.plan import Plans
from gateway.services.execute import GraphQLRequest
from schema.build import build_schema
from schema.limits import Limits
from tests.fakes.federated import OFFICER, OTHER, PERSON, Recorder, opened, road

SCHEMA = build_schema().graphql
HEAD = '@purpose(code: "CC_RECEPTION", caseNo: "1")'
# Under the shipped rules these see different fields, some of them masked, and some nobody.
CALLERS = (
    OFFICER,
    replace(OFFICER, org_kind="POLICE", roles=frozenset({"POLICE_OFFICER"})),
    replace(OFFICER, roles=frozenset({"VOLUNTEER"}), level=0),
)
WHERE = {
    "ResidencePart": ("(where: {status: {eq: CURRENT}})", '(where: {startOn: {min: "2020-01-01"}})'),
    "CorrectionCasePart": ("(where: {type: {in: [PROBATION, PAROLE]}})",),
}
LEAF = (GraphQLScalarType, GraphQLEnumType)
BAD = ("440606199003070018", "张三")


def departments() -> list[tuple[Any, Any]]:
    """Four sources: two that disagree, one with values the schema cannot show, one with cases that hang persons."""
    home = {"id": "1", "sfz": PERSON[0], "xm": PERSON[1], "ajbh": "(2026)1", "a": "佛山", "b": "440604", "c": None}
    return [
        opened(
            "LGB",
            "residence",
            {"address": "a", "admin": "b", "permitNo": "c"},
            [home, home | {"id": "2", "a": "x"}],
            rank=20,
        ),
        opened("GA", "residence", {"address": "a", "admin": "b"}, [home | {"b": "440605"}], rank=10),
        # `status` is a code table; a plain text that is in no table cannot be shown, and graphql-core must say so.
        opened("SB", "insurance", {"unitName": "a", "status": "b"}, [home]),
        opened("GDSJ", "correctionCase", {"caseNo": "ajbh", "chargeText": "a", "executionAdmin": "b"}, [home]),
    ]


@st.composite
def selections(draw: st.DrawFn, parent: GraphQLObjectType, depth: int) -> str:
    """A random selection on `parent`: leaves, links, aliases, fragments, directives, repeated keys."""
    parts: list[str] = []
    names = sorted(parent.fields)
    filtered = "records" in parent.fields and "where" in parent.fields["records"].args
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from([*names, "__typename"]))
        directive = draw(st.sampled_from(["", "", "", "@include(if: $yes) ", "@skip(if: $yes) ", "@include(if: $no) "]))
        if name == "__typename":
            parts.append(draw(st.sampled_from(["__typename", "t: __typename"])))
            continue
        named = get_named_type(parent.fields[name].type)
        alias = draw(st.sampled_from(["", "", f"{name}{depth}: "]))
        if isinstance(named, LEAF):
            parts.append(f"{alias}{name} {directive}")
        elif depth > 0 and isinstance(named, GraphQLObjectType):
            inner = draw(selections(named, depth - 1))
            wrapped = draw(st.sampled_from(["{i}", "... on {t} {{ {i} }}", "... {d}{{ {i} }}"]))
            inner = wrapped.format(i=inner, t=named.name, d=directive)
            written = ""
            if name == "records" and filtered and alias:
                written = draw(st.sampled_from(["", "(where: null)", *WHERE.get(parent.name, ())]))
                alias = f"w{abs(hash(written))}: "
            parts.append(f"{alias}{name}{written} {directive}{{ {inner} }}")
    return " ".join(parts) or "__typename"


@st.composite
def questions(draw: st.DrawFn) -> str:
    """A random operation over persons, cases and the catalogue."""
    person = SCHEMA.get_type("Person")
    case = SCHEMA.get_type("CorrectionCasePart")
    entry = SCHEMA.get_type("CatalogueEntry")
    assert isinstance(person, GraphQLObjectType)
    assert isinstance(case, GraphQLObjectType)
    assert isinstance(entry, GraphQLObjectType)
    keys = draw(st.lists(st.sampled_from([PERSON, OTHER, PERSON, BAD]), min_size=0, max_size=3))
    of = ", ".join(f'{{idNo: "{id_no}", name: "{name}"}}' for id_no, name in keys)
    roots = draw(
        st.lists(
            st.sampled_from(
                [
                    (f'person(idNo: "{PERSON[0]}", name: "张三")', person),
                    ("person(idNo: $id, name: $name)", person),
                    (f"people(of: [{of}])", person),
                    ('case(caseNo: "(2026)1")', case),
                    ("catalogue", entry),
                ]
            ),
            min_size=1,
            max_size=3,
        )
    )
    used = "z: person(idNo: $id, name: $name) @include(if: $no) @skip(if: $yes) { pid } "  # each variable must be used
    body = used + " ".join(
        f"r{index}: {text} {{ {draw(selections(kind, 3))} }}" for index, (text, kind) in enumerate(roots)
    )
    return f"query ($yes: Boolean!, $no: Boolean!, $id: String!, $name: String!) {HEAD} {{ {body} }}"


def as_recorded(event: AccessEvent) -> dict[str, Any]:
    """The whole record: whom, by which mask and rules, in which states; not the digest of bytes that hold a receipt."""
    return {item.name: getattr(event, item.name) for item in fields(event) if not item.name.startswith("result_")}


async def both(query: str, variables: dict[str, Any], caller: Caller = OFFICER) -> tuple[Any, Any]:
    """(compiled, graphql-core): answer, what was asked upstream, what was recorded."""
    seen = []
    for compiled in (True, False):
        houses = departments()
        recorder = Recorder()
        run = road([source for source, _ in houses], recorder)
        if not compiled:
            run._snapshots.current.plans.form = lambda *_: None  # type: ignore[method-assign]
        answer = await run(caller, GraphQLRequest(query, None, variables))
        calls = [[(lookup.keys, lookup.fields) for lookup in department.asked] for _, department in houses]
        events = [as_recorded(event) for event in recorder.events]
        if answer.body is not None:  # the very bytes that leave
            left = orjson.loads(answer.body)
            assert orjson.dumps(left["data"]) == orjson.dumps(answer.data)
            assert left["extensions"] == orjson.loads(orjson.dumps(answer.extensions))
        extensions = {name: value for name, value in answer.extensions.items() if name != "receipt"}
        # Errors stand in no order the specification knows.
        told = orjson.dumps([answer.executed, answer.data, sorted(answer.errors, key=orjson.dumps), extensions])
        seen.append((told, calls, events))
    return seen[0], seen[1]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(questions(), st.booleans(), st.sampled_from(CALLERS))
def test_any_question_has_one_answer(query: str, yes: bool, caller: Caller) -> None:
    variables = {"yes": yes, "no": False, "id": PERSON[0], "name": "张三"}
    compiled, core = asyncio.run(both(query, variables, caller))
    assert (compiled[0], compiled[2]) == (core[0], core[2])
    for ours, theirs in zip(compiled[1], core[1], strict=True):
        # graphql-core may come to one level in two steps: it then asks for the same persons in two lookups instead of one.
        assert asked(ours) == asked(theirs)
        assert len(ours) <= len(theirs)
        assert all(times == 1 for times in asked(ours).values())  # nobody is asked about twice for one answer


def asked(lookups: Iterable[tuple[Any, Any]]) -> Counter[Any]:
    """Each key with the fields it was asked for: nobody twice, whoever shares a lookup."""
    return Counter((key, fields) for keys, fields in lookups for key in keys)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        "person(idNo: $id, name: $name) { insurance { records { status unitName } } }",  # cannot be shown
        "person(idNo: $id, name: $name) { residence { conflicts { field values { value rank } } best { address } } }",
        "person(idNo: $id, name: $name) { cases { records { caseNo person { pid residence { state } } } } }",
        'people(of: [{idNo: "x", name: "y"}, {idNo: $id, name: $name}]) { pid residence { state } }',
        # read from rows, without a part being made: once with what cannot be shown, once twice over
        "person(idNo: $id, name: $name) { insurance { s: state n: __typename records { u: unitName status } } }",
        "person(idNo: $id, name: $name) { insurance { records { unitName n: __typename } two: records { u: unitName } } }",
        "person(idNo: $id, name: $name) { residence { records { address } records { admin } } residence { state } }",
        'person(idNo: $id, name: $name) { residence { records(where: {startOn: {min: "2020-01-01"}}) { admin } } }',
        'cases(executionAdmin: "440604", first: 101) { nodes { caseNo } }',
        # graphql-core meets a list's fields a turn later than an object's; both still are one lookup
        'people(of: [{idNo: "440606199003070033", name: "张三"}]) { residence { state } } '
        "a: person(idNo: $id, name: $name) { residence { state } }",
        "catalogue { code health { state p50Ms } answers { fields } condition { zh } legalGround { zh } }",
    ],
)
async def test_the_cases_that_matter(body: str) -> None:
    query = f"query ($yes: Boolean, $no: Boolean, $id: String!, $name: String!) {HEAD} {{ {body} a: __typename }}"
    query = query.replace(" a: __typename", "") if "__typename" not in body else query
    query = query.replace("$yes: Boolean, $no: Boolean, ", "")
    compiled, core = await both(query, {"id": PERSON[0], "name": "张三"})
    assert compiled == core


@pytest.mark.anyio
async def test_the_compiled_form_is_really_used() -> None:
    """Without this, a compiler that always gives up would pass every comparison."""
    plans = Plans(build_schema(), Limits(), introspection=True)
    used = {}
    for text in (
        '{ person(idNo: "1", name: "a") { pid residence { records { address } } } }',
        "{ catalogue { code } }",
        "{ __typename }",
        "{ __schema { queryType { name } } }",
    ):
        used[text] = plans.prepare(text, None, {}).form is not None
    assert list(used.values()) == [True, True, True, False]


@pytest.mark.parametrize(
    ("part", "rows"),
    [
        ("s: state n: __typename records { address n: __typename } two: records { admin }", True),
        ("records { address source }", False),
        ("records { address } asOf", False),
        ('records(where: {startOn: {min: "2020-01-01"}}) { address }', False),
        ("state", False),
    ],
)
def test_only_states_and_own_fields_are_read_without_making_parts(part: str, rows: bool) -> None:
    plans = Plans(build_schema(), Limits(), introspection=True)
    form = plans.prepare(f'{{ person(idNo: "1", name: "a") {{ residence {{ {part} }} }} }}', None, {}).form
    assert form is not None
    assert ("values.rows" in form.code.source) is rows


@pytest.mark.anyio
async def test_other_variables_are_another_form() -> None:
    """The plan cache must not answer one request with what another asked for."""
    query = f"query ($yes: Boolean!, $id: String!, $name: String!) {HEAD} {{ person(idNo: $id, name: $name) {{ residence {{ state records {{ address @include(if: $yes) admin }} }} }} }}"
    source, department = departments()[0]
    run = road([source], Recorder())
    for yes in (True, False, True):
        answer = await run(OFFICER, GraphQLRequest(query, None, {"yes": yes, "id": PERSON[0], "name": "张三"}))
        assert answer.data is not None
        assert ("address" in answer.data["person"]["residence"]["records"][0]) is yes
    assert [("a" in lookup.fields) for lookup in department.asked] == [True, False, True]


@pytest.mark.anyio
@pytest.mark.parametrize("most", [None, 1], ids=["introspection", "too many nodes"])
async def test_what_no_form_expresses_runs_whole_and_asks_once(
    most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known before anybody is asked, it is counted, and the answer and its record are those of a compiled query."""
    body = "person(idNo: $id, name: $name) { residence { state records { address } } insurance { state } }"
    query = f"query ($id: String!, $name: String!) {HEAD} {{ {body} %s }}"
    variables = {"id": PERSON[0], "name": "张三"}
    plain, _ = await both(query.replace("%s", ""), variables)
    if most is not None:
        monkeypatch.setattr(compiled_module, "_MOST_NODES", most)
    houses, recorder = departments(), Recorder()
    run = road([source for source, _ in houses], recorder, introspection=True)
    text = query % ("" if most is not None else '__type(name: "Person") { name }')
    answer = await run(OFFICER, GraphQLRequest(text, None, variables))
    assert run._snapshots.current.plans.counts["FALLBACK"] == 1
    assert answer.data is not None
    assert [answer.executed, answer.data["person"]] == [True, orjson.loads(plain[0])[1]["person"]]
    asked_each = [asked((lookup.keys, lookup.fields) for lookup in department.asked) for _, department in houses]
    assert asked_each == [asked(lookups) for lookups in plain[1]]
    assert [as_recorded(event)["states"] for event in recorder.events] == [one["states"] for one in plain[2]]
