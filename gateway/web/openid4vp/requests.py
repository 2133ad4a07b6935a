"""`POST /openid4vp/requests`: a partner asks for something to be shown, and gets the ways to a wallet."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from gateway.services.presenting.create_request import Created, CreateRequest, Wish
from gateway.web.body import read_json
from gateway.web.openid4vp.qr import qr_svg
from gateway.web.problems import JSON, Refusal, Reply
from gateway.web.token_door import Admit, next_nonce

_TEXTS = {"template", "reference", "profile", "client_id_prefix", "return_to", "consent_request"}
_FLAGS = {"same_device", "encrypted"}
_LARGEST, _DEPTH = 8_192, 2


class CreateRequestEndpoint:
    """201 with the request's id, its links and their QR codes."""

    def __init__(self, create: CreateRequest, admit: Admit) -> None:
        self._create, self._admit = create, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        wish = _read(await read_json(receive, dict(scope["headers"]), limit=_LARGEST, depth=_DEPTH))
        created = await self._create.for_partner(caller, wish)
        headers = [(b"cache-control", b"no-store"), *next_nonce(caller)]
        await Reply(201, orjson.dumps(_said(created)), JSON, headers)(scope, receive, send)


def _read(value: Any) -> Wish:
    """Raises Refusal PRESENTATION_INVALID for another shape; contents are the service's matter."""
    if not isinstance(value, dict) or value.keys() - _TEXTS - _FLAGS or not value.keys() >= {"template", "reference"}:
        raise Refusal("PRESENTATION_INVALID")
    if not all(isinstance(value[name], str) for name in _TEXTS & value.keys()):
        raise Refusal("PRESENTATION_INVALID")
    if not all(isinstance(value[name], bool) for name in _FLAGS & value.keys()):
        raise Refusal("PRESENTATION_INVALID")
    given = dict(value)
    if "client_id_prefix" in given:
        given["prefix"] = given.pop("client_id_prefix")
    return Wish(**given)


def _said(created: Created) -> dict[str, Any]:
    """`qr` has no HAIP link: a camera opens the page, and whatever wallet is there the other."""
    made = created.presentation
    return {
        "id": made.presentation_id,
        "request_uri": created.request_uri,
        "links": dict(created.links),
        "qr": {name: qr_svg(created.links[name]) for name in ("wallet", "openid4vp")},
        "expires_at": made.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
