"""Kind "rest", one request a key: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import Reason
from adapters.manifest import FieldMapping
from adapters.mapping import Mapped
from adapters.source import Absent, Failed, Found, Lookup
from tests.adapters.rest_lab import FIELDS, LI_MEI, NOW, REQUEST, ZHANG, Answering, lab, listing, manifest_of

pytestmark = pytest.mark.anyio

OUTCOME: Mapping[str, Any] = {
    "path": "code",
    "ok": ["0"],
    "absent": ["1404"],
    "closed": ["E2300"],
    "rate_limited": ["E4290"],
    "refused": ["E4010"],
    "clock": ["E4011"],
    "busy": ["E5000"],
    "retry_at": "data.openAt",
}


def always(response: Response) -> Answering:
    return lambda request, body: response


def raw(content: bytes | str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answering:
    return lambda request, body: Response(content, status, headers)


async def test_raw_rows_hold_the_asked_fields() -> None:
    async with lab(always(listing("R1", "R2"))) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Found)
        asked = [{name: row.values[name] for name in FIELDS} for row in answer.rows]
        assert asked == [{"djbh": n, "sfzh": ZHANG[0]} for n in ("R1", "R2")]
        assert answer.fetched_at == NOW
        assert answer.incomplete is None


async def test_what_was_not_asked_ends_at_the_mapping() -> None:
    async with lab(always(listing("R1", "R2"))) as room:
        answers = manifest_of(REQUEST).answers
        spec = replace(answers[0], fields=(FieldMapping("regNo", "djbh"), FieldMapping("phone", "dh")))
        mapped = Mapped(replace(manifest_of(REQUEST), answers=(spec,)), room.source, now=lambda: NOW)
        lookup = Lookup("residence", ("idNo", "name"), (ZHANG,), frozenset({"regNo"}))
        (answer,) = await mapped.fetch(lookup, timeout_s=5)
        assert isinstance(answer, Found)
        assert [row.values for row in answer.rows] == [{"regNo": "R1"}, {"regNo": "R2"}]
        assert "SECRET" not in repr(answer)


async def test_nested_fields_are_reached_by_dots_and_a_missing_one_is_left_out() -> None:
    record = {"djbh": "R1", "info": {"jzdz": "x", "deep": {"n": 1}}, "info.flat": "y", "gone": None}
    fields = frozenset({"info.jzdz", "info.deep.n", "info.flat", "nowhere.at.all", "gone.too"})
    async with lab(always(JSONResponse({"list": [record]}))) as room:
        answer = await room.ask_one(fields=fields)
        assert isinstance(answer, Found)
        assert answer.rows[0].values == {
            "info.jzdz": "x",
            "info.deep.n": 1,
            "info.flat": "y",
            "gone.too": None,
        }


async def test_a_text_where_an_object_was_agreed_is_garbage_and_no_missing_fact() -> None:
    async with lab(always(JSONResponse({"list": [{"info": "佛山"}]}))) as room:
        answer = await room.ask_one(fields=frozenset({"info.jzdz"}))
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.GARBAGE


HOSTILE = ["a&sfzh=b", "x=1#y", "../../admin", "?q", "%2e%2e", "a b+c", '"}, {"a": "', "䶮·/\\", "a\r\nx: y", "\x00"]


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_key_arrives_as_it_was_asked_wherever_it_stands(value: str) -> None:
    request = {
        "method": "POST",
        "path": "/p/{idNo}/end",
        "query": {"q": "pre-{idNo}"},
        "body": {"deep": [{"s": "{idNo}", "braces": "{{x}}", "n": 1}]},
        "rows": "list",
    }
    async with lab(always(listing()), request) as room:
        assert isinstance(await room.ask_one((value, "n")), Absent)
        (seen,) = room.seen
        assert seen.path.startswith("/p/")
        assert seen.path.endswith("/end")
        assert seen.path.count("/") == 3
        assert unquote(seen.path.removeprefix("/p/").removesuffix("/end")) == value
        assert parse_qsl(seen.query, keep_blank_values=True) == [("q", f"pre-{value}")]
        assert json.loads(seen.body) == {"deep": [{"s": value, "braces": "{x}", "n": 1}]}


@pytest.mark.parametrize("value", [None, "", "\ud800", "x" * 257])
async def test_a_key_part_that_cannot_be_sent_is_never_an_absence(value: str | None) -> None:
    async with lab(always(listing())) as room:
        answer = await room.ask_one((value, "张三"))
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.KEY_MISSING
        assert room.seen == []
        assert isinstance(await room.ask_one(("1", None)), Absent), "a part the request does not need may be unknown"


@pytest.mark.parametrize("value", [".", ".."])
async def test_a_key_never_climbs_out_of_the_path(value: str) -> None:
    async with lab(always(listing()), {"path": "/a/{idNo}/b", "rows": "list"}) as room:
        answer = await room.ask_one((value, None))
        assert isinstance(answer, Failed)
        assert room.seen == []


async def test_the_base_path_of_the_endpoint_is_kept() -> None:
    async with lab(always(listing()), base="/gateway/v1/") as room:
        await room.ask_one()
        assert room.seen[0].path == "/gateway/v1/q"


async def test_each_key_has_its_own_answer_and_one_failure_leaves_the_others_alone() -> None:
    def by_person(request: Request, body: bytes) -> Response:
        return listing("R1") if request.query_params["sfzh"] == ZHANG[0] else Response(status_code=500)

    async with lab(by_person) as room:
        found, failed, again, keyless = await room.ask(ZHANG, LI_MEI, ZHANG, (None, None))
        assert isinstance(found, Found)
        assert isinstance(again, Found)
        assert isinstance(failed, Failed)
        assert failed.reason is Reason.DOWN
        assert isinstance(keyless, Failed)
        assert keyless.reason is Reason.KEY_MISSING
        assert len(room.seen) == 2, "the same key is asked once"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, Reason.DOWN),
        (400, Reason.DOWN),
        (401, Reason.REFUSED),
        (403, Reason.REFUSED),
        (404, Reason.DOWN),
        (408, Reason.TIMEOUT),
        (429, Reason.RATE_LIMITED),
        (500, Reason.DOWN),
        (502, Reason.DOWN),
        (503, Reason.DOWN),
    ],
)
@pytest.mark.parametrize("body", [b"", b'{"list": []}', b"<html>"])
async def test_a_failing_status_is_never_an_absence(status: int, reason: Reason, body: bytes) -> None:
    async with lab(raw(body, status)) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is reason


async def test_404_means_no_record_only_where_the_manifest_says_so() -> None:
    async with lab(raw(b"", 404), {**REQUEST, "absent_status": [404]}) as room:
        assert isinstance(await room.ask_one(), Absent)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", NOW + timedelta(seconds=120)),
        ("0", NOW),
        ("Fri, 20 Nov 2026 04:02:00 GMT", NOW + timedelta(minutes=2)),
        ("Fri, 20 Nov 2020 04:02:00 GMT", None),
        ("99999999999999999999", None),
        ("999999999", None),
        ("-5", None),
        ("soon", None),
        ("１２", None),
    ],
)
async def test_retry_after_in_seconds_and_as_a_date(header: str, expected: datetime | None) -> None:
    headers = {"retry-after": header} if header.isascii() else {}
    async with lab(raw(b"", 429, headers)) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert (answer.reason, answer.retry_at) == (Reason.RATE_LIMITED, expected)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("E2300", Reason.CLOSED),
        ("E4290", Reason.RATE_LIMITED),
        ("E4010", Reason.REFUSED),
        ("E4011", Reason.CLOCK_SKEW),
        ("E5000", Reason.DOWN),
        ("E9999", Reason.GARBAGE),
        (None, Reason.GARBAGE),
        (True, Reason.GARBAGE),
        ([], Reason.GARBAGE),
        ("", Reason.GARBAGE),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
async def test_the_department_s_own_code_says_why(code: object, reason: Reason, status: int) -> None:
    async with lab(always(JSONResponse({"code": code, "list": []}, status)), {**REQUEST, "outcome": OUTCOME}) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is (Reason.DOWN if status == 500 and reason is Reason.GARBAGE else reason)


async def test_a_number_is_a_code_and_absence_needs_a_good_status() -> None:
    request = {**REQUEST, "outcome": OUTCOME}
    async with lab(always(JSONResponse({"code": 0, "list": [{"djbh": "R1"}]})), request) as room:
        assert isinstance(await room.ask_one(), Found)
    async with lab(always(JSONResponse({"code": "1404"})), request) as room:
        assert isinstance(await room.ask_one(), Absent)
    for code in ("1404", "0"):
        async with lab(always(JSONResponse({"code": code, "list": []}, 500)), request) as room:
            answer = await room.ask_one()
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.DOWN


@pytest.mark.parametrize(
    ("open_at", "expected"),
    [
        ("05:00", datetime(2026, 11, 20, 21, 0, tzinfo=UTC)),  # it is noon in Foshan: tomorrow
        ("13:30", datetime(2026, 11, 20, 5, 30, tzinfo=UTC)),
        ("2026-11-21T05:00:00+08:00", datetime(2026, 11, 20, 21, 0, tzinfo=UTC)),
        ("2026-11-21T05:00:00", datetime(2026, 11, 20, 21, 0, tzinfo=UTC)),
        ("2026-11-20T21:00:00Z", datetime(2026, 11, 20, 21, 0, tzinfo=UTC)),
        ("2099-01-01T00:00:00Z", None),
        ("2020-01-01T00:00:00Z", None),
        ("tomorrow", None),
        ("99:99", None),
        (5, None),
        (None, None),
    ],
)
async def test_the_body_says_when_it_opens_again(open_at: object, expected: datetime | None) -> None:
    body = {"code": "E2300", "data": {"openAt": open_at}}
    async with lab(always(JSONResponse(body)), {**REQUEST, "outcome": OUTCOME}) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert (answer.reason, answer.retry_at) == (Reason.CLOSED, expected)


async def test_a_code_that_may_be_personal_is_not_repeated() -> None:
    async with lab(always(JSONResponse({"code": ZHANG[0]})), {**REQUEST, "outcome": OUTCOME}) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert ZHANG[0] not in repr(answer)


GARBAGE = {
    "empty": b"",
    "blank": b"  \n",
    "html": b"<html>login</html>",
    "half": b'{"list": [{"djbh": "R1"',
    "text": b'"R1"',
    "number": b"7",
    "null": b"null",
    "a list": b'[{"djbh": "R1"}]',
    "no list": b'{"other": []}',
    "null list": b'{"list": null}',
    "text list": b'{"list": "R1"}',
    "list of texts": b'{"list": ["R1"]}',
    "list of lists": b'{"list": [[]]}',
    "NaN": b'{"list": [{"djbh": NaN}]}',
    "infinity": b'{"list": [{"djbh": -Infinity}]}',
    "too large a number": b'{"list": [{"djbh": 1e999}]}',
    "endless integer": b'{"list": [{"djbh": ' + b"9" * 5000 + b"}]}",
    "a name twice": b'{"list": [{"djbh": "R1", "djbh": "R2"}]}',
    "two lists": b'{"list": [], "list": [{"djbh": "R1"}]}',
    "half a character": b'{"list": [{"djbh": "\\ud83d"}]}',
    "not UTF-8": '{"list": [{"djbh": "张"}]}'.encode("gbk"),
    "deep": b'{"list": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"list":' + b'{"a":' * 400 + b"1" + b"}" * 401,
    "trailing": b'{"list": []} {"list": []}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_not_the_agreed_format_is_garbage(body: bytes) -> None:
    async with lab(raw(body)) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.GARBAGE
        assert len(answer.detail) < 100


async def test_an_empty_401_is_a_refusal() -> None:
    async with lab(raw(b"", 401)) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.REFUSED


async def test_one_object_where_the_record_stands_is_one_record() -> None:
    async with lab(always(JSONResponse({"data": {"djbh": "R1"}})), {**REQUEST, "rows": "data"}) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Found)
        assert len(answer.rows) == 1


async def test_fewer_records_than_declared_are_not_the_whole_truth() -> None:
    request = {**REQUEST, "total": "total"}
    async with lab(always(listing("R1", total=2)), request) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Found)
        assert answer.incomplete is Reason.INCOMPLETE
    async with lab(always(listing(total=1)), request) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.INCOMPLETE
    async with lab(always(listing(total=0)), request) as room:
        assert isinstance(await room.ask_one(), Absent)


async def test_an_answer_over_the_cap_is_too_large() -> None:
    async with lab(raw(b" " * 5000), max_response_bytes=4096) as room:
        answer = await room.ask_one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.TOO_LARGE


async def test_silence_ends_at_the_timeout_for_all_keys_at_once() -> None:
    async def silent(request: Request, body: bytes) -> Response:
        await asyncio.sleep(3600)
        return listing()

    async with lab(silent) as room:
        began = asyncio.get_running_loop().time()
        answers = await room.ask(*((str(n), None) for n in range(20)), timeout_s=0.3)  # more than may be under way
        assert asyncio.get_running_loop().time() - began < 1.5
        assert {answer.reason for answer in answers if isinstance(answer, Failed)} == {Reason.TIMEOUT}
        assert len(answers) == 20


async def test_who_waits_behind_slower_questions_still_keeps_its_own_deadline() -> None:
    async def silent(request: Request, body: bytes) -> Response:
        await asyncio.sleep(3600)
        return listing()

    async with lab(silent) as room:
        slow = asyncio.create_task(room.ask(*((str(n), None) for n in range(20)), timeout_s=30))
        while len(room.seen) < 8:  # as many as may be under way
            await asyncio.sleep(0.01)
        began = asyncio.get_running_loop().time()
        answer = await room.ask_one(timeout_s=0.2)
        assert asyncio.get_running_loop().time() - began < 2
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.TIMEOUT
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert len(room.seen) == 8
