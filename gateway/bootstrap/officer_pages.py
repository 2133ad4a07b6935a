"""What an officer's browser meets besides GraphQL: logging in, the authorization endpoint's pages, the query page's token."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import BaseRoute

from gateway.bootstrap.logging_in import authorize_parts, page_tokens
from gateway.bootstrap.oauth_parts import OAuthParts
from gateway.clock import Clock
from gateway.policy.purposes import PurposeRegister
from gateway.services.authorize import AuthorizationRequests
from gateway.services.snapshots import Snapshots
from gateway.services.words import Words
from gateway.settings import Settings
from gateway.store import Store
from gateway.web.login_parts import LoginParts
from gateway.web.login_routes import login_routes
from schema.nouns import NounSpec


def officer_pages(
    settings: Settings,
    store: Store,
    snapshots: Snapshots,
    clock: Clock,
    oauth: OAuthParts,
    requests: AuthorizationRequests,
    login: LoginParts,
) -> list[BaseRoute]:
    """The purposes in force are asked for each time: they may change while we run."""

    def nouns() -> Mapping[str, NounSpec]:
        return snapshots.current.snapshot.schema.nouns

    def register() -> PurposeRegister:
        return snapshots.current.snapshot.purposes

    authorize = authorize_parts(login, requests, Words(store.identities, nouns, register), clock)
    tokens = None
    if settings.graphiql:
        tokens = page_tokens(store, register, oauth.tokens, oauth.server_proofs, settings.base_url, clock)
    return login_routes(login, authorize, tokens)
