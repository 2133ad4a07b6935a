"""What goes along with a question to another gateway, and that its answer brings the receipt with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, print_ast

from adapters.egress import Reply
from adapters.graphql import GraphqlKind
from adapters.graphql_request import read_request
from adapters.kind import Opening
from adapters.manifest import SourceManifest
from adapters.onward import Onward
from adapters.other_gateway import name_of, other_gateway
from adapters.source import Absent, Failed, Found, Lookup
from tests.adapters.rest_lab import LI_MEI, NOW, ZHANG, manifest_of
from tests.adapters.test_graphql_receipt import ID, POLICY, RECEIPT

pytestmark = pytest.mark.anyio
REQUEST: Mapping[str, Any] = {
    "query": (
        "query Q($idNo: String!, $name: String!, $p: String!, $c: String, $r: String)"
        " @purpose(code: $p, caseNo: $c, reference: $r)"
        " { person(idNo: $idNo, name: $name) { residence { state records { {fields} } } } }"
    ),
    "variables": {"idNo": "{idNo}", "name": "{name}"},
    "onward": {"purpose": "p", "caseNo": "c", "reference": "r"},
    "origin": "source",
    "rows": "person.residence.records",
    "state": "person.residence.state",
}
ALONG = Onward("CC_TRANSFER", "(2026)1", "a.example/abc", ("first.example", "a.example"))
FIELDS = frozenset({"djbh"})


def gateway(request: Mapping[str, Any] = REQUEST, **options: object) -> SourceManifest:
    manifest = manifest_of(request, kind="graphql")
    return replace(manifest, options={"yimen": True, **options}, endpoint="https://B.example/graphql")


class Channel:
    """Gives one answer, whatever is asked, and remembers the question."""

    def __init__(self, document: object) -> None:
        self.document, self.headers, self.sent = document, dict[str, str](), dict[str, Any]()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        self.headers, self.sent = dict(headers or {}), json.loads(body or b"")
        return Reply(200, {}, json.dumps(self.document).encode())

    async def close(self) -> None: ...


async def ask(manifest: SourceManifest, channel: Channel, *keys: Any, onward: Onward | None = ALONG) -> list[Any]:
    opening = Opening(manifest, channel, manifest.endpoint, lambda name: name, lambda: NOW, Path(), Path())
    source = GraphqlKind().open(opening)
    lookup = Lookup("residence", ("idNo", "name"), keys or (ZHANG,), FIELDS, onward=onward)
    return list(await source.fetch(lookup, timeout_s=2.0))


def said(state: str, *records: Mapping[str, Any], **extensions: Any) -> dict[str, Any]:
    return {"data": {"person": {"residence": {"state": state, "records": list(records)}}}, "extensions": extensions}


async def test_purpose_case_and_asker_go_along_and_by_whom_it_comes() -> None:
    channel = Channel(said("NOT_FOUND"))
    await ask(gateway(), channel)
    assert channel.sent["variables"] == {
        "idNo": ZHANG[0],
        "name": ZHANG[1],
        "p": "CC_TRANSFER",
        "c": "(2026)1",
        "r": "a.example/abc",
    }
    assert channel.headers["yimen-via"] == "first.example, a.example"
    assert 0 < int(channel.headers["yimen-within-ms"]) <= 1800, "less than we wait ourselves"


async def test_in_a_batch_they_are_said_once() -> None:
    channel = Channel({"data": {}})
    await ask(gateway({**REQUEST, "batch": True}), channel, ZHANG, LI_MEI)
    text = print_ast(parse(channel.sent["query"]))
    assert set(channel.sent["variables"]) == {"idNo_0", "name_0", "idNo_1", "name_1", "p", "c", "r"}
    assert text.count("$p: String!") == text.count("$c: String") == 1
    assert "@purpose(code: $p, caseNo: $c, reference: $r)" in text


@pytest.mark.parametrize(
    ("state", "records", "kind"),
    [("FRESH", [{"djbh": "1", "source": "LGB"}], Found), ("NOT_FOUND", [], Absent), ("WITHHELD", [], Failed)],
)
async def test_every_answer_brings_its_receipt(state: str, records: list[Any], kind: type) -> None:
    receipt = {**RECEIPT, "recordedAt": NOW.isoformat()}
    (answer,) = await ask(gateway(), Channel(said(state, *records, receipt=receipt, policy=POLICY)))
    assert isinstance(answer, kind)
    assert isinstance(answer, Found | Absent | Failed)
    assert answer.receipt is not None
    assert (answer.receipt.id, answer.receipt.note) == (ID, "")
    if isinstance(answer, Found):
        assert [row.origin for row in answer.rows] == ["LGB"]
        assert "source" not in answer.rows[0].values


async def test_a_bad_receipt_changes_no_answer_and_a_department_has_none() -> None:
    (answer,) = await ask(gateway(), Channel(said("NOT_FOUND", receipt={"id": "x"})))
    assert isinstance(answer, Absent)
    assert answer.receipt is not None
    assert answer.receipt.note == "MALFORMED"
    plain = {name: value for name, value in REQUEST.items() if name not in ("onward", "origin")}
    plain["query"] = (
        "query Q($idNo: String!, $name: String!) { person(idNo: $idNo, name: $name) { residence { state records { {fields} } } } }"
    )
    channel = Channel(said("NOT_FOUND", receipt=RECEIPT))
    (answer,) = await ask(replace(gateway(plain), options={}), channel, onward=None)
    assert answer.receipt is None
    assert "yimen-via" not in channel.headers


@pytest.mark.parametrize("origin", ["张三", "lgb", "A" * 30, 7, None, "A/B/C/D/E", ["LGB"]])
async def test_an_origin_is_a_code_or_nothing(origin: object) -> None:
    (answer,) = await ask(gateway(), Channel(said("FRESH", {"djbh": "1", "source": origin})))
    assert answer.rows[0].origin == ""


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"onward": {}}, "answers.0.request.query"),
        ({"onward": {"purpose": "p", "caseNo": "p"}}, "answers.0.request.onward"),
        ({"onward": {"purpose": "idNo"}}, "answers.0.request.onward"),
        ({"onward": {"who": "p"}}, "answers.0.request.onward.who"),
        ({"onward": "p"}, "answers.0.request.onward"),
        ({"origin": "a b"}, "answers.0.request.origin"),
    ],
)
def test_a_manifest_that_says_it_wrongly_is_refused(change: Mapping[str, Any], place: str) -> None:
    assert place in [where for where, _ in GraphqlKind().check(gateway({**REQUEST, **change}))]


@pytest.mark.parametrize(
    "options",
    [{"hops": 4}, {"hops": -1}, {"hops": True}, {"yimen": "yes"}, {"ledger_policy": "KEY"}, {"else": 1}],
)
def test_options_are_checked(options: Mapping[str, Any]) -> None:
    assert GraphqlKind().check(gateway(**options))
    assert GraphqlKind().check(gateway()) == []


def test_no_fixed_purpose_stands_for_all_of_ours() -> None:
    fixed = {
        **REQUEST,
        "query": REQUEST["query"].replace("$p: String!, ", "").replace("$p", '"CC"'),
        "onward": {"caseNo": "c", "reference": "r"},
    }
    assert [where for where, _ in GraphqlKind().check(gateway(fixed))] == ["answers.0.request.onward"]
    assert read_request(manifest_of(fixed).answers[0], "")[1] == []


def test_how_a_gateway_is_called() -> None:
    made = other_gateway(
        replace(gateway(hops=2), auth={"issuer": "https://b.example:8443/x"}), "https://u:p@B.example/graphql"
    )
    assert made is not None
    assert (made.hops, made.names) == (2, frozenset({"b.example", "b.example:8443"}))
    assert other_gateway(manifest_of(REQUEST, kind="graphql"), "https://b.example/graphql") is None
    assert name_of("http://127.0.0.1:8400") == "127.0.0.1:8400"
