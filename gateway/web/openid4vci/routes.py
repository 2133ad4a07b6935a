"""The URLs of the credential issuer; wallets in browsers of any origin may call them, for no cookie counts here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Route

from credentials.openid4vci.encryption import RequestKey
from credentials.openid4vci.metadata import WELL_KNOWN
from credentials.openid4vci.refused import INVALID_TRANSACTION
from gateway.services.credentials.ports import HolderGrant
from gateway.web.cors import from_anywhere
from gateway.web.openid4vci.door import HolderDoor
from gateway.web.openid4vci.endpoints import Ask, HolderEndpoint, NonceEndpoint, NotificationEndpoint
from gateway.web.openid4vci.metadata import MetadataEndpoint
from gateway.web.openid4vci.offers import OfferEndpoint, ReadOffer

_POST, _GET = ("POST",), ("GET",)


@dataclass(frozen=True, slots=True)
class IssuerParts:
    """What the endpoints stand on."""

    issuer: str
    door: HolderDoor
    key: RequestKey
    nonce: Callable[[], str]
    dpop_nonce: Callable[[], str | None]
    credential: Ask
    deferred: Ask
    notify: Callable[[HolderGrant, Any], Awaitable[None]]
    offer: ReadOffer
    metadata: Callable[[], Mapping[str, Any]]
    signed: Callable[[Mapping[str, Any]], Awaitable[str]]
    encryption_required: bool = False


def issuer_routes(parts: IssuerParts) -> list[BaseRoute]:
    """Both ways of writing the well-known address: inserted, as the standard says, and appended, as older wallets do."""
    issuer_path = urlsplit(parts.issuer).path.strip("/")
    document = from_anywhere(MetadataEndpoint(parts.metadata, parts.signed, issuer_path), _GET)
    credential = HolderEndpoint(
        "/openid4vci/credential", parts.door, parts.key, parts.credential, encryption_required=parts.encryption_required
    )
    deferred = HolderEndpoint(
        "/openid4vci/deferred",
        parts.door,
        parts.key,
        parts.deferred,
        encryption_required=parts.encryption_required,
        malformed=INVALID_TRANSACTION,
    )
    notification = NotificationEndpoint("/openid4vci/notification", parts.door, parts.notify)
    routes: list[BaseRoute] = [
        Route(WELL_KNOWN, document, name="credential issuer metadata"),
        Route(WELL_KNOWN + "/{issuer_path:path}", document, name="credential issuer metadata of the issuer's path"),
        Route("/openid4vci/nonce", from_anywhere(NonceEndpoint(parts.nonce, parts.dpop_nonce), _POST), name="c_nonce"),
        Route("/openid4vci/credential", from_anywhere(credential, _POST), name="credential"),
        Route("/openid4vci/deferred", from_anywhere(deferred, _POST), name="deferred credential"),
        Route("/openid4vci/notification", from_anywhere(notification, _POST), name="credential notification"),
        Route(
            "/openid4vci/offers/{reference}", from_anywhere(OfferEndpoint(parts.offer), _GET), name="credential offer"
        ),
    ]
    if issuer_path:
        routes.append(Route(f"/{issuer_path}{WELL_KNOWN}", document, name="credential issuer metadata, appended"))
    return routes
