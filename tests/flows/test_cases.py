"""The list of cases, page by page; a case with its person and its papers; the neighbour's word on it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from demo.people import register
from tests.flows.house import House
from tests.flows.questions import PURPOSE, key_of, person, source_of
from tests.flows.town import COUNT, SEED, Town, until

pytestmark = pytest.mark.anyio

PEOPLE = register(SEED, COUNT)
CASE_NO = "(2026)粤0604刑初123号"
CASES = f"""query Cases($admin: String! = "440604", $first: Int!, $after: String) {PURPOSE} {{
  cases(executionAdmin: $admin, first: $first, after: $after) {{
    state reason retryAt
    edges {{ cursor node {{ sourceRecordId caseNo state }} }}
    nodes {{ sourceRecordId }}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
  }}
}}"""
ONE_CASE = f"""query Case($caseNo: String!) {PURPOSE} {{
  case(caseNo: $caseNo) {{
    state source
    records {{
      source sourceRecordId caseNo chargeText level
      documents {{ state source records {{ docNo docType supersedes }} }}
      person {{ pid identity {{ state best {{ name }} }} residence {{ state best {{ address admin }} }} }}
    }}
  }}
}}"""


def in_place(admin: str) -> list[str]:
    """Record ids of everyone the province supervises there, in the order of the list."""
    held = (case for one in PEOPLE.people for case in one.cases if "GDSJ" in case.held_by)
    return sorted(case.dxbh for case in held if case.execution_admin == admin)


async def page(gateway: House, first: int, after: str | None = None, admin: str = "440604") -> dict[str, Any]:
    found = await gateway.data(CASES, {"first": first, "after": after, "admin": admin})
    return dict(found["cases"])


async def refusal(gateway: House, query: str, variables: dict[str, Any]) -> str:
    answer = await gateway.ask(query, variables)
    (error,) = answer["errors"]
    assert not (answer.get("data") or {}).get("cases")
    return str(error["extensions"]["code"])


@pytest.mark.parametrize("first", [1, 7, 100])
async def test_pages_hold_every_case_once_in_a_fixed_order(town: Town, gateway: House, first: int) -> None:
    seen: list[str] = []
    after = None
    while True:
        found = await page(gateway, first, after)
        ids = [edge["node"]["sourceRecordId"] for edge in found["edges"]]
        assert ids == [node["sourceRecordId"] for node in found["nodes"]]
        assert found["state"] == "FRESH"
        assert len(ids) <= first
        assert found["pageInfo"]["hasPreviousPage"] == bool(seen)
        seen += ids
        if not found["pageInfo"]["hasNextPage"]:
            break
        assert len(ids) == first
        assert found["pageInfo"]["endCursor"] == found["edges"][-1]["cursor"]
        after = found["pageInfo"]["endCursor"]
    assert seen == in_place("440604")


async def test_a_cursor_means_the_same_place_tomorrow_and_with_another_page_size(town: Town, gateway: House) -> None:
    ten = await page(gateway, 10)
    again = await page(gateway, 10)
    assert [edge["cursor"] for edge in ten["edges"]] == [edge["cursor"] for edge in again["edges"]]
    for place, edge in enumerate(ten["edges"][:-1]):
        (following,) = (await page(gateway, 1, edge["cursor"]))["nodes"]
        assert following == ten["nodes"][place + 1]


async def test_a_place_without_cases_is_an_empty_list(town: Town, gateway: House) -> None:
    found = await page(gateway, 5, admin="440699")
    assert (found["state"], found["edges"], found["pageInfo"]["hasNextPage"]) == ("NOT_FOUND", [], False)
    assert found["pageInfo"]["startCursor"] is found["pageInfo"]["endCursor"] is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%%%",
        "AAAA",
        base64.urlsafe_b64encode(b"2:4406042026100017").decode(),
        base64.urlsafe_b64encode(b"1:").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "1:4406042026100017",
        "x" * 5000,
        "䶮",
    ],
)
async def test_a_cursor_that_is_none_is_refused(town: Town, gateway: House, cursor: str) -> None:
    assert await refusal(gateway, CASES, {"first": 5, "after": cursor}) == "BAD_CURSOR"


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
async def test_a_page_has_1_to_100_cases(town: Town, gateway: House, first: int) -> None:
    # A huge page is refused for its cost before anybody looks at its size.
    assert await refusal(gateway, CASES, {"first": first, "after": None}) in ("PAGE_SIZE", "LIMIT_COST")


async def test_a_list_whose_source_is_gone_is_not_an_empty_one(town: Town, gateway: House) -> None:
    async def ask() -> dict[str, Any]:
        return await page(gateway, 5)

    await town.fault("GDSJ", down=True)
    found = await until(ask, lambda seen: seen["state"] == "UNAVAILABLE")
    assert found["reason"] in ("DOWN", "BREAKER_OPEN")
    assert found["nodes"] == []
    await town.fault("GDSJ")
    await until(ask, lambda seen: seen["state"] == "FRESH")


async def test_a_case_leads_to_its_persons_and_each_to_their_home(town: Town, gateway: House) -> None:
    """Two were convicted in this case: each record leads to its own person, and to nobody else."""
    part = (await gateway.data(ONE_CASE, {"caseNo": CASE_NO}))["case"]
    assert part["state"] == "FRESH"
    by_record = {record["sourceRecordId"]: record for record in part["records"]}
    assert set(by_record) == {"4406042026100017", "4406042026100018"}
    zhang, wu = by_record["4406042026100017"]["person"], by_record["4406042026100018"]["person"]
    assert zhang["identity"]["best"]["name"] == "张三"
    assert zhang["residence"]["best"]["address"] == "广东省佛山市禅城区祖庙街道福宁路36号之一502房"
    assert wu["identity"]["best"]["name"] == "吴大勇"
    assert wu["residence"]["state"] == "NOT_FOUND"
    assert zhang["pid"] != wu["pid"]
    direct = (await gateway.data(person("pid"), key_of("zhang-san-017")))["person"]["pid"]
    assert zhang["pid"] == direct, "one person, whichever way one comes"


async def test_a_case_leads_to_its_papers_by_one_call(town: Town, gateway: House) -> None:
    part = (await gateway.data(ONE_CASE, {"caseNo": CASE_NO}))["case"]
    for record in part["records"]:
        papers = record["documents"]
        assert papers["state"] == "FRESH"
        assert {paper["docType"] for paper in papers["records"]} == {"JUDGMENT", "EXEC_NOTICE", "CORRECTION"}
        correction = next(paper for paper in papers["records"] if paper["docType"] == "CORRECTION")
        assert correction["supersedes"] == "(2026)粤0604刑初123号判决书"
    assert await town.calls("FY") == {"case/by-number": 1}
    assert await town.calls("GA_POP") == {"QueryPerson": 2, "QueryAddress": 2}


async def test_every_case_of_a_page_has_its_person_in_one_go(town: Town, gateway: House) -> None:
    """Thirty cases, thirty persons: a batch source is asked once for all of them, a per-key one once for each."""
    query = f"""query Page {PURPOSE} {{ cases(executionAdmin: "440604", first: 30) {{ nodes {{
      caseNo person {{ pid business {{ state }} insurance {{ state sources {{ source state }} }} }} }} }} }}"""
    nodes = (await gateway.data(query))["cases"]["nodes"]
    assert len(nodes) == len({node["person"]["pid"] for node in nodes}) == 30
    assert await town.calls("GS") == {"enterprise/by-person": 1}
    assert await town.calls("SB") == {"insured/query": 30}
    by_case = {case.case_no: one for one in PEOPLE.people for case in one.cases if case.case_no != CASE_NO}
    for node in nodes:
        one = by_case.get(node["caseNo"])
        if one is not None and one.key != "li-yan":
            assert node["person"]["insurance"]["state"] == ("FRESH" if one.insurance else "NOT_FOUND"), one.key


async def test_a_case_number_nobody_has(town: Town, gateway: House) -> None:
    part = (await gateway.data(ONE_CASE, {"caseNo": "(1999)粤0604刑初1号"}))["case"]
    assert (part["state"], part["records"]) == ("NOT_FOUND", [])


async def test_the_neighbours_word_stands_beside_the_provinces(town: Town, gateway: House, neighbour: House) -> None:
    """Shunde's own yimen, asked in GraphQL: it still says TRANSFERRING, and that it is the place of execution."""
    ask = person(
        "cases { state best { source } sources { source state asOf } records { source caseNo state executionAdmin agencyOrg } "
        "conflicts { field values { source value } } }"
    )
    part = (await gateway.data(ask, key_of("zhang-san-017")))["person"]["cases"]
    assert source_of(part, "SD")["state"] == "FRESH"
    shunde = next(record for record in part["records"] if record["source"] == "SD/SDJZ")
    assert (shunde["state"], shunde["executionAdmin"]) == ("TRANSFERRING", "440606")
    assert shunde["agencyOrg"] == "佛山市顺德区社区矫正管理局"
    assert part["best"]["source"] == "GDSJ"
    assert {c["field"]: {v["source"]: v["value"] for v in c["values"]} for c in part["conflicts"]} == {
        "executionAdmin": {"GDSJ": "440604", "SD": "440606"},
        "state": {"GDSJ": "SUPERVISED", "SD": "TRANSFERRING"},
    }
    part = (await gateway.data(ask, key_of("chen-ming")))["person"]["cases"]
    assert source_of(part, "SD")["state"] == "NOT_FOUND"
