"""Kind "rest" with XML answers: one or many records, exploded children, Chinese encodings, nothing hostile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.responses import Response

from adapters.errors import Reason
from adapters.source import Absent, Failed, Found
from tests.adapters.rest_lab import Answering, lab

pytestmark = pytest.mark.anyio

XML: dict[str, Any] = {
    "path": "/aj",
    "query": {"ah": "{idNo}"},
    "format": "xml",
    "rows": "AJLB.AJ",
    "explode": "DSR",
    "total": "AJLB.ZS",
    "absent_status": [404],
}
FIELDS = frozenset({"AH", "DSR.XM", "DSR.SFZH", "PJJG.XZ"})
CASE = (
    "<AJ><AH>刑初1号</AH><DSR><XM>张三</XM><SFZH>1</SFZH></DSR><DSR><XM>李䶮</XM><SFZH>2</SFZH></DSR>"
    "<PJJG><XZ>HX</XZ></PJJG></AJ>"
)


def xml(text: str, encoding: str = "utf-8", content_type: str = "application/xml") -> Answering:
    head = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding else ""
    content = (head + text).encode("gb18030" if encoding.startswith("g") else "utf-8")
    return lambda request, body: Response(content, 200, {"content-type": content_type})


async def ask(answer: Answering, request: Mapping[str, Any] = XML) -> Any:
    async with lab(answer, request) as room:
        return await room.ask_one(fields=FIELDS)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "GB18030"])
async def test_each_defendant_is_a_row_with_the_case_beside(encoding: str) -> None:
    answer = await ask(xml(f"<AJLB><ZS>1</ZS>{CASE}</AJLB>", encoding.lower()))
    assert isinstance(answer, Found)
    assert [dict(row.values) for row in answer.rows] == [
        {"AH": "刑初1号", "DSR.XM": "张三", "DSR.SFZH": "1", "PJJG.XZ": "HX"},
        {"AH": "刑初1号", "DSR.XM": "李䶮", "DSR.SFZH": "2", "PJJG.XZ": "HX"},
    ]
    assert answer.incomplete is None, "one case was declared and one came, however many stood in it"


async def test_the_transport_s_charset_is_heard() -> None:
    answer = await ask(
        lambda request, body: Response(
            f"<AJLB><ZS>1</ZS>{CASE}</AJLB>".encode("gb18030"), 200, {"content-type": "text/xml; charset=GBK"}
        )
    )
    assert isinstance(answer, Found)
    assert answer.rows[1].values["DSR.XM"] == "李䶮"


async def test_one_many_or_no_defendants() -> None:
    one = "<AJ><AH>a</AH><DSR><XM>n</XM></DSR></AJ>"
    none = "<AJ><AH>b</AH></AJ><AJ><AH>c</AH><DSR/></AJ>"
    answer = await ask(xml(f"<AJLB><ZS>3</ZS>{one}{none}</AJLB>"))
    assert isinstance(answer, Found)
    assert [(row.values["AH"], row.values.get("DSR.XM"), row.values.get("PJJG.XZ")) for row in answer.rows] == [
        ("a", "n", None),
        ("b", None, None),
        ("c", None, None),
    ]


@pytest.mark.parametrize("text", ["<AJLB><ZS>0</ZS></AJLB>"])
async def test_no_record_is_absence(text: str) -> None:
    assert isinstance(await ask(xml(text)), Absent)


async def test_an_empty_list_element_is_absence_too() -> None:
    request = {**XML, "rows": "R.AJLB.AJ", "total": ""}
    assert isinstance(await ask(xml("<R><AJLB/></R>"), request), Absent)


async def test_half_a_list_is_incomplete() -> None:
    answer = await ask(xml(f"<AJLB><ZS>2</ZS>{CASE}</AJLB>"))
    assert isinstance(answer, Found)
    assert answer.incomplete is Reason.INCOMPLETE


GARBAGE = {
    "another document": xml("<HTML><ZS>0</ZS></HTML>"),
    "no total": xml("<AJLB></AJLB>"),
    "half": xml("<AJLB><ZS>1</ZS><AJ><AH>"),
    "not xml": xml('{"ZS": 0}', ""),
    "empty": xml("", ""),
    "a doctype": xml('<!DOCTYPE AJLB [<!ENTITY x "y">]><AJLB><ZS>0</ZS></AJLB>'),
    "texts for records": xml("<AJLB><ZS>1</ZS><AJ>text</AJ></AJLB>"),
    "gbk bytes called utf-8": lambda request, body: Response("<AJLB><ZS>0</ZS>张</AJLB>".encode("gbk")),
    "deep": xml("<AJLB><ZS>0</ZS>" + "<a>" * 200 + "</a>" * 200 + "</AJLB>"),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_not_the_agreed_document_is_garbage(answer: Answering) -> None:
    got = await ask(answer)
    assert isinstance(got, Failed)
    assert got.reason is Reason.GARBAGE


async def test_a_result_code_may_stand_in_the_document() -> None:
    request = {**XML, "outcome": {"path": "AJLB.JG", "ok": ["0"], "absent": ["9"], "busy": ["5"]}}
    answer = await ask(xml("<AJLB><JG>5</JG></AJLB>"), request)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.DOWN
    assert isinstance(await ask(xml("<AJLB><JG>9</JG></AJLB>"), request), Absent)
