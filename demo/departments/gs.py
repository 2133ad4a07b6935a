"""市监: REST, many people a request, bearer token behind a client certificate.

It looks by ID and, for old registrations that hold no ID, by name: those records may be anybody's of that name.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.doors import Denied, bearer
from demo.people import BusinessFact, Person

PROFILE = Profile(code="GS", zh="佛山市市场监管局", latency_s=0.2, rps=30.0, tls="mutual")
MAX_BATCH: Final = 100
MAX_BODY: Final = 64 * 1024
ROLES: Final = {"LEGAL_REPRESENTATIVE": "01", "SHAREHOLDER": "02", "EXECUTIVE": "03", "OPERATOR": "04"}
STATES: Final = {"OPERATING": "1", "REVOKED": "2", "DEREGISTERED": "3"}


def build(department: Department, options: Options) -> Starlette:
    token = options.secret("gs_token")

    async def query(request: Request) -> Response:
        try:
            bearer(request, token)
            asked = _asked(await request.body())
            if asked is None:
                return _said(40000, "参数错误", 400)
            await department.enter("enterprise/by-person", key=" ".join(sorted(id_no for id_no, _ in asked)))
        except Denied:
            return _said(40101, "令牌无效", 401)
        except Refusal as refusal:
            return _refused(refusal)
        if department.faults.garbage:
            return Response('{"code": 200, "data": {"total": 1, "list": NaN}}', media_type="application/json")
        rows = [row for id_no, name in asked for row in _rows(department, id_no, name)]
        shown = rows[: len(rows) // 2] if department.faults.half_page else rows
        return _said(200, "success", data={"total": len(rows), "list": shown})

    return Starlette(routes=[Route("/api/v1/enterprise/by-person", query, methods=["POST"])])


def _asked(body: bytes) -> list[tuple[str, str]] | None:
    """ID and name of everybody asked about; None for anything but 1 to 100 such pairs."""
    try:
        asked = json.loads(body)["cxlb"] if len(body) <= MAX_BODY else []
        pairs = [(one["sfzh"], one["xm"]) for one in asked]
    except (ValueError, KeyError, TypeError):
        return None
    texts = all(isinstance(part, str) and part for pair in pairs for part in pair)
    return pairs if texts and 0 < len(pairs) <= MAX_BATCH else None


def _rows(department: Department, id_no: str, name: str) -> list[dict[str, Any]]:
    echo = {"cxsfzh": id_no, "cxxm": name}
    person = department.people.by_id(id_no)
    with_id = [(person, fact) for fact in person.businesses if not fact.without_id] if person is not None else []
    homonyms = [
        (other, fact) for other in department.people.by_name(name) for fact in other.businesses if fact.without_id
    ]
    return [echo | _row(department, *found) for found in (*with_id, *homonyms)]


def _row(department: Department, person: Person, fact: BusinessFact) -> dict[str, Any]:
    number = hashlib.sha256(f"{fact.uscc}{fact.role}{person.key}".encode()).hexdigest()[:12]
    updated = department.now() - timedelta(hours=1, days=department.faults.stale)
    return {
        "jlbh": f"GS{number}",
        "xm": person.name_at("GS"),
        "sfzh": None if fact.without_id else person.id_no,
        "tyshxydm": fact.uscc,
        "qymc": fact.name,
        "rylx": ROLES[fact.role],
        "djzt": STATES[fact.status],
        "clrq": f"{fact.est_on:%Y-%m-%d}",
        "cgbl": None if fact.share is None else round(fact.share * 100, 2),
        "jyyc": "1" if fact.abnormal else "0",
        "gxsj": f"{updated:%Y-%m-%dT%H:%M:%S%z}",
    }


def _refused(refusal: Refusal) -> Response:
    if refusal.kind == "down":
        return Response("upstream connect error", 503)
    if refusal.kind == "closed":
        opens = refusal.opens_at.isoformat() if refusal.opens_at else None
        return _said(50300, "service closed", 503, data={"openAt": opens})
    return _said(
        42900, "too many requests", 429, headers={"retry-after": str(max(1, round(refusal.retry_after_s or 1)))}
    )


def _said(
    code: int, message: str, status: int = 200, *, data: Any = None, headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse({"code": code, "message": message, "data": data}, status, headers)
