"""The contract rows behind a SOAP 1.1 service with its WSDL, in GB18030."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.soap import SoapKind
from demo.serving import serving_app
from tests.contract.department_rest import Trouble
from tests.contract.departments import RAW_COLUMNS, Department, department, manifest_for, opening_for, rows_of
from tests.fakes.wsdl import simple_wsdl

REQUEST: dict[str, Any] = {
    "operation": "Query",
    "arguments": {"sfzh": "{idNo}", "xm": "{name}"},
    "rows": "Row",
    "outcome": {"path": "RetCode", "ok": ["0"], "absent": ["1404"]},
    "faults": {"BUSY": "busy"},
}


def envelope(body: str, encoding: str = "gb18030") -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><s:Envelope '
        f'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'
    )
    return text.encode(encoding)


def soap_app(trouble: Trouble) -> Starlette:
    async def wsdl(request: Request) -> Response:
        address = str(request.url).partition("?")[0]
        return Response(simple_wsdl(address, arguments=("sfzh", "xm"), columns=RAW_COLUMNS), media_type="text/xml")

    async def call(request: Request) -> Response:
        asked = etree.fromstring(await request.body())
        rows = rows_of(asked.findtext(".//{urn:contract}sfzh") or "")
        if trouble.silent:
            await asyncio.sleep(3600)
        if trouble.down:
            fault = envelope("<s:Fault><faultcode>s:BUSY</faultcode><faultstring>张三</faultstring></s:Fault>")
            return Response(fault, 500, media_type="text/xml")
        records = "".join(
            "<Row>" + "".join(f"<{name}>{escape(row[name])}</{name}>" for name in RAW_COLUMNS) + "</Row>"
            for row in rows
        )
        code = "0" if rows else "1404"
        body = f'<QueryResponse xmlns="urn:contract"><RetCode>{code}</RetCode>{records}</QueryResponse>'
        return Response(envelope(body), media_type="text/xml")

    return Starlette(routes=[Route("/service", wsdl, methods=["GET"]), Route("/service", call, methods=["POST"])])


@asynccontextmanager
async def soap_department(tmp_path: Path) -> AsyncIterator[Department]:
    trouble, egress = Trouble(), HttpEgress()
    async with serving_app(soap_app(trouble)) as url:
        channel = egress.open(Rule("CONTRACT", frozenset({urlsplit(url).netloc}), allow_plain_http=True))
        manifest = manifest_for("soap", endpoint=url, request=REQUEST, options={"wsdl": "/service?wsdl"})
        assert SoapKind().check(manifest) == []
        raw = SoapKind().open(opening_for(manifest, base_dir=tmp_path, channel=channel))
        yield department(manifest, raw, outage=trouble.outage, silence=trouble.silence)
        await egress.close()
