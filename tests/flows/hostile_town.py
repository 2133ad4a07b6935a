"""Departments of every kind that repeat what they were asked wherever a protocol has room for it."""

from __future__ import annotations

import sqlite3
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import trustme
from aiohttp import web

from tests.fakes.wsdl import simple_wsdl

IDS = ("440606199003070017", "44010519491231002X", "110101850307001", "440605880815004")
NAMES = ("张三丰年", "李䶮", "买买提·艾力")
PHONE, ADDRESS = "13926412345", "佛山市禅城区祖庙路21号"
PERSON = (IDS[0], NAMES[0])
SECRETS = {"LGB_SECRET": "lgb-secret-of-the-residence-office-1", "SD_SECRET": "sd-secret-of-the-neighbour-2"}
ALL = " ".join((*IDS, *NAMES, PHONE, ADDRESS, *SECRETS.values()))
CASE = "(2026)粤0604刑初123号"
REST_FAULTS = (
    "body_500", "body_400", "body_401", "body_404", "body_429", "code", "no_json", "types", "twice", "elsewhere", "loop",
    "headers", "cut", "huge", "empty",
)  # fmt: skip
SOAP_FAULTS = ("fault", "fault_code", "result", "no_xml", "http_500", "elsewhere")
GRAPHQL_FAULTS = ("errors", "path", "partial", "code")


@dataclass
class HostileTown:
    """`mode` says how all departments behave from now on."""

    manifests: Path
    url: str = ""
    mode: str = "good"
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def hostile_town(home: Path) -> AsyncIterator[HostileTown]:
    town = HostileTown(home / "manifests")
    town.manifests.mkdir()
    drops = home / "drops"
    drops.mkdir()
    async with AsyncExitStack() as stack:
        town.url = await _served(stack, town, None)
        untrusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA(organization_name=NAMES[0]).issue_cert("127.0.0.1", common_name=IDS[0]).configure_cert(untrusted)
        secure = await _served(stack, town, untrusted)
        _database(home / "gdsj.db")
        _drop(drops)
        for code, text in _manifests(town.url, secure, home / "gdsj.db", drops).items():
            (town.manifests / f"{code.lower()}.toml").write_text(text, encoding="utf-8")
        yield town


async def _served(stack: AsyncExitStack, town: HostileTown, tls: ssl.SSLContext | None) -> str:
    app = web.Application()
    for path, handler in (("/r", _rest), ("/ga", _soap), ("/sd", _graphql)):
        app.router.add_route("*", path, partial(handler, town))
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    return f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"


async def _rest(town: HostileTown, request: web.Request) -> web.StreamResponse:
    town.asked.append("rest")
    echo = f"{ALL} {request.path_qs} {request.headers.get('authorization')}"
    mode = town.mode
    if mode.startswith("body_"):
        return web.json_response(
            {"code": "0", "msg": echo}, status=int(mode[5:]), headers={"www-authenticate": SECRETS["LGB_SECRET"]}
        )
    if mode == "code":
        return web.json_response({"code": echo, "list": []})
    if mode == "no_json":
        return web.Response(text=echo)
    if mode == "types":
        return web.json_response(
            {"code": "0", "list": [echo, {"djbh": [echo], "sfzh": {"x": echo}, "xm": IDS, "jzdz": 1}]}
        )
    if mode == "twice":
        return web.Response(
            text=f'{{"code": "0", "list": [], "{IDS[0]}": 1, "{IDS[0]}": 2}}', content_type="application/json"
        )
    if mode == "elsewhere":
        raise web.HTTPFound(f"http://127.0.0.2:9/{IDS[1]}?name={NAMES[1]}&token={SECRETS['LGB_SECRET']}")
    if mode == "loop":
        raise web.HTTPFound(f"{town.url}/r?{IDS[1]}={NAMES[1]}")
    if mode == "headers":
        return web.json_response({"code": "1404"}, headers={"x-echo": IDS[0] * 1000, "set-cookie": f"id={IDS[0]}"})
    if mode == "cut":
        response = web.StreamResponse(headers={"content-length": "100000"})
        await response.prepare(request)
        await response.write(echo.encode())
        assert request.transport is not None
        request.transport.close()
        return response
    if mode == "huge":
        return web.json_response({"code": "0", "list": [{"djbh": echo * 2000}]})
    if mode == "empty":
        return web.Response()
    row = {
        "djbh": "R1",
        "sfzh": IDS[0],
        "xm": NAMES[0],
        "jzdz": ADDRESS,
        "dh": PHONE,
        "jzsy": f"{IDS[1]}{NAMES[1]}",
        "djrq": NAMES[2],
    }
    stranger = {**row, "djbh": "R2", "xm": NAMES[2]}
    return web.json_response({"code": "0", "list": [row, stranger]})


