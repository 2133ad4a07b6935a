"""法律援助: the register of the legal aid centre, the demo's second application; REST, bearer token.

It joined by files alone: demo/manifests/fa.toml.in (schema), policy/fa.toml (purpose), policies/fa.cedar (rules).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.doors import Denied, bearer
from demo.people import CaseFact, Person

PROFILE = Profile(code="FA", zh="禅城区法律援助处", latency_s=0.15, rps=30.0)
LAWYERS = ("苏文", "邓理", "黎明")


def build(department: Department, options: Options) -> Starlette:
    token = options.secret("fa_token")

    async def query(request: Request) -> Response:
        id_no = request.query_params.get("sfzh", "")
        try:
            bearer(request, token)
            await department.enter("aid", key=id_no)
        except Denied:
            return JSONResponse({"error": "token"}, 401)
        except Refusal as refusal:
            return JSONResponse({"error": refusal.kind}, 429 if refusal.kind == "too_many" else 503)
        if department.faults.garbage:
            return Response("{", media_type="application/json")
        person = department.people.by_id(id_no)
        rows = [_row(person, case) for case in person.cases if aided(person, case)] if person is not None else []
        shown = rows[: len(rows) // 2] if department.faults.half_page else rows
        return JSONResponse({"total": len(rows), "items": shown})

    return Starlette(routes=[Route("/aid/cases", query)])


def aided(person: Person, case: CaseFact) -> bool:
    """A third of those with a case, and the cast's first; the neighbour's copy of a case is no second one."""
    return "GDSJ" in case.held_by and (person.key == "zhang-san-017" or _number(person) % 3 == 0)


def _row(person: Person, case: CaseFact) -> dict[str, Any]:
    number = _number(person)
    return {
        "aidNo": f"禅法援〔{case.effective_on.year}〕{number % 9000 + 1000}号",
        "name": person.name,
        "sfzh": person.id_no,
        "kind": "刑事辩护" if number % 2 else "认罪认罚法律帮助",
        "state": "CLOSED" if case.state == "AFTERCARE" else "OPEN",
        "lawyer": LAWYERS[number % len(LAWYERS)],
        "acceptedOn": f"{case.effective_on - timedelta(days=62):%Y-%m-%d}",
        "ajbh": case.case_no,
    }


def _number(person: Person) -> int:
    return int(hashlib.sha256(person.key.encode()).hexdigest()[:8], 16)
