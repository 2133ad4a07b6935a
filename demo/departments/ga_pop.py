"""公安人口: SOAP 1.1 behind a client certificate, one person a call, bodies in GB18030.

A name that is not the registered one to the letter (U+00B7 in the middle, no other dot) is "查无此人", as there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.ga_pop_wsdl import OPERATIONS, TYPES, action, wsdl, xsd
from demo.people import Person

PROFILE = Profile(code="GA_POP", zh="公安人口信息服务", latency_s=0.3, rps=5.0, tls="mutual")
ENCODING: Final = "gb18030"
MAX_REQUEST_BYTES: Final = 64 * 1024
SEX: Final = {"UNKNOWN": "0", "MALE": "1", "FEMALE": "2", "UNSTATED": "9"}  # GB/T 2261.1
ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"


def build(department: Department, options: Options) -> Starlette:
    async def describe(request: Request) -> Response:
        if "wsdl" not in request.query_params:
            return PlainTextResponse("?wsdl", 404)
        return _xml(wsdl(str(request.url.replace(query=""))))

    async def types(_: Request) -> Response:
        return _xml(xsd())

    async def call(request: Request) -> Response:
        body = await request.body()
        asked = _asked(body) if len(body) <= MAX_REQUEST_BYTES else None
        if asked is None or request.headers.get("soapaction", "").strip('"') != action(asked[0]):
            return _fault("soap:Client", "GA.FORMAT", "报文格式不符")
        operation, id_no, name = asked
        try:
            await department.enter(operation, key=id_no)
        except Refusal as refusal:
            return _refused(refusal)
        if department.faults.garbage:
            return Response(
                "<html><body>系统维护中 �</body></html>".encode(ENCODING, "replace"), media_type="text/html"
            )
        whole = _envelope(_answer(department, operation, id_no, name))
        if department.faults.half_page:
            whole = whole[: len(whole) // 2]
        return Response(whole, media_type=f"text/xml; charset={ENCODING.upper()}")

    return Starlette(
        routes=[
            Route("/services/population", describe, methods=["GET"]),
            Route("/services/population", call, methods=["POST"]),
            Route("/services/population.xsd", types, methods=["GET"]),
        ]
    )


def _asked(body: bytes) -> tuple[str, str, str] | None:
    """Operation, ID number and name of a request; None for anything else."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        envelope = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    for operation in OPERATIONS:
        found = envelope.find(f"{{{ENVELOPE}}}Body/{{{TYPES}}}{operation}")
        if found is not None:
            return operation, found.findtext(f"{{{TYPES}}}GMSFHM", ""), found.findtext(f"{{{TYPES}}}XM", "")
    return None


def _answer(department: Department, operation: str, id_no: str, name: str) -> str:
    person = department.people.by_id(id_no) if len(id_no) == 18 else None
    record, _ = OPERATIONS[operation]
    facts = None
    if person is not None and person.in_population and person.name_at("GA_POP") == name:
        facts = _person(person) if operation == "QueryPerson" else _address(person)
    if facts is None:
        return f'<{operation}Response xmlns="{TYPES}"><RetCode>0404</RetCode><RetMsg>查无此人</RetMsg></{operation}Response>'
    updated = department.now() - timedelta(days=department.faults.stale)
    facts["GXSJ"] = updated.strftime("%Y-%m-%d %H:%M:%S")
    fields = "".join(f"<{field}>{escape(text)}</{field}>" for field, text in facts.items() if text)
    return (
        f'<{operation}Response xmlns="{TYPES}"><RetCode>0000</RetCode><RetMsg>成功</RetMsg>'
        f"<{record}>{fields}</{record}></{operation}Response>"
    )


def _person(person: Person) -> dict[str, str]:
    return {
        "RYBH": f"RY{person.key}",
        "GMSFHM": person.id_no,
        "XM": person.name_at("GA_POP"),
        "CYM": "、".join(person.used_names),
        "ZJLX": "居民身份证",
        "XB": SEX[person.sex],
        "MZ": person.ethnicity,
        "CSRQ": f"{person.birth_date:%Y%m%d}" if person.birth_date else "",
        "HJXZQH": person.hukou_admin,
        "HJDZ": person.hukou_address,
        "LXDH": person.phone,
        "ZPZY": person.photo_hash,
        "RYZT": "1" if person.life_status == "DECEASED_OR_CANCELLED" else "0",
    }


def _address(person: Person) -> dict[str, str] | None:
    if person.police_address is None:
        return None
    return {
        "DZBH": f"DZ{person.key}",
        "GMSFHM": person.id_no,
        "XM": person.name_at("GA_POP"),
        "XZXZQH": person.police_address.admin,
        "XZDZ": person.police_address.address,
        "QSRQ": f"{person.police_address.since:%Y%m%d}",
    }


def _refused(refusal: Refusal) -> Response:
    if refusal.kind == "down":
        return PlainTextResponse("Service Unavailable", 503)
    if refusal.kind == "closed":
        return _fault("soap:Server", "GA.CLOSED", "服务时间外")
    return _fault("soap:Server", "GA.BUSY", "访问过于频繁")


def _fault(code: str, detail: str, message: str) -> Response:
    body = (
        f'<soap:Fault xmlns:soap="{ENVELOPE}"><faultcode>{code}</faultcode><faultstring>{message}</faultstring>'
        f'<detail><GAFault xmlns="{TYPES}"><Code>{detail}</Code></GAFault></detail></soap:Fault>'
    )
    return Response(_envelope(body), 500, media_type=f"text/xml; charset={ENCODING.upper()}")


def _envelope(body: str) -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{ENCODING.upper()}"?>\n<soapenv:Envelope xmlns:soapenv="{ENVELOPE}">'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
    return text.encode(ENCODING)


def _xml(text: str) -> Response:
    return Response(text.encode(ENCODING), media_type=f"text/xml; charset={ENCODING.upper()}")
