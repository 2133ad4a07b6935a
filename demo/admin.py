"""What a visitor may do to a department from outside: look at its health and counters, switch its faults."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.department import Department, Faults, Refusal
from demo.edits import Edit


def with_admin(app: Starlette, department: Department) -> Starlette:
    """Put the admin routes before the department's own, and a plain wording for a Refusal it did not word itself.

    GET /_health · GET, PUT, DELETE /_fault (PUT names the faults to change; the others stay) ·
    GET, PUT, DELETE /_facts (PUT {"id_no", "left_on", "address"}: what the floating-population office has changes) ·
    GET, DELETE /_counters ({operation: calls}; `?keys=1`: {operation: times the most asked key was asked}).
    """

    async def health(request: Request) -> Response:
        return JSONResponse({"code": department.code, "now": department.now().isoformat()})

    async def fault(request: Request) -> Response:
        if request.method == "DELETE":
            department.set_faults(Faults())
        elif request.method == "PUT":
            try:
                wanted = json.loads(await request.body())
                if not isinstance(wanted, dict):
                    raise ValueError("the body must be a JSON object")
                department.set_faults(department.faults.changed(wanted))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(department.faults.spoken())

    async def facts(request: Request) -> Response:
        if request.method == "DELETE":
            department.edits.clear()
        elif request.method == "PUT":
            try:
                wanted = json.loads(await request.body())
                if not isinstance(wanted, dict):
                    raise ValueError("the body must be a JSON object")
                id_no, edit = Edit.read(wanted)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
            if department.people.by_id(id_no) is None:
                return JSONResponse({"error": "查无此人 / nobody of this ID number"}, 404)
            department.edits[id_no] = edit
        return JSONResponse({"edited": len(department.edits)})

    async def counters(request: Request) -> Response:
        if request.method == "DELETE":
            department.counters.clear()
        asked = department.counters.most_asked() if request.query_params.get("keys") else department.counters.calls()
        return JSONResponse(asked)

    app.router.routes[:0] = [
        Route("/_health", health),
        Route("/_fault", fault, methods=["GET", "PUT", "DELETE"]),
        Route("/_facts", facts, methods=["GET", "PUT", "DELETE"]),
        Route("/_counters", counters, methods=["GET", "DELETE"]),
    ]
    if Refusal not in app.exception_handlers:
        app.add_exception_handler(Refusal, _plain_refusal)
    return app


async def _plain_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    headers = {} if error.retry_after_s is None else {"retry-after": str(max(1, round(error.retry_after_s)))}
    return PlainTextResponse(error.kind, 429 if error.kind == "too_many" else 503, headers)