async def _soap(town: HostileTown, request: web.Request) -> web.Response:
    if request.method == "GET":
        return web.Response(
            text=simple_wsdl(f"{town.url}/ga", columns=("bh", "sfzh", "xm", "dh")), content_type="text/xml"
        )
    town.asked.append("soap")
    echo = escape(ALL + (await request.read()).decode("utf-8", "replace"))
    fault = "<s:Fault><faultcode>{}</faultcode><faultstring>{}</faultstring><detail><m>{}</m></detail></s:Fault>"
    mode = town.mode
    if mode == "no_xml":
        return web.Response(text=f"<{ALL}")
    if mode == "elsewhere":
        raise web.HTTPTemporaryRedirect(f"http://127.0.0.2:9/{IDS[1]}")
    inner = f"<QueryResponse xmlns='urn:contract'><RetCode>0</RetCode><Row><bh>1</bh><sfzh>{IDS[0]}</sfzh><xm>{NAMES[0]}</xm><dh>{PHONE}</dh></Row></QueryResponse>"
    if mode == "fault":
        inner = fault.format("s:Server", echo, echo)
    elif mode == "fault_code":
        inner = fault.format(f"{IDS[0]}.{NAMES[0]}", echo, echo)
    elif mode == "result":
        inner = f"<QueryResponse xmlns='urn:contract'><RetCode>{echo}</RetCode></QueryResponse>"
    body = f"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{inner}</s:Body></s:Envelope>"
    status = 500 if mode in ("fault", "fault_code", "http_500") else 200
    return web.Response(text=body, content_type="text/xml", charset="utf-8", status=status)


async def _graphql(town: HostileTown, request: web.Request) -> web.Response:
    town.asked.append("graphql")
    echo = f"{ALL} {await request.text()}"
    error = {"message": echo, "extensions": {"code": echo if town.mode == "code" else "X", "detail": echo}}
    if town.mode == "errors":
        return web.json_response({"errors": [error]})
    if town.mode == "path":
        return web.json_response({"data": {"person": None}, "errors": [{**error, "path": ["person", IDS[0]]}]})
    if town.mode in ("partial", "code"):
        return web.json_response({"data": {"person": {"state": echo, "rows": None}}, "errors": [error]})
    rows = [{"bh": "1", "sfzh": IDS[0], "xm": NAMES[0], "dw": NAMES[1]}]
    return web.json_response({"data": {"person": {"state": "FRESH", "rows": rows}}})


def _database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (bh TEXT, sfzh TEXT, xm TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [("1", IDS[0], NAMES[0]), ("2", IDS[0], NAMES[2])])
        connection.execute("CREATE VIEW v_good AS SELECT bh, sfzh, xm FROM t")
        # The text of this error quotes nothing by itself, its statement and parameters would.
        connection.execute("CREATE VIEW v_bad AS SELECT json_extract(xm, '$.x') AS bh, sfzh, xm FROM t")
    connection.close()


def _drop(drops: Path) -> None:
    lines = [
        b"bh,sfzh,xm,bz",
        f"1,{IDS[0]},{NAMES[0]},{PHONE}".encode(),
        f"2,{IDS[1]},{NAMES[1]},{ADDRESS},more".encode(),
        f'3,{IDS[2]},"{NAMES[2]}'.encode() + b"\0,x",
        f"4,{IDS[3]},{NAMES[2]},".encode() + b"\xff\xfe",
        f"5,{NAMES[1]}".encode(),
        b"#END,5",
    ]
    (drops / "AZ_1.csv").write_bytes(b"\r\n".join(lines) + b"\r\n")
    (drops / "AZ_2.csv").write_text(
        f"{IDS[0]},{NAMES[0]},{PHONE}\r\n{IDS[1]},{NAMES[1]},{ADDRESS}\r\n#END,1\r\n", encoding="utf-8"
    )


