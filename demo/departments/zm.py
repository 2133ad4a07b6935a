"""表现证明: the agency's own service that words how somebody has kept their duties; REST, one person a request.

Yes-or-no statements over six months, never a number. None for who was a minor at the offence (domain rule 8.4).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.doors import Denied, bearer
from demo.people import CaseFact, Person

PROFILE = Profile(code="ZM", zh="禅城区社区矫正表现证明", latency_s=0.1, rps=30.0)
VALID_DAYS = 90


def build(department: Department, options: Options) -> Starlette:
    token = options.secret("zm_token")

    async def query(request: Request) -> Response:
        id_no = request.query_params.get("sfzh", "")
        try:
            bearer(request, token)
            await department.enter("statement", key=id_no)
        except Denied:
            return JSONResponse({"code": "E4010"}, 401)
        except Refusal as refusal:
            status, code = {"down": (503, "E5000"), "closed": (503, "E2300")}.get(refusal.kind, (429, "E4290"))
            return JSONResponse({"code": code}, status)
        if department.faults.garbage:
            return Response("<html>", media_type="text/html")
        person = department.people.by_id(id_no)
        case = None if person is None else _statable(person)
        if person is None or case is None:
            return JSONResponse({"code": "1404"})
        today = department.now().date() - timedelta(days=department.faults.stale)
        return JSONResponse({"code": "0", "data": _statement(person, case, today)})

    return Starlette(routes=[Route("/api/statement", query)])


def _statable(person: Person) -> CaseFact | None:
    """The case a statement can be made about: supervised here now, an adult at the offence."""
    for case in person.cases:
        if "GDSJ" in case.held_by and not case.minor_at_offence and case.state not in ("AFTERCARE", "TRANSFERRING"):
            return case
    return None


def _statement(person: Person, case: CaseFact, today: date) -> dict[str, Any]:
    issued = today.replace(day=1)
    first = (issued - timedelta(days=170)).replace(day=1)
    return {
        "zmbh": f"ZM{issued:%Y%m}{case.dxbh[-6:]}",
        "xm": person.name,
        "sfzh": person.id_no,
        "asbd": "1" if case.state != "OUT_OF_CONTACT" else "0",
        "wjg": "0" if case.level == "STRICT" else "1",
        "afax": "1" if case.state == "SUPERVISED" and case.level != "STRICT" else "0",
        "wcpx": "1" if case.level in ("LENIENT", "ORDINARY") else "0",
        "qj": f"{first:%Y-%m}..{issued - timedelta(days=1):%Y-%m}",
        "qfrq": f"{issued:%Y-%m-%d}",
        "yxqz": f"{issued + timedelta(days=VALID_DAYS):%Y-%m-%d}",
    }
