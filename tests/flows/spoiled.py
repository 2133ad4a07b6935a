"""Departments that have gone bad: each answers in its own protocol what no department should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from demo.departments.ga_pop_wsdl import wsdl, xsd
from demo.serving import bind, serving_app

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'


@dataclass
class Spoiled:
    """`how` says what it answers from now on; `asked` counts the questions."""

    how: str
    url: str = ""
    asked: int = 0
    elsewhere: str = ""
    lies: dict[str, str] = field(default_factory=dict)  # how -> WSDL


@asynccontextmanager
async def spoiled_rest(how: str) -> AsyncIterator[Spoiled]:
    """LGB, SB, GS or FY, whatever the path: streams, redirects, bombs."""
    department = Spoiled(how)

    async def answer(request: Request) -> Response:
        department.asked += 1
        await request.body()
        how = department.how
        if how == "flood":
            return StreamingResponse(_flood(), media_type="application/json")
        if how == "drip":
            return StreamingResponse(_drip(), media_type="application/json")
        if how == "elsewhere":
            return RedirectResponse(f"{department.elsewhere}{request.url.path}", 307)
        if how == "deep":
            return Response(b'{"code":' + b"[" * 200_000, media_type="application/json")
        if how == "bomb":
            return Response(f"{BOMB}<AJLB><DM>0</DM><ZS>&a11;</ZS></AJLB>", media_type="application/xml")
        if how == "outside":
            return Response(f"{OUTSIDE}<AJLB><DM>0</DM><ZS>&x;</ZS></AJLB>", media_type="application/xml")
        return Response(b"\x00\xff\xfe" * 1000, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with serving_app(app) as url:
        department.url = url
        yield department


@asynccontextmanager
async def spoiled_police(how: str, pki: Path) -> AsyncIterator[Spoiled]:
    """GA_POP with its certificate: the service description tells lies, or the answers are bombs."""
    department = Spoiled(how)

    async def describe(request: Request) -> Response:
        here = str(request.url.replace(query=""))
        told = {
            "wsdl_bomb": f"{BOMB}<definitions>&a11;</definitions>",
            "wsdl_of_nothing": '<?xml version="1.0"?><definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>',
            "wsdl_elsewhere": wsdl(f"{department.elsewhere}/services/population"),
            "wsdl_imports_elsewhere": wsdl(here, f"{department.elsewhere}/population.xsd"),
            "wsdl_imports_itself": wsdl(here, f"{here}?wsdl"),
        }
        return Response(told.get(department.how, wsdl(here)).encode("gb18030"), media_type="text/xml; charset=GB18030")

    async def types(request: Request) -> Response:
        return Response(xsd().encode("gb18030"), media_type="text/xml; charset=GB18030")

    async def call(request: Request) -> Response:
        department.asked += 1
        await request.body()
        if department.how == "flood":
            return StreamingResponse(_flood(), media_type="text/xml")
        entity = "&a11;" if department.how == "bomb" else "&x;"
        doctype = BOMB if department.how == "bomb" else OUTSIDE
        return Response(doctype + ENVELOPE.format(entity), media_type="text/xml")

    routes = [
        Route("/services/population", describe),
        Route("/services/population", call, methods=["POST"]),
        Route("/services/population.xsd", types),
    ]
    async with serving_app(Starlette(routes=routes), tls="mutual", pki=pki) as url:
        department.url = url
        yield department


@asynccontextmanager
async def next_door() -> AsyncIterator[tuple[str, list[str]]]:
    """A server at the second loopback address, off every allow-list, and what reached it: every connection counts."""
    reached: list[str] = []

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append("connection")
        writer.close()

    listener = bind(host="127.0.0.2")
    server = await asyncio.start_server(met, sock=listener)
    try:
        yield f"http://127.0.0.2:{listener.getsockname()[1]}", reached
    finally:
        server.close()


async def _flood() -> AsyncIterator[bytes]:
    yield b'{"code":"0","data":{"list":["'
    while True:
        yield b"x" * 65_536
        await asyncio.sleep(0)


async def _drip() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.05)
