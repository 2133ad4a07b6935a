"""The web floor as one application."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.caller import Authenticator
from gateway.clock import Clock, SystemClock
from gateway.services.execute import Execute
from gateway.web.gate import Gate
from gateway.web.health import Check
from gateway.web.html import page
from gateway.web.metrics import PrometheusMetrics
from gateway.web.middleware import Front
from gateway.web.problems import Reply, problem, text
from gateway.web.routes import Parts, routes
from gateway.web.settings import WebSettings

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def build_app(
    *,
    execute: Execute,
    authenticate: Authenticator,
    settings: WebSettings | None = None,
    checks: Mapping[str, Check] | None = None,
    metrics: PrometheusMetrics | None = None,
    clock: Clock | None = None,
    lifespan: Lifespan | None = None,
    pages: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application. `checks` are what /readyz asks; `app.state.gate` and `app.state.settings` are for `serve`."""
    settings = settings or WebSettings()
    metrics = metrics or PrometheusMetrics()
    gate = Gate(in_flight=settings.in_flight, streams=settings.streams)
    metrics.watch(gate)
    parts = Parts(execute, authenticate, settings, checks or {}, gate, metrics, clock or SystemClock(), pages)
    found = routes(parts)
    app = _Application(
        routes=found,
        middleware=[_cors(settings.cors_origins)] if settings.cors_origins else [],
        exception_handlers={HTTPException: _http_problem},
        lifespan=lifespan,
    )
    # A redirect to the path with a slash would repeat the query string, and with it whatever stood there.
    app.router.redirect_slashes = False
    app.front = Front(
        app.behind,
        settings=settings,
        gate=gate,
        metrics=metrics,
        # The router and its layers add nothing to this one but what they cost; where CORS has a say, it has to be asked.
        direct={} if settings.cors_origins else {one.path: one.app for one in found[:1] if isinstance(one, Route)},
    )
    app.state.gate = gate
    app.state.settings = settings
    app.state.metrics = metrics
    return app


class _Application(Starlette):
    """Starlette's, entered by our own front and not by its layers."""

    front: Front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.front(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Without Starlette's own answer to errors: the front has words for every one, and none must be answered before."""
        app: ASGIApp = ExceptionMiddleware(self.router, handlers=dict(self.exception_handlers))
        for layer, arguments, named in reversed(self.user_middleware):
            app = layer(app, *arguments, **named)
        return app

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)


def _cors(origins: tuple[str, ...]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "graphql-require-preflight", "dpop"],
        expose_headers=["x-request-id", "retry-after", "dpop-nonce", "www-authenticate"],
        max_age=600,
    )


def _http_problem(request: Request, caught: Exception) -> Any:
    """Starlette's own refusals (no such route, no such method) in our words; as a page to whoever looks with a browser."""
    status = caught.status_code if isinstance(caught, HTTPException) else 500
    if status == 404 and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return _nothing_here(request.url.path)
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(status, "INTERNAL")
    given = (caught.headers if isinstance(caught, HTTPException) else None) or {}
    headers = [
        (b"allow", ", ".join(sorted(value.split(", "))).encode())
        for name, value in given.items()
        if name.lower() == "allow"
    ]
    reply: Reply = problem(code, headers=headers, request_id=request.scope["yimen.request_id"])
    return reply


def _nothing_here(path: str) -> Reply:
    """Onwards to where this reader most likely belongs: a person to their pages, anybody else to the login."""
    person = path.startswith("/me")
    onwards, where_zh, where_en = ("/me", "我的页面", "My pages") if person else ("/login", "登录", "Log in")
    return page(
        "nothing_here.html",
        status=404,
        onwards=onwards,
        where_zh=where_zh,
        where_en=where_en,
        notice=text("NOT_FOUND"),
    )