def _manifests(url: str, secure: str, database: Path, drops: Path) -> dict[str, str]:
    rest = 'mode = "key"\nmethod = "GET"\npath = "/r"\nquery = { sfzh = "{idNo}", xm = "{name}" }\nrows = "list"\n' + (
        'outcome = { path = "code", ok = ["0"], absent = ["1404"] }'
    )
    lgb_fields = (
        'regNo = "djbh"\naddress = { raw = "jzdz", clean = "address" }\nlandlordMasked = { raw = "xm", masked = true }\n'
        + (
            'residenceType = { raw = "jzsy", type = "code", codes = { "01" = "WORK" } }\nstartOn = { raw = "djrq", type = "date" }'
        )
    )
    soap = 'operation = "Query"\narguments = { sfzh = "{idNo}", xm = "{name}" }\nrows = "Row"\n' + (
        'outcome = { path = "RetCode", ok = ["0"], absent = ["1404"] }'
    )
    graphql = (
        'query = "query Q($i: String!, $n: String!) { person(i: $i, n: $n) { state rows { {fields} } } }"\n'
        'variables = { i = "{idNo}", n = "{name}" }\nrows = "person.rows"\nstate = "person.state"'
    )
    csv = '[source.options]\npattern = "AZ_*.csv"\nformat = "csv"\nend_marker = \'#END,(?P<count>\\d+)\'\nsettle_s = 0.02\npoll_s = 0.05'
    view = 'view = "{}"\nkey_columns = {{ idNo = "sfzh", name = "xm" }}\nmatch_on = ["idNo"]\norder_by = "bh"'
    columns = 'key_columns = { idNo = "sfzh", name = "xm" }'
    bearer = '[source.auth]\nstyle = "bearer"\ntoken = "env:{}"'
    sql = f"sqlite:///{database}"
    return {
        "LGB": _manifest("LGB", "rest", url, "residence", rest, lgb_fields, bearer.format("LGB_SECRET"), "djbh"),
        "GS": _manifest("GS", "rest", secure, "business", rest, 'name = "djbh"', "", "djbh"),
        "GA_POP": _manifest("GA_POP", "soap", url, "identity", soap, 'name = "xm"\nphone = "dh"', '[source.options]\nwsdl = "/ga?wsdl"'),
        "GDSJ": _manifest("GDSJ", "sql", sql, "correctionCase", view.format("v_good"), 'caseNo = "bh"'),
        "GDDW": _manifest("GDDW", "sql", sql, "monitoringOrder", view.format("v_bad"), 'orderNo = "bh"'),
        "AZBJ": _manifest("AZBJ", "file_drop", str(drops), "aftercare", columns, 'remark = "bz"', csv),
        "SD": _manifest("SD", "graphql", f"{url}/sd", "insurance", graphql, 'unitName = "dw"', bearer.format("SD_SECRET")),
    }  # fmt: skip


def _manifest(
    code: str, kind: str, endpoint: str, noun: str, request: str, fields: str, extra: str = "", record: str = "bh"
) -> str:
    return f"""[source]
code = "{code}"
title = {{ zh = "{code}", en = "{code}" }}
kind = "{kind}"
endpoint = '{endpoint}'
allow_plain_http = true
[source.limits]
timeout_s = 1.0
retries = 0
breaker_failures = 1000
max_response_bytes = 200000
{extra}
[catalogue]
provider = {{ zh = "{code}", en = "{code}" }}
items = {{ zh = "{noun}", en = "{noun}" }}
update_cycle = "DAILY"
share_class = "U"
[[answers]]
noun = "{noun}"
by = ["idNo", "name"]
record_id = "{record}"
subject = {{ id_no = "sfzh", name = "xm" }}
links = {{ idNo = "sfzh", name = "xm" }}
[answers.request]
{request}
[answers.fields]
{fields}
"""
