"""One question at the reception desk, every department's answer, and no department asked twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.department import Options
from demo.people import Person, register
from demo.places import write_private
from demo.queries import LIST, RECEPTION
from demo.serving import serving
from tests.flows.house import House
from tests.flows.questions import PARTS, key_of, people, person, source_of
from tests.flows.town import COUNT, SEED, Town, gateway_of

pytestmark = pytest.mark.anyio

ZHANG = key_of("zhang-san-017")
CROWD = register(SEED, COUNT).people[:20]
ASKED_ONCE = {
    "GA_POP": {"QueryPerson": 1, "QueryAddress": 1},
    "LGB": {"residence/query": 1},
    "SB": {"insured/query": 1},
    "GS": {"enterprise/by-person": 1},
    "FY": {"case/by-person": 1},
}


async def test_every_part_has_its_facts_its_sources_and_their_dates(town: Town, gateway: House) -> None:
    began = datetime.now(UTC)
    answer = await gateway.ask(RECEPTION, ZHANG)
    assert "errors" not in answer
    found = answer["data"]["person"]
    said = {part: [(s["source"], s["state"]) for s in found[part]["sources"]] for part in PARTS}
    assert said == {
        "identity": [("GA_POP", "FRESH")],
        "residence": [("GA_POP", "FRESH"), ("LGB", "FRESH")],
        "insurance": [("SB", "FRESH")],
        "business": [("GS", "FRESH")],
        "cases": [("GDSJ", "FRESH"), ("JY", "NOT_FOUND"), ("SD", "FRESH")],
        "documents": [("FY", "FRESH")],
        "monitoringOrders": [("GDSJ", "NOT_FOUND")],
        "aftercare": [("AZBJ_N", "NOT_FOUND"), ("AZBJ_FS", "NOT_FOUND")],
    }
    assert {part: found[part]["state"] for part in PARTS} == dict.fromkeys(PARTS, "FRESH") | {
        "monitoringOrders": "NOT_FOUND",
        "aftercare": "NOT_FOUND",
    }
    for part in PARTS:
        assert found[part]["source"] == found[part]["sources"][0]["source"]
        assert found[part]["reason"] is found[part]["retryAt"] is None
        for record in found[part]["records"]:
            as_of = datetime.fromisoformat(record["asOf"])
            assert began - timedelta(days=2) < as_of <= datetime.fromisoformat(found[part]["fetchedAt"])
        if found[part]["fetchedAt"]:
            assert began <= datetime.fromisoformat(found[part]["fetchedAt"]) <= datetime.now(UTC)
    (identity,) = found["identity"]["records"]
    assert identity["phone"] == "138*****017", "masked for this purpose"
    assert (identity["birthDate"], identity["sex"], identity["hukouAdmin"]) == ("1990-03-07", "MALE", "440606")
    assert {r["address"] for r in found["residence"]["records"]} == {"广东省佛山市禅城区祖庙街道福宁路36号之一502房"}
    assert [r["kind"] for r in found["insurance"]["records"]] == ["PENSION", "UNEMPLOYMENT", "MEDICAL", "PENSION"]
    assert [r["uscc"] for r in found["business"]["records"]] == ["92440604MA4UTEXT17"]
    assert [(r["source"], r["state"]) for r in found["cases"]["records"]] == [
        ("GDSJ", "SUPERVISED"),
        ("SD/SDJZ", "TRANSFERRING"),
    ]
    assert {r["docType"] for r in found["documents"]["records"]} == {"JUDGMENT", "EXEC_NOTICE", "CORRECTION"}
    assert answer["extensions"]["receipt"]["id"]


async def test_each_department_is_asked_once_for_each_noun(town: Town, gateway: House) -> None:
    await gateway.data(RECEPTION, ZHANG)
    for code, calls in ASKED_ONCE.items():
        assert await town.calls(code) == calls, code
        assert set((await town.most_asked(code)).values()) == {1}, code


async def test_aliases_and_fragments_ask_nothing_twice(town: Town, gateway: House) -> None:
    """Three ways to one person and different fields of one noun: one lookup a noun and source, with all the fields."""
    part = "residence { state records { source address } } insurance { records { kind } }"
    again = "residence { state records { regNo status } sources { source } } insurance { best { unitName } } identity { state }"
    query = f"""query Twice($idNo: String!, $name: String!) @purpose(code: "CC_RECEPTION", caseNo: "x") {{
      one: person(idNo: $idNo, name: $name) {{ ...A ...B }}
      two: person(idNo: $idNo, name: $name) {{ ... on Person {{ {part} }} }}
      old: person(idNo: "440606900307001", name: $name) {{ ...B }}
    }}
    fragment A on Person {{ {part} home: residence {{ best {{ admin }} }} }}
    fragment B on Person {{ ...C {again} }}
    fragment C on Person {{ business {{ state }} }}"""
    found = await gateway.data(query, ZHANG)
    assert found["one"]["home"]["best"]["admin"] == "440604"
    assert found["old"]["residence"]["state"] == found["two"]["residence"]["state"] == "FRESH"
    asked = {code: await town.calls(code) for code in ("GA_POP", "LGB", "SB", "GS", "FY")}
    assert asked == ASKED_ONCE | {"FY": {}}


async def test_a_list_is_one_call_to_a_batch_source_and_one_a_person_to_the_others(town: Town, gateway: House) -> None:
    keys = [{"idNo": one.id_no, "name": one.name} for one in CROWD]
    keys += keys[:3]  # the same person twice in one list is one person
    ask = people(
        "identity { state } residence { state } insurance { state } business { state } documents { state } "
        "cases { state sources { source state } }"
    )
    found = (await gateway.data(ask, {"of": keys}))["people"]
    assert len(found) == 23
    assert found[:3] == found[20:]
    assert await town.calls("GS") == {"enterprise/by-person": 1}
    for code, operations in {
        "GA_POP": ("QueryPerson", "QueryAddress"),
        "LGB": ("residence/query",),
        "SB": ("insured/query",),
        "FY": ("case/by-person",),
    }.items():
        assert await town.calls(code) == dict.fromkeys(operations, 20), code
        assert set((await town.most_asked(code)).values()) == {1}, code
    held = {True: "FRESH", False: "NOT_FOUND"}
    for one, answer in zip(CROWD, found, strict=False):
        assert answer["identity"]["state"] == held[one.in_population], one.key
        assert answer["insurance"]["state"] == ("PARTIAL" if one.key == "li-yan" else held[bool(one.insurance)]), (
            one.key
        )
        assert answer["documents"]["state"] == held[bool(one.judgments)], one.key
        assert source_of(answer["cases"], "JY")["state"] == held[one.handover is not None], one.key


async def test_pages_are_walked_to_their_end(town: Town, tmp_path: Path) -> None:
    def small_pages(manifests: Path) -> None:
        text = (manifests / "sb.toml").read_text(encoding="utf-8")
        assert "rows = 20," in text
        write_private(manifests / "sb.toml", text.replace("rows = 20,", "rows = 3,"))

    async with gateway_of(town, tmp_path, small_pages) as gateway:
        found = await gateway.data(person("insurance { state records { kind status } }"), ZHANG)
        assert found["person"]["insurance"]["state"] == "FRESH"
        assert len(found["person"]["insurance"]["records"]) == 4
        assert await town.calls("SB") == {"insured/query": 2}


async def test_beyond_the_police_limit_it_is_rate_limited_with_a_time_and_all_else_is_answered(
    town: Town, tmp_path: Path
) -> None:
    """5 a second, 5 at once, 1.8 s in all: 20 persons' identities do not fit, and that costs nobody else anything."""
    options = Options(seed=SEED, count=COUNT, latency=0, pki=town.home / "pki")  # with its limit, unlike the town's own
    async with serving("GA_POP", options) as police:
        limited = replace(town, values=town.values | {"GA_POP_URL": police.url})
        async with gateway_of(limited, tmp_path) as gateway:
            ask = people("identity { state reason retryAt best { name } } business { state } cases { state }")
            # Once before, so that the WSDL is there: requests that all wait for it leave together, faster than allowed.
            await gateway.data(ask, {"of": [ZHANG]})
            police.department.counters.clear()
            began = time.monotonic()
            found = (await gateway.data(ask, {"of": [{"idNo": p.id_no, "name": p.name} for p in CROWD]}))["people"]
            assert time.monotonic() - began < 2.3
            told = Counter((one["identity"]["state"], one["identity"]["reason"]) for one in found)
            late = told["UNAVAILABLE", "RATE_LIMITED"]
            assert 5 <= late <= 13, told
            assert sum(told.values()) == late + told["FRESH", None] + told["NOT_FOUND", None] == 20
            for one in found:
                assert (one["identity"]["retryAt"] is not None) == (one["identity"]["state"] == "UNAVAILABLE")
                assert one["business"]["state"] in ("FRESH", "NOT_FOUND")
                assert one["cases"]["state"] in ("FRESH", "NOT_FOUND", "PARTIAL")
            calls = police.department.counters
            assert calls.calls() == {"QueryPerson": 20 - late}
            assert calls.most_asked() == {"QueryPerson": 1}


async def test_askers_at_the_same_moment_share_one_call(town: Town, gateway: House) -> None:
    await town.fault("LGB", slow=0.2)
    ask = person("residence { sources { source state } }")
    both = await asyncio.gather(*(gateway.data(ask, ZHANG) for _ in range(4)))
    assert all(one == both[0] for one in both)
    assert await town.calls("LGB") == {"residence/query": 1}


async def test_the_demo_list_answers_for_all_twenty(town: Town, gateway: House) -> None:
    found = (await gateway.data(LIST, {"of": [{"idNo": p.id_no, "name": p.name} for p in CROWD]}))["people"]
    assert len({one["pid"] for one in found}) == 20
    for one, answer in zip(CROWD, found, strict=True):
        assert _case_numbers(one) == {r["caseNo"] for r in answer["cases"]["records"]}, one.key


def _case_numbers(one: Person) -> set[str]:
    return {case.case_no for case in one.cases} | ({one.handover.case_no} if one.handover else set())
