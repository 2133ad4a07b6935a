"""Every URL of the gateway, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute, Route, WebSocketRoute

from gateway.caller import Authenticator
from gateway.clock import Clock
from gateway.services.execute import Execute
from gateway.web.gate import Gate
from gateway.web.graphql import GraphQLEndpoint
from gateway.web.graphql_ws import GraphQLSocket
from gateway.web.health import Check, Livez, MetricsPage, Readyz
from gateway.web.html import PageFiles
from gateway.web.metrics import PrometheusMetrics
from gateway.web.pages import QueryPageFiles, query_page
from gateway.web.protected_resource import PATH as RESOURCE_METADATA
from gateway.web.protected_resource import ProtectedResource
from gateway.web.settings import WebSettings
from gateway.web.sse import EventStream


@dataclass(frozen=True, slots=True)
class Parts:
    """What the endpoints are made of."""

    execute: Execute
    authenticate: Authenticator
    settings: WebSettings
    checks: Mapping[str, Check]
    gate: Gate
    metrics: PrometheusMetrics
    clock: Clock
    pages: Sequence[BaseRoute] = ()  # of logging in, of persons, of OAuth: whatever bootstrap puts together


def routes(parts: Parts) -> list[BaseRoute]:
    execute, authenticate, settings, gate = parts.execute, parts.authenticate, parts.settings, parts.gate
    stream = EventStream(execute, authenticate, settings, gate, parts.clock)
    page = query_page() if settings.graphiql else None
    found: list[BaseRoute] = [
        Route("/graphql", GraphQLEndpoint(execute, authenticate, settings, stream, page), name="graphql"),
        WebSocketRoute("/graphql", GraphQLSocket(execute, authenticate, settings, gate, parts.clock), name="socket"),
        Route(
            RESOURCE_METADATA,
            ProtectedResource(settings.base_url, certificates=settings.client_certificate_header is not None),
            methods=["GET"],
            name="protected resource",
        ),
        Route("/livez", Livez(), methods=["GET"], name="livez"),
        Route("/static/{file}", PageFiles(), methods=["GET"], name="page files"),
        Route("/readyz", Readyz(parts.checks, gate), methods=["GET"], name="readyz"),
    ]
    if settings.metrics:
        found.append(Route("/metrics", MetricsPage(parts.metrics), methods=["GET"], name="metrics"))
    found += parts.pages
    if settings.graphiql:
        found.append(Route("/graphiql/{file}", QueryPageFiles(), methods=["GET"], name="query page"))
    return found
