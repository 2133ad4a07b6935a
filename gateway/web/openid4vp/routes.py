"""Every URL of showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute, Route

from gateway.services.presenting.create_request import CreateRequest
from gateway.services.presenting.results import Results
from gateway.services.presenting.serve_request import ServeRequest
from gateway.services.presenting.take_answer import TakeAnswer
from gateway.web.cors import from_anywhere
from gateway.web.openid4vp.requests import CreateRequestEndpoint
from gateway.web.openid4vp.results import ResultEndpoint
from gateway.web.openid4vp.wallet_side import RequestObjectEndpoint, ResponseEndpoint
from gateway.web.token_door import Admit


@dataclass(frozen=True, slots=True)
class PresentingParts:
    create: CreateRequest
    serve: ServeRequest
    take: TakeAnswer
    results: Results


def presenting_routes(parts: PresentingParts, admit: Admit) -> Sequence[BaseRoute]:
    """`admit`: for the tokens of partners. What wallets call takes none."""
    asked = from_anywhere(RequestObjectEndpoint(parts.serve), ("GET", "POST"))
    answered = from_anywhere(ResponseEndpoint(parts.take), ("POST",))
    created, results = CreateRequestEndpoint(parts.create, admit), ResultEndpoint(parts.results, admit)
    return [
        Route("/openid4vp/requests", created, methods=["POST"], name="create presentation"),
        Route("/openid4vp/requests/{ref}", asked, name="presentation request"),
        Route("/openid4vp/responses/{ref}", answered, name="presentation response"),
        Route("/openid4vp/results/{id}", results, methods=["GET", "POST"], name="presentation result"),
    ]
