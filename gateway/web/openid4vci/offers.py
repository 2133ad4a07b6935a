"""An offer by its address: read as often as somebody likes, also by whatever looks at links before people do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.web.oauth import wrong_method
from gateway.web.oauth_problems import answer, problem, problem_of
from gateway.web.problems import Reply

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{43}")
_QUIET = ((b"referrer-policy", b"no-referrer"), (b"x-robots-tag", b"noindex"))


class ReadOffer(Protocol):
    async def __call__(self, reference: str, *, opened: bool) -> Mapping[str, Any] | None:
        """The offer behind a reference; None where there is none that can still be taken."""
        ...


class OfferEndpoint:
    """404 whether it never was, is used or past: who holds the link finds out at the token endpoint, others nothing."""

    def __init__(self, read: ReadOffer) -> None:
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(scope))(scope, receive, send)

    async def _reply(self, scope: Scope) -> Reply:
        if scope["method"] not in ("GET", "HEAD"):
            return wrong_method("GET, HEAD")
        reference = scope["path_params"]["reference"]
        if not _REFERENCE.fullmatch(reference):
            return problem("invalid_request", "vci_offer", 404)
        try:
            found = await self._read(reference, opened=scope["method"] == "GET")
        except GatewayError as caught:
            return problem_of(caught)
        if found is None:
            return problem("invalid_request", "vci_offer", 404)
        reply = answer(200, found, headers=_QUIET)
        if scope["method"] == "HEAD":
            reply.body = b""
        return reply
