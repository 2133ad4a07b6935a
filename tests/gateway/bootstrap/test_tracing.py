"""A trace tells how an operation went, in codes and counts, and of nobody."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import StatusCode

from adapters.egress_http import HttpEgress
from adapters.prompt import OVER, Begun, Told
from adapters.source import Absent, Answer, Lookup
from gateway.bootstrap.trace_export import check_tracing, open_tracing, traces_url
from gateway.errors import EvidenceUnavailable, SettingsInvalid
from gateway.services.execute import GraphQLRequest
from gateway.services.observe import Observed
from gateway.services.run_query import RunQuery
from gateway.services.tracing import UNTRACED
from gateway.settings import Settings
from tests.fakes.federated import OFFICER, OTHER, PERSON, NoMetrics, Recorder, opened, road
from tests.gateway.bootstrap.spans import Spans, said

pytestmark = pytest.mark.anyio
P = '@purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号")'
TWO = f"""query Two($idNo: String!, $name: String!) {P} {{
  person(idNo: $idNo, name: $name) {{ residence {{ state best {{ address }} }} identity {{ state best {{ phone }} }} }} }}"""
HOME = {"id": "1", "sfz": PERSON[0], "xm": PERSON[1], "dz": "佛山市禅城区祖庙路1号"}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
IDS = {"idNo": PERSON[0], "name": PERSON[1]}


@pytest.fixture
def spans() -> Spans:
    return Spans()


def traced(spans: Spans, **more: Any) -> RunQuery:
    lgb, _ = opened("LGB", "residence", {"address": "dz"}, [HOME])
    ga_pop, silent = opened("GA_POP", "identity", {"phone": "dh"}, [HOME], timeout_s=0.05)
    silent.silent = True
    sources = [
        replace(one, source=Observed(one.source, one.manifest.code, NoMetrics(), spans.tracing))
        for one in (lgb, ga_pop)
    ]
    return road(sources, more.pop("evidence", Recorder()), tracing=spans.tracing, **more)


def request(text: str = TWO, variables: Mapping[str, Any] = IDS, **more: Any) -> GraphQLRequest:
    return GraphQLRequest(text, None, variables, **more)


async def test_an_operation_and_below_it_each_lookup(spans: Spans) -> None:
    await traced(spans)(OFFICER, request())
    [operation] = spans.named("operation")
    assert said(operation) == {"kind": "query", "outcome": "OK", "purpose": "CC_RECEPTION", "snapshot": "v1" * 8}
    lookups = {str(said(span)["source"]): span for span in spans.named("lookup")}
    assert said(lookups["LGB"]) == {"source": "LGB", "noun": "residence", "keys": 1, "outcome": "OK"}
    assert said(lookups["GA_POP"])["noun"] == "identity"
    assert said(lookups["GA_POP"])["outcome"] == "FAILED"
    assert operation.context is not None
    for span in lookups.values():
        assert span.parent is not None
        assert span.parent.span_id == operation.context.span_id


async def test_two_operations_side_by_side_do_not_mix(spans: Spans) -> None:
    ask = traced(spans)
    await asyncio.gather(ask(OFFICER, request()), ask(OFFICER, request(variables={"idNo": OTHER[0], "name": OTHER[1]})))
    parents = [span.parent.span_id for span in spans.named("lookup") if span.parent is not None]
    assert len(set(parents)) == 2
    assert {span.context.span_id for span in spans.named("operation") if span.context} == set(parents)


async def test_the_callers_trace_goes_on_here(spans: Spans) -> None:
    await traced(spans)(OFFICER, request(traceparent=PARENT))
    [operation] = spans.named("operation")
    assert operation.context is not None
    assert operation.parent is not None
    assert f"{operation.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert f"{operation.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert {span.context.trace_id for span in spans.all if span.context} == {operation.context.trace_id}


async def test_a_caller_may_ask_not_to_be_traced(spans: Spans) -> None:
    await traced(spans)(OFFICER, request(traceparent=PARENT[:-2] + "00"))
    assert spans.all == ()


@pytest.mark.parametrize(
    "bad",
    [
        "", "x", PARENT[:-1], PARENT.upper(), "ff" + PARENT[2:], PARENT + "-more", PARENT + "\n",
        "00-" + "0" * 32 + PARENT[35:], PARENT[:36] + "0" * 16 + "-01", PARENT * 100,
        f"00-{PERSON[0]}00000000000000-00f067aa0ba902b7-01", f"00-4bf92f3577b34da6a3ce929d0e0e4736-0{'440606900307001'}-01",
    ],
)  # fmt: skip
async def test_what_is_no_traceparent_starts_a_trace_of_its_own(spans: Spans, bad: str) -> None:
    await traced(spans)(OFFICER, request(traceparent=bad))
    [operation] = spans.named("operation")
    assert operation.parent is None


@pytest.mark.parametrize(
    ("text", "variables", "outcome", "purpose"),
    [
        ("query($idNo: String!) { person(idNo: $idNo, name: 张三) }", IDS, "GRAPHQL_PARSE_FAILED", None),
        (f'{{ {PERSON[0]} }}', {}, "GRAPHQL_PARSE_FAILED", None),
        (TWO, {"idNo": [PERSON[0]], "name": {"张三": 1}}, "BAD_USER_INPUT", None),
        (TWO.replace("CC_RECEPTION", PERSON[0]), IDS, "PURPOSE_UNKNOWN", "UNKNOWN"),
        (TWO.replace("CC_RECEPTION", "CC_TRANSFER"), IDS, "PURPOSE_NOT_YOURS", "CC_TRANSFER"),
        (TWO.replace("Two", "Two_" + PERSON[0]), IDS, "OK", "CC_RECEPTION"),
    ],
)  # fmt: skip
async def test_a_refusal_is_told_by_its_code(
    spans: Spans, text: str, variables: Mapping[str, Any], outcome: str, purpose: str | None
) -> None:
    await traced(spans)(OFFICER, request(text, variables))
    [operation] = spans.named("operation")
    assert (said(operation)["outcome"], said(operation).get("purpose")) == (outcome, purpose)
    nobody_in(spans)


async def test_an_error_is_told_by_its_class(spans: Spans) -> None:
    evidence = Recorder(broken=True)
    with pytest.raises(EvidenceUnavailable):
        await traced(spans, evidence=evidence)(OFFICER, request())
    [operation] = spans.named("operation")
    assert (said(operation)["outcome"], said(operation)["exception"]) == ("EVIDENCE_UNAVAILABLE", "EvidenceUnavailable")
    assert (operation.status.status_code, operation.status.description) == (StatusCode.ERROR, None)
    assert operation.events == ()
    nobody_in(spans)


async def test_an_adapter_that_breaks_with_a_name_in_its_mouth_says_nothing(spans: Spans) -> None:
    class Breaks:
        async def fetch(self, lookup: object, *, timeout_s: float) -> Any:
            raise RuntimeError(f"no such person: {PERSON}")

        async def close(self) -> None: ...

    source, _ = opened("LGB", "residence", {"address": "dz"}, [HOME])
    broken = replace(source, source=Observed(Breaks(), "LGB", NoMetrics(), spans.tracing))
    await road([broken], Recorder(), tracing=spans.tracing)(OFFICER, request())
    [lookup] = spans.named("lookup")
    assert (said(lookup)["reason"], said(lookup)["exception"]) == ("FAULT", "RuntimeError")
    nobody_in(spans)


async def test_who_counts_badly_costs_nobody_an_answer(spans: Spans) -> None:
    class Miscounts(NoMetrics):
        def upstream(self, source: str, outcome: str, reason: str, seconds: float) -> None:
            raise KeyError(PERSON[0])

    class Answers:
        def ask(self, lookup: Lookup, *, timeout_s: float, told: Told) -> Begun:
            asyncio.get_running_loop().call_soon(told, [Absent()])
            return OVER

        async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
            raise AssertionError

        async def close(self) -> None: ...

    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(str(context)))
    told: list[Sequence[Answer]] = []
    lookup = Lookup("residence", ("idNo",), (PERSON[:1],), frozenset())
    for give_up in (False, True):
        asked = Observed(Answers(), "LGB", Miscounts(), spans.tracing).ask(lookup, timeout_s=1, told=told.append)
        if give_up:
            asked.cancel()
        await asyncio.sleep(0)
    assert told == [[Absent()]]
    assert [fault.split(" at ")[0] for fault in faults] == ["{'message': 'a call back failed: KeyError"] * 2
    assert PERSON[0] not in "".join(faults)


async def test_a_stream_closed_by_another_task_ends_its_span(spans: Spans) -> None:
    stream = traced(spans).subscribe(OFFICER, request("subscription { sourceHealth { source } }"))
    await asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    await asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]
    [operation] = spans.named("operation")
    assert (said(operation)["kind"], said(operation)["outcome"]) == ("subscription", "OK")


def nobody_in(spans: Spans) -> None:
    text = spans.text()
    for planted in (*PERSON, PERSON[0][:17], "祖庙", "刑初", OFFICER.user_id, OFFICER.token_id + '"'):
        assert planted not in text
        assert planted.encode("unicode_escape").decode() not in text


def test_without_traces_nothing_is_made() -> None:
    assert UNTRACED.operation(PARENT) is UNTRACED.lookup("LGB", "residence", 1)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://collector/otlp/x", "https://collector/otlp/x"),
    ],
)
def test_where_traces_go(endpoint: str, url: str) -> None:
    assert traces_url(endpoint) == url


@asynccontextmanager
async def collector(status: int = 200) -> AsyncIterator[tuple[str, list[ExportTraceServiceRequest]]]:
    got: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        assert request.headers["content-type"] == "application/x-protobuf"
        got.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", got
    finally:
        await runner.cleanup()


async def test_the_last_spans_arrive_at_the_collector_before_the_process_ends() -> None:
    egress = HttpEgress()
    async with collector() as (url, got), open_tracing(Settings(otlp_endpoint=url), egress) as tracing:
        with tracing.operation(None) as span:
            span.say(kind="query")
    await egress.close()
    [sent] = got
    [resource] = sent.resource_spans
    assert "yimen" in {item.value.string_value for item in resource.resource.attributes}
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["operation"]


async def test_a_collector_that_is_away_holds_nothing_up() -> None:
    egress = HttpEgress()
    began = asyncio.get_running_loop().time()
    async with open_tracing(Settings(otlp_endpoint="http://127.0.0.1:9"), egress) as tracing:
        with tracing.operation(None):
            pass
    assert asyncio.get_running_loop().time() - began < 3
    await egress.close()


def test_the_missing_extra_is_a_fault_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.common", None)
    check_tracing(Settings())
    with pytest.raises(SettingsInvalid, match=r"pip install 'yimen\[tracing\]'"):
        check_tracing(Settings(otlp_endpoint="http://127.0.0.1:4318"))
