"""Kind "graphql": only granted fields are asked for, keys do not mix, and no error reads as an absence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import Reason
from adapters.graphql import GraphqlKind
from adapters.manifest import FieldMapping
from adapters.source import Absent, Failed, Found
from tests.adapters.rest_lab import LI_MEI, NOW, ZHANG, Answering, lab, manifest_of

pytestmark = pytest.mark.anyio

REQUEST: Mapping[str, Any] = {
    "query": (
        'query Q($idNo: String!, $name: String!) @purpose(code: "CC", caseNo: "{1}") { person(idNo: $idNo, name: $name)'
        " { residence { state asOf reason retryAt records { {fields} } } } }"
    ),
    "variables": {"idNo": "{idNo}", "name": "{name}"},
    "rows": "person.residence.records",
    "state": "person.residence.state",
    "reason": "person.residence.reason",
    "retry_at": "person.residence.retryAt",
    "as_of": "person.residence.asOf",
}
BATCH = {**REQUEST, "batch": True}
STATELESS = {name: value for name, value in REQUEST.items() if name in ("query", "variables", "rows")}
CHEN = ("430121198502200015", "陈明")
FIELDS = frozenset({"djbh"})


def part(state: str, *numbers: str, **more: Any) -> dict[str, Any]:
    return {"residence": {"state": state, "records": [{"djbh": n} for n in numbers], **more}}


def always(document: object, status: int = 200) -> Answering:
    return lambda request, body: JSONResponse(document, status)


async def ask(answer: Answering, request: Mapping[str, Any] = REQUEST) -> Any:
    async with lab(answer, request, kind=GraphqlKind()) as room:
        return await room.ask_one(fields=FIELDS)


async def test_only_granted_fields_are_asked_for_and_keys_travel_as_variables() -> None:
    hostile = ('") { secrets } #', "{fields}")
    fields = frozenset({"djbh", "info.jzdz", "info.deep.n", "a } evil { b"})
    async with lab(always({"data": {"person": part("NOT_FOUND")}}), REQUEST, kind=GraphqlKind()) as room:
        assert isinstance(await room.ask_one(hostile, fields=fields), Absent)
        (seen,) = room.seen
        sent = json.loads(seen.body)
        assert sent["variables"] == {"idNo": hostile[0], "name": hostile[1]}
        assert "records { djbh info { deep { n } jzdz } }" in sent["query"]
        assert "evil" not in sent["query"]
        assert "secrets" not in sent["query"]
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["accept"].startswith("application/graphql-response+json")
        parse(sent["query"])


async def test_no_field_at_all_is_still_a_query() -> None:
    async with lab(always({"data": {"person": part("NOT_FOUND")}}), REQUEST, kind=GraphqlKind()) as room:
        await room.ask_one(fields=frozenset())
        assert "records { __typename }" in json.loads(room.seen[0].body)["query"]


async def test_a_batch_is_one_request_with_an_alias_and_variables_for_each_key() -> None:
    def answer(request: Request, body: bytes) -> Response:
        sent = json.loads(body)
        (operation,) = parse(sent["query"]).definitions
        assert isinstance(operation, OperationDefinitionNode)
        data = {}
        for node in operation.selection_set.selections:
            assert isinstance(node, FieldNode)
            assert node.alias is not None
            asked = {a.name.value: sent["variables"][a.value.name.value] for a in node.arguments}  # type: ignore[union-attr]
            data[node.alias.value] = part("FRESH", asked["idNo"]) if asked["idNo"] != CHEN[0] else part("NOT_FOUND")
        assert set(sent["variables"]) == {d.variable.name.value for d in operation.variable_definitions or ()}
        return JSONResponse({"data": data})

    async with lab(answer, BATCH, kind=GraphqlKind()) as room:
        zhang, nameless, chen, again, mei = await room.ask(ZHANG, (ZHANG[0], None), CHEN, ZHANG, LI_MEI, fields=FIELDS)
        assert len(room.seen) == 1
        for answer_, who in ((zhang, ZHANG), (again, ZHANG), (mei, LI_MEI)):
            assert isinstance(answer_, Found)
            assert answer_.rows[0].values == {"djbh": who[0]}
        assert isinstance(chen, Absent)
        assert isinstance(nameless, Failed)
        assert nameless.reason is Reason.KEY_MISSING


@pytest.mark.parametrize(
    ("state", "numbers", "expected"),
    [
        ("FRESH", ["1"], Found),
        ("STALE", ["1"], Found),
        ("PARTIAL", ["1"], Found),
        ("PARTIAL", [], Reason.INCOMPLETE),
        ("NOT_FOUND", [], Absent),
        ("UNAVAILABLE", [], Reason.DOWN),
        ("WITHHELD", [], Reason.REFUSED),
        ("FRESH", [], Reason.GARBAGE),
        ("NOT_FOUND", ["1"], Reason.GARBAGE),
        ("SOMETHING", ["1"], Reason.GARBAGE),
        (None, [], Reason.GARBAGE),
    ],
)
async def test_the_other_side_s_state_is_ours(state: str, numbers: list[str], expected: object) -> None:
    answer = await ask(always({"data": {"person": part(state, *numbers)}}))
    if isinstance(expected, Reason):
        assert isinstance(answer, Failed)
        assert answer.reason is expected
    else:
        assert type(answer) is expected
        if isinstance(answer, Found):
            assert (answer.incomplete is Reason.INCOMPLETE) == (state == "PARTIAL")


async def test_their_date_is_the_answer_s_date_and_their_retry_is_ours() -> None:
    as_of = datetime(2026, 11, 17, 16, 0, tzinfo=UTC)
    found = await ask(always({"data": {"person": part("STALE", "1", asOf="2026-11-18T00:00:00+08:00")}}))
    assert isinstance(found, Found)
    assert found.as_of == as_of
    assert found.fetched_at == NOW
    for bad in ("2026-11-18T00:00:00", "yesterday", 5):
        answer = await ask(always({"data": {"person": part("STALE", "1", asOf=bad)}}))
        assert isinstance(answer, Failed)
    closed = part("UNAVAILABLE", reason="CLOSED", retryAt="2026-11-20T21:00:00Z")
    assert await ask(always({"data": {"person": closed}})) == Failed(
        Reason.CLOSED, datetime(2026, 11, 20, 21, 0, tzinfo=UTC), "the other side has no answer"
    )


async def test_an_error_spoils_its_own_key_and_no_other() -> None:
    document = {
        "data": {"k0": part("FRESH", "1"), "k1": None},
        "errors": [{"message": ZHANG[0], "path": ["k1", "residence"], "extensions": {"code": "FORBIDDEN"}}],
    }
    async with lab(always(document), BATCH, kind=GraphqlKind()) as room:
        zhang, mei = await room.ask(ZHANG, LI_MEI, fields=FIELDS)
        assert isinstance(zhang, Found)
        assert mei == Failed(Reason.REFUSED, None, "error code FORBIDDEN")


@pytest.mark.parametrize(
    ("errors", "data"),
    [
        ([{"message": "x"}], {"k0": part("FRESH", "1"), "k1": part("NOT_FOUND")}),
        ([{"message": "x", "path": ["other"]}], {"k0": part("FRESH", "1"), "k1": part("NOT_FOUND")}),
        ([{"message": "x", "path": ["k0"]}], None),
        ([{"message": "x"}], None),
        ([{"message": "x", "path": [["k0"]]}], {"k0": None, "k1": None}),
    ],
)
@pytest.mark.parametrize("request_", [BATCH, {**STATELESS, "batch": True}])
async def test_an_error_of_unknown_place_spoils_every_key(
    errors: list[object], data: object, request_: Mapping[str, Any]
) -> None:
    async with lab(always({"data": data, "errors": errors}), request_, kind=GraphqlKind()) as room:
        for answer in await room.ask(ZHANG, LI_MEI, fields=FIELDS):
            assert isinstance(answer, Failed)


async def test_a_null_without_an_error_is_absence_only_where_no_state_is_agreed() -> None:
    for document in ({"data": {"person": None}}, {"data": {"person": {"residence": None}}}):
        assert isinstance(await ask(always(document), STATELESS), Absent)
        assert isinstance(await ask(always(document)), Failed)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "text",
        {"data": None},
        {"data": []},
        {"data": {}},
        {"data": {"person": []}},
        {"data": {"person": {"residence": {"records": ["x"]}}}},
        {"data": {"person": {"residence": {"records": "x"}}}},
        {"data": {"person": {}}},
        {"data": {"person": None}, "errors": "x"},
        {"data": {"person": None}, "errors": ["x"]},
    ],
)
async def test_what_is_no_graphql_answer_is_garbage(document: object) -> None:
    answer = await ask(always(document), STATELESS)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.GARBAGE


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "GRAPHQL_VALIDATION_FAILED", Reason.GARBAGE),
        (400, "PURPOSE_REQUIRED", Reason.REFUSED),
        (400, None, Reason.DOWN),
        (401, "GRAPHQL_VALIDATION_FAILED", Reason.REFUSED),
        (429, None, Reason.RATE_LIMITED),
        (500, "FORBIDDEN", Reason.REFUSED),
        (503, None, Reason.DOWN),
    ],
)
async def test_a_failing_status_with_or_without_a_code(status: int, code: str | None, reason: Reason) -> None:
    document = {"errors": [{"message": "x", "extensions": {"code": code}}]}
    answer = await ask(always(document, status), {**REQUEST, "errors": {"PURPOSE_REQUIRED": "refused"}})
    assert isinstance(answer, Failed)
    assert answer.reason is reason


async def test_an_empty_answer_is_garbage_and_an_empty_401_a_refusal() -> None:
    for status, reason in ((200, Reason.GARBAGE), (401, Reason.REFUSED)):
        answer = await ask(lambda r, b, status=status: Response(b"", status))  # type: ignore[misc]
        assert isinstance(answer, Failed)
        assert answer.reason is reason


async def test_the_bearer_token_is_a_reference() -> None:
    auth = {"style": "bearer", "token": "env:T"}
    document = {"data": {"person": part("NOT_FOUND")}}
    async with lab(always(document), REQUEST, kind=GraphqlKind(), auth=auth, secrets={"env:T": "abc"}) as room:
        await room.ask_one(fields=FIELDS)
        assert room.seen[0].headers["authorization"] == "Bearer abc"


def query(text: str) -> dict[str, Any]:
    return {"query": text}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"batch": True}, []),
        ({"batch": "yes"}, ["batch"]),
        ({"query": ""}, ["query"]),
        ({"query": "{ person { residence { state asOf reason retryAt records } } }"}, ["query"]),
        ({"query": "query {{fields}"}, ["query"]),
        ({"query": "mutation { person { {fields} } }"}, ["query"]),
        ({"variables": {"idNo": "{idNo}"}}, ["query"]),
        ({"variables": {"idNo": "{sfzh}", "name": ""}}, ["variables"]),
        ({"variables": "x"}, ["query", "variables"]),
        ({"rows": ""}, ["rows"]),
        ({"rows": "person.records"}, ["query"]),
        ({"state": "person.state"}, ["query"]),
        ({"state": 5}, ["state"]),
        ({"errors": {"X": "absent"}}, ["errors.X"]),
        ({"errors": []}, ["errors"]),
        ({"sate": "x"}, ["sate"]),
        ({"batch": True, "query": str(REQUEST["query"])[:-1] + " other }"}, ["query"]),
    ],
)
def test_each_fault_has_its_place(change: dict[str, Any], expected: list[str]) -> None:
    faults = GraphqlKind().check(manifest_of({**REQUEST, **change}, kind="graphql"))
    assert sorted(place.removeprefix("answers.0.request.") for place, _ in faults) == expected


def test_a_raw_name_that_is_no_field_is_a_fault() -> None:
    manifest = manifest_of(REQUEST, kind="graphql")
    answer = manifest.answers[0]
    object.__setattr__(answer, "fields", (FieldMapping("a", "ok.deep"), FieldMapping("b", "x } evil { y")))
    assert [place for place, _ in GraphqlKind().check(manifest)] == ["answers.0.fields"]


def test_only_a_batch_shares_its_request() -> None:
    assert GraphqlKind().per_key(manifest_of(REQUEST).answers[0])
    assert not GraphqlKind().per_key(manifest_of(BATCH).answers[0])
