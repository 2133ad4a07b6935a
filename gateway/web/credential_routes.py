"""The URLs of keys and status lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Route

from credentials.keys import KeyRing
from gateway.services.credentials.ports import StatusLists
from gateway.web.cors import from_anywhere
from gateway.web.credential_keys import Anchors, PublicDocument, TrustAnchors, did_document, issuer_metadata
from gateway.web.status_lists import Aggregation, StatusListFile

JWT_VC_ISSUER = "/.well-known/jwt-vc-issuer"
STATUS = "/credentials/status"
STATUS_LISTS = "/credentials/status-lists"


def key_routes(issuer: str, ring: KeyRing, anchors: Sequence[tuple[str, KeyRing, Anchors]]) -> list[BaseRoute]:
    """`issuer`: its identifier, an origin with or without a path; well-known names stand before the path and, for older
    wallets, behind it."""
    path = urlsplit(issuer).path.strip("/")
    metadata = from_anywhere(PublicDocument(partial(issuer_metadata, ring, issuer), path))
    did = from_anywhere(PublicDocument(partial(did_document, ring, issuer), path))
    routes = [
        Route(JWT_VC_ISSUER, metadata, name="jwt vc issuer"),
        Route(JWT_VC_ISSUER + "/{issuer_path:path}", metadata, name="jwt vc issuer of the issuer's path"),
        Route("/.well-known/did.json", did, name="did"),
        Route("/credentials/trust-anchors", from_anywhere(TrustAnchors(issuer, anchors)), name="trust anchors"),
    ]
    if path:  # whether or not a proxy takes the path away
        routes += [
            Route(f"/{path}{JWT_VC_ISSUER}", metadata, name="jwt vc issuer"),
            Route(f"/{path}/did.json", did, name="did"),
            Route("/did.json", did, name="did"),
        ]
    return list(routes)


def status_routes(lists: StatusLists, uri_of: Callable[[str], str], ttl_s: int) -> list[BaseRoute]:
    return [
        Route(STATUS + "/{list_id}", from_anywhere(StatusListFile(lists, ttl_s)), name="status list"),
        Route(STATUS_LISTS, from_anywhere(Aggregation(lists, uri_of, ttl_s)), name="status lists"),
    ]
