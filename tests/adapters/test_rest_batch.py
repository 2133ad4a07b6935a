"""Kind "rest", many keys a request: whose record is whose, and what an unmentioned key means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import Reason
from adapters.rest_answer import Records
from adapters.rest_batch import sort_into_keys
from adapters.rest_request import read_request
from adapters.source import Absent, Failed, Found
from tests.adapters.rest_lab import LI_MEI, ZHANG, Answering, lab, manifest_of

pytestmark = pytest.mark.anyio

BATCH: dict[str, Any] = {
    "mode": "batch",
    "method": "POST",
    "path": "/batch",
    "body": {"cxlb": "{keys}", "ids": "{keys.idNo}"},
    "each": {"sfzh": "{idNo}", "xm": "{name}"},
    "rows": "list",
    "total": "total",
    "key_echo": {"idNo": "cx.sfzh"},
}
CHEN = ("430121198502200015", "陈明")
ZHAO = ("440604196501010010", "赵强")


def record(number: str, echo: object) -> dict[str, Any]:
    return {"djbh": number, "sfzh": echo, "cx": {"sfzh": echo}}


def always(*records: dict[str, Any], total: int | None = None) -> Answering:
    body = {"list": list(records), "total": len(records) if total is None else total}
    return lambda request, content: JSONResponse(body)


async def test_one_request_holds_every_key_once_and_nothing_pasted() -> None:
    hostile = ('"}], "x": [{"', "·")
    async with lab(always(), BATCH) as room:
        answers = await room.ask(ZHANG, LI_MEI, hostile, ZHANG)
        assert [type(answer) for answer in answers] == [Absent] * 4
        (seen,) = room.seen
        assert json.loads(seen.body) == {
            "cxlb": [{"sfzh": i, "xm": n} for i, n in (ZHANG, LI_MEI, hostile)],
            "ids": [ZHANG[0], LI_MEI[0], hostile[0]],
        }


async def test_records_go_to_their_keys_and_nobody_elses_stay() -> None:
    records = [record("L", LI_MEI[0]), record("Z1", ZHANG[0]), record("STRANGER", CHEN[0]), record("Z2", ZHANG[0])]
    async with lab(always(*records), BATCH) as room:
        zhang, zhao, mei = await room.ask(ZHANG, ZHAO, LI_MEI)
        assert isinstance(zhang, Found)
        assert [row.values["djbh"] for row in zhang.rows] == ["Z1", "Z2"]
        assert isinstance(zhao, Absent)
        assert isinstance(mei, Found)
        assert [row.values["djbh"] for row in mei.rows] == ["L"]
        assert "STRANGER" not in repr((zhang, zhao, mei))


@pytest.mark.parametrize("echo", ["440604650101001", " 440604196501010010 "])
async def test_a_department_may_repeat_the_key_in_its_old_form(echo: str) -> None:
    async with lab(always(record("R", echo)), BATCH) as room:
        (answer,) = await room.ask(ZHAO)
        assert isinstance(answer, Found)


async def test_old_and_new_forms_may_stand_in_one_answer_and_one_question() -> None:
    old = "440604650101001"
    async with lab(always(record("L", LI_MEI[0]), record("O", old), record("N", ZHAO[0])), BATCH) as room:
        for asked in (ZHAO, (old, ZHAO[1])):
            mei, zhao = await room.ask(LI_MEI, asked)
            assert isinstance(mei, Found)
            assert isinstance(zhao, Found)
            assert [row.values["djbh"] for row in zhao.rows] == (["O", "N"] if asked is ZHAO else ["O"])
    async with lab(always(record("O", old)), BATCH) as room:
        answers = await room.ask((old, ZHAO[1]), ZHAO)
        assert [type(answer) for answer in answers] == [Found, Found]


async def test_x_in_either_case_is_the_same_key() -> None:
    async with lab(always(record("R", LI_MEI[0].lower())), BATCH) as room:
        (answer,) = await room.ask(LI_MEI)
        assert isinstance(answer, Found)


@pytest.mark.parametrize("echo", [None, "", " ", [], {}, True, 1.5])
async def test_a_record_that_does_not_say_whose_it_is_spoils_the_answer(echo: object) -> None:
    async with lab(always(record("R", echo), record("L", LI_MEI[0])), BATCH) as room:
        for answer in await room.ask(ZHANG, LI_MEI):
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.GARBAGE


@pytest.mark.parametrize(
    "echo", ["440606********0017", 440606199003070000, "4.40606199003070E+17", "44060619900307001"]
)
async def test_a_key_with_stars_or_lost_digits_is_no_absence(echo: object) -> None:
    async with lab(always(record("Z1", echo)), BATCH) as room:
        for answer in await room.ask(ZHANG, ZHAO):
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.GARBAGE


async def test_in_half_an_answer_the_unmentioned_are_unknown() -> None:
    async with lab(always(record("L", LI_MEI[0]), total=2), BATCH) as room:
        zhang, mei = await room.ask(ZHANG, LI_MEI)
        assert isinstance(zhang, Failed)
        assert zhang.reason is Reason.INCOMPLETE
        assert isinstance(mei, Found)
        assert mei.incomplete is Reason.INCOMPLETE


async def test_a_key_that_cannot_be_sent_does_not_hold_up_the_others() -> None:
    async with lab(always(record("L", LI_MEI[0])), BATCH) as room:
        nameless, mei, idless = await room.ask((ZHANG[0], None), LI_MEI, (None, "张三"))
        assert isinstance(mei, Found)
        for answer in (nameless, idless):
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.KEY_MISSING
        assert len(json.loads(room.seen[0].body)["cxlb"]) == 1
    async with lab(always(), BATCH) as room:
        assert [type(answer) for answer in await room.ask((None, None))] == [Failed]
        assert room.seen == []


async def test_an_outage_is_every_key_s_outage() -> None:
    def down(request: Request, body: bytes) -> Response:
        return Response(status_code=503, headers={"retry-after": "3"})

    async with lab(down, BATCH) as room:
        for answer in await room.ask(ZHANG, LI_MEI):
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.DOWN
            assert answer.retry_at is not None


IDS = st.sampled_from([ZHANG[0], LI_MEI[0], CHEN[0], ZHAO[0]])


@given(asked=st.lists(IDS, unique=True), answered=st.lists(IDS))
def test_every_record_reaches_exactly_its_own_key(asked: list[str], answered: list[str]) -> None:
    request, faults = read_request(manifest_of(BATCH).answers[0], "answers.0.request")
    assert faults == []
    keys = [(i, "n") for i in asked]
    records = tuple(record(str(n), echo) for n, echo in enumerate(answered))
    found = sort_into_keys(request, keys, ("idNo", "name"), Records(records))
    assert not isinstance(found, Failed)
    assert {key[0]: [r["djbh"] for r in rows] for key, rows in found.items()} == {
        i: [str(n) for n, echo in enumerate(answered) if echo == i] for i in asked
    }
