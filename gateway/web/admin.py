"""Every URL under /admin, and the demo's inbox page: identities come in here, and persons are enrolled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.caller import Authenticator
from gateway.services.enrol_person import Enrolment, EnrolPerson
from gateway.services.identity_faults import worded
from gateway.services.identity_plan import Plan
from gateway.services.identity_rows import from_json
from gateway.services.import_by_caller import ImportByCaller
from gateway.services.message_inbox import Inbox
from gateway.web.body import read_json
from gateway.web.inbox import InboxPage
from gateway.web.problems import JSON, Refusal, Reply, error, status_of
from gateway.web.settings import WebSettings
from gateway.web.token_door import next_nonce, single, token_door

IMPORT = "/admin/identities/import"
ENROL = "/admin/persons/enrol"
_IMPORT_BYTES = 16 << 20
_DEPTH = 8
_OPTIONS = frozenset({"dry_run", "full"})
_ENROLMENT = {"idNo": "id_no", "name": "name", "phone": "phone"}  # as the body names them, as the service does


@dataclass(frozen=True, slots=True)
class AdminParts:
    """What these endpoints are made of. `inbox` is None outside the demo: then its page is not there."""

    authenticate: Authenticator
    settings: WebSettings
    import_identities: ImportByCaller
    enrol_person: EnrolPerson
    inbox: Inbox | None = None


def admin_routes(parts: AdminParts) -> list[BaseRoute]:
    found: list[BaseRoute] = [
        Route(IMPORT, ImportEndpoint(parts), methods=["POST"], name="import identities"),
        Route(ENROL, EnrolEndpoint(parts), methods=["POST"], name="enrol person"),
    ]
    if parts.inbox is not None:
        found.append(Route("/demo/inbox", InboxPage(parts.inbox), methods=["GET"], name="demo inbox"))
    return found


class _Endpoint:
    """A JSON POST by an authenticated caller; who asks is settled before a byte of the body is read."""

    def __init__(self, parts: AdminParts) -> None:
        settings = parts.settings
        self._parts = parts
        self._admit = token_door(parts.authenticate, settings.base_url, settings.client_certificate_header)

    async def _object(self, receive: Receive, headers: Mapping[bytes, bytes], *, limit: int) -> dict[str, Any]:
        value = await read_json(receive, headers, limit=limit, depth=_DEPTH, seconds=self._parts.settings.body_s)
        if not isinstance(value, dict):
            raise Refusal("NOT_AN_OBJECT")
        return value


class ImportEndpoint(_Endpoint):
    """POST {"organisations": [...], "posts": [...], "officers": [...], "devices": [...], "dry_run": true, "full": false}."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = single(scope)
        caller = await self._admit(scope)
        await self._parts.import_identities.may(caller)
        said = await self._object(receive, headers, limit=_IMPORT_BYTES)
        options = {name: said.pop(name, False) for name in _OPTIONS}
        if not all(isinstance(value, bool) for value in options.values()):
            raise Refusal("BAD_VALUE")
        plan = await self._parts.import_identities(caller, from_json(said), **options)
        code = "IDENTITIES_FAULTY" if plan.faults else ""
        body = orjson.dumps(_told(plan, dry_run=options["dry_run"]) | ({"errors": [error(code)]} if code else {}))
        await Reply(status_of(code) if code else 200, body, JSON, next_nonce(caller))(scope, receive, send)


class EnrolEndpoint(_Endpoint):
    """POST {"idNo": ..., "name": ..., "phone": ..., "caseNo": ...}; the answer names nobody but by `pid`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = single(scope)
        caller = await self._admit(scope)
        said = await self._object(receive, headers, limit=self._parts.settings.body_bytes)
        if said.keys() - {*_ENROLMENT, "caseNo"} or not all(isinstance(value, str) for value in said.values()):
            raise Refusal("BAD_VALUE")
        if not all(name in said for name in _ENROLMENT):
            raise Refusal("BAD_VALUE")
        names = _ENROLMENT | {"caseNo": "case_no"}
        done = await self._parts.enrol_person(caller, Enrolment(**{names[name]: text for name, text in said.items()}))
        body = orjson.dumps({"pid": done.pid, "notified": done.notified})
        await Reply(200, body, JSON, next_nonce(caller))(scope, receive, send)


def _told(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "applied": not (dry_run or plan.faults),
        "changes": [{"kind": one.kind, "object": one.object_id, "changed": list(one.changed)} for one in plan.changes],
        "revoked": len(plan.revoked),
        "faults": [
            {"kind": one.file, "index": one.line, "name": one.name, "code": one.code, "message": worded(one)}
            for one in plan.faults
        ],
    }
