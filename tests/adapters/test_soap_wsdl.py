"""A WSDL is a stranger's word: what it lies about fails by name, soon, and is asked again later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import Response

from adapters.errors import Reason
from adapters.source import Absent, Failed, Found
from tests.adapters.soap_lab import Lab, soap_lab
from tests.contract.department_soap import envelope
from tests.fakes.wsdl import schema_of

pytestmark = pytest.mark.anyio
XSD = 'xmlns:x="http://www.w3.org/2001/XMLSchema"'


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with soap_lab(tmp_path) as running:
        running.reply = xml('<QueryResponse xmlns="urn:contract"><RetCode>1404</RetCode></QueryResponse>')
        yield running


def xml(body: str) -> Response:
    return Response(envelope(body), media_type="text/xml")


async def reason(lab: Lab, timeout_s: float = 15.0) -> tuple[Reason, str]:
    (answer,) = await lab.ask(timeout_s=timeout_s)
    assert isinstance(answer, Failed), answer
    return answer.reason, answer.detail


async def test_it_is_read_once_however_many_ask(lab: Lab) -> None:
    answers = await asyncio.gather(*(lab.ask() for _ in range(20)))
    assert all(isinstance(one, Absent) for (one,) in answers)
    await lab.ask()
    assert lab.got == ["/s?wsdl"]


async def test_a_failed_load_is_not_for_ever(lab: Lab) -> None:
    good = lab.documents.pop("/s?wsdl")
    assert (await reason(lab))[0] is Reason.DOWN
    lab.documents["/s?wsdl"] = good
    assert (await reason(lab))[0] is Reason.DOWN, "within the pause nobody asks again"
    assert lab.got == ["/s?wsdl"]
    await asyncio.sleep(0.06)
    (answer,) = await lab.ask()
    assert isinstance(answer, Absent)


async def test_an_asker_without_time_leaves_the_load_to_go_on(lab: Lab) -> None:
    assert await reason(lab, timeout_s=0.01) == (Reason.TIMEOUT, "its WSDL is still being read")
    (answer,) = await lab.ask()
    assert isinstance(answer, Absent)
    assert lab.got == ["/s?wsdl"]


async def test_an_operation_it_does_not_have(lab: Lab) -> None:
    lab.wsdl(operation="SomethingElse")
    assert await reason(lab) == (Reason.GARBAGE, "its WSDL: it has no SOAP operation Query")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (schema_of(("sfzh",), ()), "unexpected keyword argument 'xm'"),
        (schema_of(("sfzh", "xm"), (), type_="t:nowhere"), "LookupError"),
        (schema_of(("sfzh", "xm"), (), type_="t:Deep", inner=f'<x:complexType {XSD} name="Deep"><x:sequence>'
         '<x:element name="a" type="x:string"/></x:sequence></x:complexType>'), "its WSDL"),
        ("", "its WSDL"),
        (f'<x:schema {XSD} targetNamespace="urn:contract"><x:element name="Query"/></x:schema>', "its WSDL"),
    ],
    ids=["an argument it does not take", "a type it lacks", "a structure for a text", "no types", "no content"],
)  # fmt: skip
async def test_types_that_do_not_fit_the_manifest(lab: Lab, schema: str, told: str) -> None:
    lab.wsdl(schema=schema)
    why, detail = await reason(lab)
    assert why is Reason.GARBAGE
    assert told in detail
    assert lab.posted == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>login</body></html>",
        b"<a>" * 100,
        b"\xff\xfe\x00<",
        b'<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.2:9/x.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><a/>',
        b"<a>" * 70_000 + b"</a>" * 70_000,
    ],
    ids=["empty", "html", "half", "bytes", "bomb", "dtd", "parameter entity", "deep"],
)
async def test_a_document_that_is_none(lab: Lab, document: bytes) -> None:
    lab.documents["/s?wsdl"] = document
    why, detail = await reason(lab)
    assert why is Reason.GARBAGE
    assert "root:" not in detail
    assert len(detail) < 300


async def test_an_entity_bomb_in_an_import_is_no_better(lab: Lab) -> None:
    lab.wsdl(schema=f'<x:schema {XSD}><x:import namespace="urn:contract" schemaLocation="b.xsd"/></x:schema>')
    lab.documents["/b.xsd"] = b'<!DOCTYPE a [<!ENTITY b "' + b"b" * 100 + b'">]><a>&b;</a>'
    assert await reason(lab) == (Reason.GARBAGE, "its WSDL: a DOCTYPE is not allowed")


@pytest.mark.parametrize(
    "location", ["http://127.0.0.2:9/x.xsd", "http://localhost:1/x.xsd", "file:///etc/passwd", "ftp://127.0.0.1/x"]
)
@pytest.mark.parametrize("how", ["import", "include", "redefine"])
async def test_imports_stay_on_the_allow_list(lab: Lab, location: str, how: str) -> None:
    lab.wsdl(schema=f'<x:schema {XSD} targetNamespace="urn:contract"><x:{how} schemaLocation="{location}"/></x:schema>')
    assert (await reason(lab))[0] is Reason.BLOCKED


async def test_a_wsdl_import_stays_there_too(lab: Lab) -> None:
    lab.wsdl(imports='<w:import namespace="urn:x" location="http://127.0.0.2:9/x.wsdl"/>')
    assert (await reason(lab))[0] is Reason.BLOCKED


async def test_imports_that_go_round_in_circles_are_read_once_each(lab: Lab) -> None:
    lab.wsdl(
        schema=f'<x:schema {XSD}><x:import namespace="urn:contract" schemaLocation="types.xsd"/></x:schema>',
        imports='<w:import namespace="urn:contract" location="s?wsdl"/>',
    )
    circle = '<x:include schemaLocation="types.xsd"/><x:include schemaLocation="more.xsd"/>'
    lab.documents["/types.xsd"] = schema_of(("sfzh", "xm"), ("djbh",), inner=circle).encode()
    lab.documents["/more.xsd"] = f'<x:schema {XSD} targetNamespace="urn:contract">{circle}</x:schema>'.encode()
    (answer,) = await lab.ask()
    assert isinstance(answer, Absent), answer
    assert sorted(lab.got) == ["/more.xsd", "/s?wsdl", "/types.xsd"]


async def test_a_circle_under_false_names_ends(lab: Lab) -> None:
    lab.wsdl(imports='<w:import namespace="urn:never-mine" location="s?wsdl"/>')
    began = time.monotonic()
    assert (await reason(lab))[0] is Reason.GARBAGE
    assert time.monotonic() - began < 5


async def test_imports_without_end_end(lab: Lab) -> None:
    lab.wsdl(imports='<w:import namespace="urn:0" location="next?0"/>')
    text = lab.documents["/s?wsdl"].decode()
    for number in range(100):
        step = text.replace("urn:0", f"urn:{number + 1}").replace("next?0", f"next?{number + 1}")
        lab.documents[f"/next?{number}"] = step.encode()
    why, detail = await reason(lab)
    assert why is Reason.TOO_LARGE
    assert "more than 64 documents" in detail


async def test_too_much_text_is_too_large(lab: Lab) -> None:
    lab.wsdl(imports=f"<w:documentation>{'x' * 5_000_000}</w:documentation>")
    assert (await reason(lab))[0] is Reason.TOO_LARGE


async def test_groups_that_multiply_cost_a_child_and_not_us(tmp_path: Path) -> None:
    """x:group references double at each step: 2^40 elements for whoever expands them."""
    groups = "".join(
        f'<x:group {XSD} name="g{n + 1}"><x:sequence><x:group ref="t:g{n}"/><x:group ref="t:g{n}"/></x:sequence></x:group>'
        for n in range(40)
    )
    inner = (
        f'<x:group {XSD} name="g0"><x:sequence><x:element name="e" type="x:string" minOccurs="0"/></x:sequence></x:group>'
        f"{groups}"
    )
    bomb = schema_of(("sfzh", "xm"), ("djbh",), inner=inner).replace(
        '<x:sequence><x:element name="sfzh"', '<x:sequence><x:group ref="t:g40"/><x:element name="sfzh"'
    )
    async with soap_lab(tmp_path, options={"wsdl_timeout_s": 2}) as lab:
        lab.wsdl(schema=bomb)
        began = time.monotonic()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        why, _ = await reason(lab)
        ticking.cancel()
        assert why in (Reason.TIMEOUT, Reason.GARBAGE)
        took = time.monotonic() - began
        assert took < 6
        assert ticks > took * 20, "the loop went on turning"


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.2:80/s", "https://elsewhere.example/s", "http://[::1", "http://127.0.0.1:99999/s", "file:///x"],
)
async def test_the_address_it_names_stays_on_the_allow_list(lab: Lab, address: str) -> None:
    lab.wsdl(address=address)
    why, detail = await reason(lab)
    assert why is Reason.BLOCKED
    assert "options.address" in detail
    assert lab.posted == []


async def test_the_manifest_can_name_the_address_itself(tmp_path: Path) -> None:
    async with soap_lab(tmp_path, options={"address": "/inside"}) as lab:
        lab.wsdl(address="http://10.20.30.40:8080/s")
        lab.reply = xml('<QueryResponse xmlns="urn:contract"><RetCode>1404</RetCode></QueryResponse>')
        (answer,) = await lab.ask()
        assert isinstance(answer, Absent)


async def test_an_action_is_no_place_for_headers(lab: Lab) -> None:
    lab.wsdl(action="urn:x&quot;&#13;&#10;X-Injected: 1")
    assert (await reason(lab))[0] is Reason.GARBAGE
    assert lab.posted == []


async def test_rpc_style_works_as_well(lab: Lab) -> None:
    document = lab.documents["/s?wsdl"].decode()
    document = (
        document.replace('style="document"', 'style="rpc"')
        .replace('<w:part name="parameters" element="t:Query"/>', '<w:part name="sfzh" type="x:string"/><w:part name="xm" type="x:string"/>')
        .replace('<soap:body use="literal"/>', '<soap:body use="literal" namespace="urn:contract"/>')
    )  # fmt: skip
    lab.documents["/s?wsdl"] = document.encode()
    lab.reply = xml(
        '<r:QueryResponse xmlns:r="urn:contract"><RetCode>0</RetCode><Row><djbh>R1</djbh></Row></r:QueryResponse>'
    )
    (answer,) = await lab.ask()
    assert isinstance(answer, Found)
    assert answer.rows[0].values["djbh"] == "R1"
    assert b":Query" in lab.posted[0]
