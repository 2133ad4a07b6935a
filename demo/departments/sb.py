"""社保: REST with appkey and HMAC, several pages a person, closed at night, one or two months behind.

It finds a person by ID and gives back the name as its old system could write it ("李?"), so the reader must compare.
Who changed the unit in a month stands there twice, once for each.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.doors import Denied, Door
from demo.people import InsuranceFact, Person

PROFILE = Profile(code="SB", zh="佛山市社保", latency_s=0.8, rps=10.0, hours=("05:00", "23:00"))
WINDOW_S: Final = 600.0
MAX_PAGE: Final = 50
KINDS: Final = {"PENSION": "110", "UNEMPLOYMENT": "210", "MEDICAL": "310", "WORK_INJURY": "410", "MATERNITY": "510"}
STATES: Final = {"ACTIVE": "1", "SUSPENDED": "2", "ENDED": "3"}


def build(department: Department, options: Options) -> Starlette:
    door, secret = Door(WINDOW_S), options.secret("sb_secret")

    async def query(request: Request) -> Response:
        asked = request.query_params
        id_no, page, size = asked.get("aac002", ""), _number(asked.get("pageNo")), _number(asked.get("pageSize"))
        try:
            door.appkey(request, await request.body(), department.now(), appkey="yimen", secret=secret)
            if not id_no or not asked.get("aac003") or not page or not 0 < size <= MAX_PAGE:
                return _said("E4000", "参数错误", 400)
            await department.enter("insured/query", key=f"{id_no} {page}")
        except Denied as denied:
            return _said(*_DENIED[denied.kind], 401)
        except Refusal as refusal:
            return _refused(refusal)
        if department.faults.garbage:
            return Response('{"resultCode":"0000","data":{"total":3,"list":[{"aac002":"', media_type="application/json")
        person = department.people.by_id(id_no)
        if person is None or not person.insurance:
            return _said("0404", "无参保记录")
        rows = [_row(department, person, number, fact) for number, fact in enumerate(person.insurance, 1)]
        shown = rows[(page - 1) * size : page * size]
        if department.faults.half_page:
            shown = shown[: len(shown) // 2]
        return _said("0000", "成功", data={"total": len(rows), "pageNo": page, "list": shown})

    return Starlette(routes=[Route("/sb/v2/insured", query)])


_DENIED: Final = {
    "signature": ("E4010", "签名错误"),
    "clock": ("E4011", "时间戳过期"),
    "replay": ("E4012", "重复请求"),
}


def _row(department: Department, person: Person, number: int, fact: InsuranceFact) -> dict[str, Any]:
    return {
        "bae007": f"{person.key}-{number}",
        "aac002": person.id_no,
        "aac003": person.name_at("SB"),
        "aae140": KINDS[fact.kind],
        "aac031": STATES[fact.status],
        "aae041": f"{fact.first_paid_on:%Y%m}01",
        "aae042": fact.last_month.replace("-", ""),
        "aab001": fact.unit_uscc,
        "aab004": fact.unit_name,
        "ljys24": fact.months_paid_24,
        "aae036": f"{_loaded(department.now()) - timedelta(days=department.faults.stale):%Y-%m-%d %H:%M:%S}",
    }


def _loaded(now: datetime) -> datetime:
    """When its tables were last closed: 23:00 of an evening."""
    today = datetime.combine(now.date(), time(23), now.tzinfo)
    return today if today <= now else today - timedelta(days=1)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0


def _refused(refusal: Refusal) -> Response:
    if refusal.kind == "down":
        return Response("Bad Gateway", 502)
    if refusal.kind == "closed":
        opens = f"{refusal.opens_at:%Y-%m-%dT%H:%M:%S}" if refusal.opens_at else None
        return _said("E2300", "服务时间 05:00-23:00", data={"openAt": opens})
    wait = str(max(1, round(refusal.retry_after_s or 1)))
    return _said("E4290", "请求过于频繁", 429, headers={"retry-after": wait})


def _said(
    code: str, message: str, status: int = 200, *, data: Any = None, headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse({"resultCode": code, "resultMsg": message, "data": data}, status, headers)
