"""One SOAP call: what is sent, what each reply means, and what never gets into an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from starlette.responses import Response

from adapters.errors import Reason
from adapters.outcomes import read_outcomes
from adapters.soap import SoapKind
from adapters.soap_check import fault_table
from adapters.soap_reply import Reading, read_reply
from adapters.source import Absent, Failed, Found
from adapters.wsdl import Operation
from tests.adapters.soap_lab import KEY, Lab, soap_lab
from tests.contract.department_soap import REQUEST, envelope
from tests.contract.departments import manifest_for

pytestmark = pytest.mark.anyio
ROW = "<Row><djbh>R1</djbh><jzdz>䶮村</jzdz><dh>SECRET</dh></Row>"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with soap_lab(tmp_path, request={"faults": {"GA.BUSY": "rate_limited", "GA.NONE": "absent"}}) as running:
        yield running


def answer(inside: str, encoding: str = "utf-8", **response: Any) -> Response:
    body = envelope(f'<QueryResponse xmlns="urn:contract">{inside}</QueryResponse>', encoding)
    return Response(body, **{"media_type": "text/xml", **response})


def fault(code: str, detail: str = "", text: str = "张三 440606199003070017") -> Response:
    inside = f"<s:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>{detail}</s:Fault>"
    return Response(envelope(inside), 500, media_type="text/xml")


@pytest.mark.parametrize("declared", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize("header", ["text/xml", "text/xml; charset=utf-8", "text/xml; charset=gbk"])
async def test_the_document_knows_its_encoding_better_than_the_header(lab: Lab, declared: str, header: str) -> None:
    lab.reply = answer(f"<RetCode>0</RetCode>{ROW}", declared, headers={"content-type": header}, media_type=None)
    (got,) = await lab.ask()
    assert isinstance(got, Found)
    assert got.rows[0].values == {"djbh": "R1", "jzdz": "䶮村"}


async def test_without_a_declaration_the_header_counts(lab: Lab) -> None:
    whole = envelope(f'<QueryResponse xmlns="urn:contract"><RetCode>0</RetCode>{ROW}</QueryResponse>', "gb18030")
    bare = whole.partition(b"?>")[2]
    lab.reply = Response(bare, headers={"content-type": "text/xml;charset=GB18030"})
    (got,) = await lab.ask()
    assert isinstance(got, Found)
    assert got.rows[0].values["jzdz"] == "䶮村"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("<RetCode>9999</RetCode>"), Reason.GARBAGE),
        (answer(""), Reason.GARBAGE),
        (answer("<RetCode>0</RetCode>"), Reason.GARBAGE),
        (answer("<RetCode>0</RetCode><Row>text</Row>"), Reason.GARBAGE),
        (Response(b""), Reason.GARBAGE),
        (Response(b"<html/>"), Reason.GARBAGE),
        (Response(b"<Envelope><Body/></Envelope>"), Reason.GARBAGE),
        (Response(envelope("")), Reason.GARBAGE),
        (Response(envelope("<a/>")[:80]), Reason.GARBAGE),
        (Response(b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'), Reason.GARBAGE),
        (Response(b"<html>502</html>", 502), Reason.DOWN),
        (Response(b"<html>500</html>", 500), Reason.DOWN),
        (Response(b"", 404), Reason.DOWN),
        (Response(b"", 401), Reason.REFUSED),
        (Response(b"", 429), Reason.RATE_LIMITED),
        (answer(f"<RetCode>0</RetCode>{ROW}", status_code=500), Reason.DOWN),
        (fault("s:Server"), Reason.DOWN),
        (fault("s:Server", "<detail><Code>GA.BUSY</Code></detail>"), Reason.RATE_LIMITED),
        (fault("s:GA.BUSY"), Reason.RATE_LIMITED),
        (Response(b"x" * 5_000_000), Reason.TOO_LARGE),
    ],
    ids=range(20),
)
async def test_what_is_no_answer_is_never_an_absence(tmp_path: Path, reply: Response, reason: Reason) -> None:
    async with soap_lab(tmp_path, request={"faults": {"GA.BUSY": "rate_limited"}}) as lab:
        lab.reply = reply
        (got,) = await lab.ask()
    assert isinstance(got, Failed), got
    assert got.reason is reason
    assert "张三" not in repr(got)
    assert KEY[0] not in repr(got)


async def test_absence_is_said_by_code_or_by_a_fault_the_manifest_names(lab: Lab) -> None:
    for reply in (answer("<RetCode>1404</RetCode>"), fault("s:Client", "<detail><c>GA.NONE</c></detail>")):
        lab.reply = reply
        (got,) = await lab.ask()
        assert isinstance(got, Absent)


async def test_a_fault_is_told_by_its_code_alone(lab: Lab) -> None:
    lab.reply = fault("s:Server.Overload", "<detail><who>张三</who></detail>")
    (got,) = await lab.ask()
    assert isinstance(got, Failed)
    assert (got.reason, got.detail) == (Reason.DOWN, "fault s:Server.Overload")
    lab.reply = fault("440606199003070017")
    (got,) = await lab.ask()
    assert isinstance(got, Failed)
    assert got.detail == "fault of another form"


async def test_a_value_is_content_and_never_markup(lab: Lab) -> None:
    hostile = '</xm><admin xmlns="">1</admin>&lol; ]]> <!--'
    lab.reply = answer("<RetCode>1404</RetCode>")
    await lab.ask((KEY[0], hostile))
    asked = etree.fromstring(lab.posted[0])
    assert asked.findtext(".//{urn:contract}xm") == hostile
    assert len(list(asked.iter("{*}admin"))) == 0
    assert lab.headers[0]["soapaction"] == '"urn:contract/Query"'


async def test_what_xml_cannot_hold_is_not_sent(lab: Lab) -> None:
    lab.reply = answer("<RetCode>1404</RetCode>")
    for text in ("a\x00b", "\x1b[2J", "\ud800", "\uffff", ""):
        (got,) = await lab.ask((KEY[0], text))
        assert isinstance(got, Failed)
        assert got.reason is Reason.KEY_MISSING
    assert lab.posted == []


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "gbk"])
async def test_a_rare_character_survives_every_encoding(tmp_path: Path, encoding: str) -> None:
    async with soap_lab(tmp_path, options={"encoding": encoding}) as lab:
        lab.reply = answer("<RetCode>1404</RetCode>")
        await lab.ask((KEY[0], "李䶮·𠮷"))
        assert etree.fromstring(lab.posted[0]).findtext(".//{urn:contract}xm") == "李䶮·𠮷"
        assert encoding in lab.headers[0]["content-type"]


async def test_one_key_one_call_and_no_key_twice(lab: Lab) -> None:
    lab.reply = answer("<RetCode>1404</RetCode>")
    await lab.ask(KEY, ("1", "b"), KEY)
    assert len(lab.posted) == 2


async def test_several_records_and_none_of_the_others_fields(lab: Lab) -> None:
    lab.reply = answer(f"<RetCode>0</RetCode>{ROW}{ROW.replace('R1', 'R2')}")
    (got,) = await lab.ask()
    assert isinstance(got, Found)
    assert [row.values["djbh"] for row in got.rows] == ["R1", "R2"]
    assert "SECRET" not in repr(got)


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=40))
def test_filling_an_envelope_is_the_same_as_building_it(text: str) -> None:
    from xml.sax.saxutils import escape

    operation = Operation("", "", False, ("<a><b>", "x", "</b><c>", "y", "</c></a>"))
    filled = etree.fromstring(operation.fill({"x": escape(text), "y": "2"}))
    assert (filled.findtext("b") or "") == text or not text.isprintable()
    assert filled.findtext("c") == "2"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([200, 500, 400]))
def test_no_reply_whatever_breaks_the_reader(body: bytes, status: int) -> None:
    from adapters.clock import utc_now
    from adapters.egress import Reply

    outcome, _ = read_outcomes(REQUEST["outcome"], "")
    reading = Reading("Row", outcome, fault_table(REQUEST["faults"], "")[0], 1000, "Asia/Shanghai")
    got = read_reply(Reply(status, {}, body), reading, utc_now())
    assert isinstance(got, Failed)


def test_a_manifest_hears_of_all_its_faults_at_once() -> None:
    request = {
        "arguments": {"sfzh": "{idno}", "xm": 3},
        "rows": 1,
        "outcome": {"path": "a", "absent": "0404", "sometimes": ["1"]},
        "faults": {"X": "perhaps", "Y": "ok"},
        "verb": "GET",
    }
    manifest = manifest_for(
        "soap", endpoint="http://127.0.0.1:1", request=request, options={"encoding": "ebcdic", "x": 1}
    )
    places = [place for place, _ in SoapKind().check(manifest)]
    assert places == [
        "source.options.x",
        "source.options.wsdl",
        "source.options.encoding",
        "answers.0.request.verb",
        "answers.0.request.operation",
        "answers.0.request.rows",
        "answers.0.request.arguments.sfzh",
        "answers.0.request.arguments.xm",
        "answers.0.request.outcome.absent",
        "answers.0.request.outcome.sometimes",
        "answers.0.request.outcome.ok",
        "answers.0.request.faults.X",
        "answers.0.request.faults.Y",
    ]
