"""流管办: REST with TIF headers, one person a request. Loaded nightly; permits lapse unless endorsed every year."""

from __future__ import annotations

import hashlib
from datetime import datetime, time, timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.doors import Denied, Door
from demo.edits import Edit
from demo.people import Person, ResidenceFact

PROFILE = Profile(code="LGB", zh="禅城区流管办", latency_s=0.4, rps=20.0)
WINDOW_S: Final = 300.0
REASONS: Final = {"WORK": "01", "BUSINESS": "02", "STUDY": "03", "OTHER": "99"}


def build(department: Department, options: Options) -> Starlette:
    door, token = Door(WINDOW_S), options.secret("lgb_token")

    async def query(request: Request) -> Response:
        try:
            door.tif(request, department.now(), paasid="yimen", token=token)
            id_no = request.query_params.get("sfzh", "")
            await department.enter("residence/query", key=id_no)
        except Denied as denied:
            return (
                _said("E4011", "时间戳超出允许范围", 401) if denied.kind == "clock" else _said("E4010", "验签失败", 401)
            )
        except Refusal as refusal:
            return _refused(refusal)
        if department.faults.garbage:
            return HTMLResponse("<html><body>系统维护中</body></html>")
        person = department.people.by_id(id_no)
        edit = department.edits.get(id_no, Edit())
        held = [edit.of(fact) for fact in person.residences if fact.by_lgb] if person is not None else []
        if person is None or not held:
            return _said("1404", "查无登记")
        rows = [_row(department, person, fact) for fact in held]
        shown = rows[: len(rows) // 2] if department.faults.half_page else rows
        return JSONResponse({"code": "0", "msg": "成功", "data": {"total": len(rows), "list": shown}})

    return Starlette(routes=[Route("/api/residence/query", query)])


def _row(department: Department, person: Person, fact: ResidenceFact) -> dict[str, Any]:
    now = department.now()
    return {
        "djbh": fact.reg_no,
        "xm": person.name_at("LGB"),
        "sfzh": person.id_no,
        "xzqh": fact.admin[:6],
        "sqdm": fact.admin,
        "jzdz": fact.address,
        "dzbm": fact.admin + hashlib.sha256(fact.address.encode()).hexdigest()[:8].upper(),
        "jzsy": REASONS[fact.residence_type],
        "djrq": f"{fact.registered_on:%Y-%m-%d}",
        "zxrq": f"{fact.left_on:%Y-%m-%d}" if fact.left_on else None,
        "czrxm": fact.landlord,
        "jzzh": fact.permit_no,
        "jzzyxq": f"{fact.permit_valid_to:%Y-%m-%d}" if fact.permit_valid_to else None,
        "zt": _state(fact, now),
        "gxsj": f"{_loaded(now) - timedelta(days=department.faults.stale):%Y-%m-%d %H:%M:%S}",
    }


def _state(fact: ResidenceFact, now: datetime) -> str:
    """1 lives there, 2 has left, 3 permit not endorsed in time."""
    if fact.left_on is not None and fact.left_on <= now.date():
        return "2"
    return "3" if fact.permit_valid_to is not None and fact.permit_valid_to < now.date() else "1"


def _loaded(now: datetime) -> datetime:
    """The last nightly load, at 02:00; what the counters took in since then is not in it."""
    today = datetime.combine(now.date(), time(2), now.tzinfo)
    return today if today <= now else today - timedelta(days=1)


def _refused(refusal: Refusal) -> Response:
    if refusal.kind == "down":
        return Response("Service Unavailable", 503)
    if refusal.kind == "closed":
        opens = f"{refusal.opens_at:%Y-%m-%dT%H:%M:%S%z}" if refusal.opens_at else None
        return _said("E2300", "服务时间外", data={"openAt": opens})
    wait = str(max(1, round(refusal.retry_after_s or 1)))
    return _said("E4290", "访问过于频繁", 429, headers={"retry-after": wait})


def _said(
    code: str, message: str, status: int = 200, *, data: Any = None, headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse({"code": code, "msg": message, "data": data}, status, headers)
