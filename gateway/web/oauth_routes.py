"""The URLs of the authorization server, less /oauth/authorize, which is a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Route

from gateway.oauth.metadata import WELL_KNOWN
from gateway.oauth.server import Server
from gateway.services.register_client import RegisterClient
from gateway.web.cors import from_anywhere
from gateway.web.oauth import Document, FormEndpoint
from gateway.web.oauth_register import Register, Registration

_METADATA_S = 3_600
_JWKS_S = 600  # a key is published longer than this before it signs


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the authorization server's endpoints are made of."""

    server: Server
    register: RegisterClient
    metadata: Mapping[str, Any]
    jwks: Callable[[], Awaitable[Mapping[str, Any]]]
    trusted_proxies: tuple[str, ...] = ()


def oauth_routes(parts: Endpoints) -> list[BaseRoute]:
    server = parts.server

    async def metadata() -> Mapping[str, Any]:
        return parts.metadata

    issuer_path = urlsplit(server.kit.terms.issuer).path.strip("/")
    document = Document(metadata, _METADATA_S, issuer_path)
    token = FormEndpoint("/oauth/token", server.token, parts.trusted_proxies)
    routes: list[BaseRoute] = [
        Route(WELL_KNOWN, document, name="authorization server metadata"),
        Route(WELL_KNOWN + "/{issuer_path:path}", document, name="authorization server metadata of the issuer's path"),
        Route("/oauth/jwks", Document(parts.jwks, _JWKS_S), name="jwks"),
        # A wallet in a browser comes from any origin, and brings its DPoP proof in a header.
        Route("/oauth/token", from_anywhere(token, ("POST",)), name="token"),
        Route("/oauth/par", FormEndpoint("/oauth/par", server.push), name="par"),
        Route("/oauth/introspect", FormEndpoint("/oauth/introspect", server.introspect), name="introspect"),
        Route("/oauth/revoke", FormEndpoint("/oauth/revoke", server.revoke), name="revoke"),
        Route("/oauth/register", Register(parts.register), name="register"),
        Route("/oauth/register/{client_id}", Registration(parts.register), name="registration"),
    ]
    if issuer_path:  # older wallets append where the standard inserts
        routes.append(Route(f"/{issuer_path}{WELL_KNOWN}", document, name="authorization server metadata, appended"))
    return routes
