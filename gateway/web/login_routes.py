"""Every URL of logging in, and of the authorization endpoint's pages."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from gateway.services.query_page_token import PATH as TOKEN_PATH
from gateway.services.query_page_token import QueryPageTokens
from gateway.web.authorize import PATH, AuthorizePage, AuthorizeParts
from gateway.web.login import LoginPage, LogoutPage
from gateway.web.login_enrol import EnrolPage, InvitationPage
from gateway.web.login_factor import FactorPage
from gateway.web.login_oidc import OidcArrival, OidcDeparture
from gateway.web.login_parts import LoginParts
from gateway.web.query_page_login import QueryPageSession, QueryPageToken


def login_routes(
    parts: LoginParts, authorize: AuthorizeParts | None = None, page_tokens: QueryPageTokens | None = None
) -> list[BaseRoute]:
    """`page_tokens` where the query page is served."""
    found: list[BaseRoute] = [
        Route("/login", LoginPage(parts), name="login"),
        Route("/login/factor", FactorPage(parts), name="login factor"),
        Route("/login/passkey", FactorPage(parts, passkey=True), name="login passkey"),
        Route("/login/invitation", InvitationPage(parts), name="login invitation"),
        Route("/login/enrol", EnrolPage(parts), name="login enrol"),
        Route("/login/enrol/passkey", EnrolPage(parts, passkey=True), name="login enrol passkey"),
        Route("/login/oidc/{provider}", OidcDeparture(parts), name="login oidc"),
        Route("/login/oidc/{provider}/callback", OidcArrival(parts), name="login oidc callback"),
        Route("/logout", LogoutPage(parts, page_tokens), name="logout"),
    ]
    if authorize is not None:
        found.append(Route(PATH, AuthorizePage(authorize), name="authorize"))
    if page_tokens is not None:
        found += [  # before /graphiql/{file}
            Route("/graphiql/session", QueryPageSession(parts), methods=["GET"], name="query page session"),
            Route(TOKEN_PATH, QueryPageToken(parts, page_tokens), methods=["POST"], name="query page token"),
        ]
    return found
