"""Pages of cases: evidence names whom a page shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.mapping import Mapped
from gateway.services.execute import GraphQLRequest
from tests.fakes.federated import NOW, OFFICER, OTHER, PERSON, Recorder, opened, road
from tests.fakes.memory_source import MemorySource

pytestmark = pytest.mark.anyio


async def test_whom_a_page_does_not_show_its_event_does_not_name() -> None:
    rows = [
        {"id": str(place), "sfz": id_no, "xm": name, "ajbh": f"(2026){place}", "zxd": "440604"}
        for place, (id_no, name) in enumerate([PERSON, OTHER])
    ]
    source, _ = opened("GDSJ", "correctionCase", {"caseNo": "ajbh", "executionAdmin": "zxd"}, [])
    made = replace(source.manifest, answers=(replace(source.manifest.answers[0], by=("executionAdmin",)),))
    paged = replace(
        source, manifest=made, source=Mapped(made, MemorySource(rows, {"executionAdmin": "zxd"}), now=lambda: NOW)
    )
    evidence = Recorder()
    query = """query ($n: Int!) @purpose(code: "CC_RECEPTION", caseNo: "1") {
      cases(executionAdmin: "440604", first: $n) { pageInfo { hasNextPage } nodes { caseNo person { pid } } } }"""
    for shown in (1, 2):
        answer = await road([paged], evidence)(OFFICER, GraphQLRequest(query, None, {"n": shown}))
        assert answer.data is not None
        assert len(answer.data["cases"]["nodes"]) == shown
        assert answer.data["cases"]["pageInfo"]["hasNextPage"] is (shown == 1)
        assert len(evidence.events[-1].subjects) == shown
