"""Kind "rest", a batch read as a whole: when the reader is asked, and that one request is all it ever costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.errors import Reason
from adapters.rest import RestSource
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup
from adapters.whole_source import Whole
from tests.adapters.rest_lab import FIELDS, LI_MEI, NOW, ZHANG, Answering, Lab, lab

pytestmark = pytest.mark.anyio

BATCH: Mapping[str, Any] = {
    "mode": "batch",
    "method": "POST",
    "path": "/batch",
    "body": {"cxlb": "{keys}"},
    "each": {"sfzh": "{idNo}", "xm": "{name}"},
    "rows": "list",
    "total": "total",
    "key_echo": {"idNo": "sfzh"},
}
READ = Absent(NOW, NOW)  # what the reader below says of everybody


class Reader(Whole):
    """Notes what it is given to read; `reads` says whether it does."""

    def __init__(self, *, id_no: str = "sfzh", reads: bool = True) -> None:
        self.id_no, self.raw_fields = id_no, FIELDS
        self.reads = reads
        self.given: list[list[dict[str, Any]]] = []

    def __call__(self, records: Sequence[Mapping[str, Any]], fetched_at: datetime) -> Sequence[Answer] | None:
        self.given.append([dict(record) for record in records])
        return [READ, READ] if self.reads else None


def answering(*numbers: str, total: int | None = None, status: int = 200) -> Answering:
    records = [{"djbh": f"R{place}", "sfzh": number} for place, number in enumerate(numbers)]
    body = {"list": records, "total": len(records) if total is None else total}

    def answer(request: Request, content: bytes) -> Response:
        return JSONResponse(body, status)

    return answer


async def ask(room: Lab, reader: Reader, *keys: Key) -> tuple[Sequence[Answer], bool]:
    assert isinstance(room.source, RestSource)
    lookup = Lookup("residence", ("idNo", "name"), keys or (ZHANG, LI_MEI), frozenset({"regNo"}))
    answers, whole = await room.source.fetch_whole(lookup, reader, timeout_s=5.0)
    assert len(room.seen) == 1
    return answers, whole


async def test_the_reader_gets_the_records_and_its_answers_are_final() -> None:
    async with lab(answering(ZHANG[0]), BATCH) as room:
        reader = Reader()
        assert await ask(room, reader) == ([READ, READ], True)
        assert reader.given == [[{"djbh": "R0", "sfzh": ZHANG[0]}]]


async def test_what_the_reader_does_not_read_is_raw() -> None:
    async with lab(answering(LI_MEI[0]), BATCH) as room:
        answers, whole = await ask(room, Reader(reads=False))
        assert not whole
        assert [type(answer) for answer in answers] == [Absent, Found]


async def test_half_an_answer_is_not_given_to_read() -> None:
    async with lab(answering(ZHANG[0], total=2), BATCH) as room:
        reader = Reader()
        (zhang, li_mei), whole = await ask(room, reader)
        assert (whole, reader.given) == (False, [])
        assert isinstance(zhang, Found)
        assert zhang.incomplete is Reason.INCOMPLETE
        assert isinstance(li_mei, Failed)


async def test_an_outage_is_nobodys_absence() -> None:
    async with lab(answering(ZHANG[0], status=503), BATCH) as room:
        reader = Reader()
        answers, whole = await ask(room, reader)
        assert (whole, reader.given) == (False, [])
        assert [answer.reason for answer in answers if isinstance(answer, Failed)] == [Reason.DOWN, Reason.DOWN]


@pytest.mark.parametrize(
    "request_", [{**BATCH, "key_echo": {"idNo": "sfzh", "name": "xm"}}, BATCH], ids=["name", "field"]
)
async def test_whose_a_record_is_must_be_what_the_reader_reads_it_by(request_: Mapping[str, Any]) -> None:
    async with lab(answering(), request_) as room:
        reader = Reader(id_no="sfzh" if "name" in request_["key_echo"] else "other")
        answers, whole = await ask(room, reader)
        assert (whole, reader.given) == (False, [])
        assert [type(answer) for answer in answers] == [Absent, Absent]


async def test_a_key_that_cannot_be_sent_is_left_to_the_long_way() -> None:
    async with lab(answering(), BATCH) as room:
        answers, whole = await ask(room, Reader(), ZHANG, (LI_MEI[0], "李" * 300))
        assert not whole
        assert isinstance(answers[0], Absent)
        assert isinstance(answers[1], Failed)
        assert answers[1].reason is Reason.KEY_MISSING
