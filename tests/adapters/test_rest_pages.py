"""Kind "rest", page by page: everything, or a plain statement that something is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import Reason
from adapters.rest_answer import Records
from adapters.rest_pages import gather_pages
from adapters.rest_request import Paging
from adapters.source import Absent, Answer, Failed, Found
from tests.adapters.rest_lab import Answering, lab

pytestmark = pytest.mark.anyio

PAGES: dict[str, Any] = {
    "mode": "pages",
    "path": "/pages",
    "query": {"sfzh": "{idNo}"},
    "rows": "list",
    "total": "total",
    "page": {"number": "pageNo", "size": "pageSize", "rows": 2, "first": 1, "max": 4},
}
WITHOUT_TOTAL = {name: value for name, value in PAGES.items() if name != "total"}


def numbered(*numbers: int) -> list[dict[str, int]]:
    return [{"djbh": number} for number in numbers]


def pages(*served: list[dict[str, int]] | int, total: Callable[[int], object] | int = 0) -> Answering:
    """A server with these pages (a number is a failing status); what is behind the last is empty."""

    def answer(request: Request, body: bytes) -> Response:
        number = int(request.query_params["pageNo"])
        assert request.query_params["pageSize"] == "2"
        page = served[number - 1] if number <= len(served) else []
        if isinstance(page, int):
            return Response(status_code=page)
        return JSONResponse({"list": page, "total": total(number) if callable(total) else total})

    return answer


def numbers_of(answer: Answer) -> list[object]:
    assert isinstance(answer, Found), answer
    return [row.values["djbh"] for row in answer.rows]


@pytest.mark.parametrize(("request_", "calls"), [(PAGES, 3), (WITHOUT_TOTAL, 3)])
async def test_all_pages_in_order(request_: dict[str, Any], calls: int) -> None:
    async with lab(pages(numbered(1, 2), numbered(3, 4), numbered(5), total=5), request_) as room:
        answer = await room.ask_one()
        assert numbers_of(answer) == [1, 2, 3, 4, 5]
        assert isinstance(answer, Found)
        assert answer.incomplete is None
        assert len(room.seen) == calls


async def test_one_page_costs_one_request_and_none_is_absence() -> None:
    async with lab(pages(numbered(1, 2), total=2), PAGES) as room:
        assert numbers_of(await room.ask_one()) == [1, 2]
        assert len(room.seen) == 1
    for request in (PAGES, WITHOUT_TOTAL):
        async with lab(pages(total=0), request) as room:
            assert isinstance(await room.ask_one(), Absent)
            assert len(room.seen) == 1


async def test_a_page_number_goes_into_the_body_of_a_post() -> None:
    def answer(request: Request, body: bytes) -> Response:
        sent = json.loads(body)
        return JSONResponse({"list": numbered(sent["pageNo"]), "total": 2})

    request = {**PAGES, "method": "POST", "query": {}, "body": {"sfzh": "{idNo}"}}
    request["page"] = {**PAGES["page"], "rows": 1, "first": 0}
    async with lab(answer, request) as room:
        assert numbers_of(await room.ask_one(("7", None))) == [0, 1]
        assert json.loads(room.seen[0].body) == {"sfzh": "7", "pageNo": 0, "pageSize": 1}


INCOMPLETE = {
    "half a page": (pages(numbered(1, 2), numbered(3), total=4), [1, 2, 3]),
    "a page that is empty": (pages(numbered(1, 2), [], total=4), [1, 2]),
    "a page that fails": (pages(numbered(1, 2), 503, numbered(5), total=5), [1, 2, 5]),
    "a page that is garbage": (pages(numbered(1, 2), 200, total=4), [1, 2]),
    "a page twice": (pages(numbered(1, 2), numbered(1, 2), total=4), [1, 2]),
    "a record twice, so one was skipped": (pages(numbered(1, 2), numbered(2, 4), total=4), [1, 2, 4]),
    "more than declared": (pages(numbered(1, 2, 3), total=2), [1, 2, 3]),
    "a total that grew": (
        pages(numbered(1, 2), numbered(3, 4), total=lambda page: 4 if page == 1 else 5),
        [1, 2, 3, 4],
    ),
    "more pages than we follow": (pages(*(numbered(n, n + 100) for n in range(9)), total=18), None),
}


@pytest.mark.parametrize(("answer", "expected"), INCOMPLETE.values(), ids=INCOMPLETE)
async def test_what_is_there_is_given_and_said_to_be_incomplete(answer: Answering, expected: list[int] | None) -> None:
    async with lab(answer, PAGES) as room:
        found = await room.ask_one()
        assert isinstance(found, Found)
        assert found.incomplete is Reason.INCOMPLETE
        if expected is not None:
            assert numbers_of(found) == expected
        assert len(room.seen) <= 4


async def test_without_any_record_incomplete_is_a_failure() -> None:
    async with lab(pages([], total=3), PAGES) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.INCOMPLETE


@pytest.mark.parametrize("total", [None, "many", -1, 1.5, True, 10**12, []])
async def test_a_total_that_is_no_number_is_garbage(total: object) -> None:
    async with lab(pages(numbered(1), total=lambda _: total), PAGES) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.GARBAGE


async def test_the_first_page_failing_is_the_failure_itself() -> None:
    async with lab(pages(429), PAGES) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.RATE_LIMITED
        assert len(room.seen) == 1


async def test_without_a_total_a_server_that_never_ends_is_left_at_the_cap_or_at_its_repetition() -> None:
    endless = pages(*(numbered(n, n + 100) for n in range(50)))
    async with lab(endless, WITHOUT_TOTAL) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Found)
        assert answer.incomplete is Reason.INCOMPLETE
        assert len(room.seen) == 4
    async with lab(pages(*[numbered(1, 2)] * 50), WITHOUT_TOTAL) as room:
        answer = await room.ask_one()
        assert numbers_of(answer) == [1, 2]
        assert isinstance(answer, Found)
        assert answer.incomplete is Reason.INCOMPLETE
        assert len(room.seen) == 2


async def test_where_the_total_is_known_the_other_pages_come_at_once() -> None:
    together = asyncio.Barrier(3)

    async def answer(request: Request, body: bytes) -> Response:
        number = int(request.query_params["pageNo"])
        if number > 1:
            await together.wait()  # nobody gets through unless all three are here
        return JSONResponse({"list": numbered(2 * number, 2 * number + 1), "total": 8})

    async with lab(answer, PAGES) as room:
        found = await room.ask_one(timeout_s=5)
        assert isinstance(found, Found)
        assert found.incomplete is None


@settings(deadline=None)
@given(
    count=st.integers(0, 30),
    rows=st.integers(1, 7),
    total=st.booleans(),
    lost=st.sets(st.integers(0, 29), max_size=2),
)
def test_complete_is_said_exactly_when_it_is_complete(count: int, rows: int, total: bool, lost: set[int]) -> None:
    """With a total nothing is lost unnoticed; without one, nothing is lost when every full page came full."""
    kept = [n for n in range(count) if n not in lost]
    listed = [{"djbh": n} for n in range(count)]

    async def fetch(number: int) -> Records | Failed:
        window = [r for r in listed[(number - 1) * rows : number * rows] if r["djbh"] in kept]
        return Records(tuple(window), count if total else None)

    async def run() -> tuple[Records | Failed, bool]:
        return await gather_pages(Paging("p", "s", rows, 1, 40), fetch)

    got, missing = asyncio.run(run())
    assert isinstance(got, Records)
    if total:
        assert missing == (len(kept) != count)
        if not missing:
            assert [r["djbh"] for r in got.records] == kept
    elif len(kept) == count:
        assert not missing
        assert len(got.records) == count
