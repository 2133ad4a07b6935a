"""What the query page asks of us besides GraphQL: who is logged in, and a token for a key of this browser."""

from __future__ import annotations

import orjson
from starlette.types import Receive, Scope, Send

from gateway.oauth.errors import OAuthError
from gateway.services.query_page_token import QueryPageTokens
from gateway.web.challenge import NONCE
from gateway.web.login_parts import LoginParts
from gateway.web.problems import JSON, Refusal, Reply, text
from gateway.web.session import same_site
from gateway.web.visit import Visit


class QueryPageSession:
    """GET: whether an officer is logged in here, and the token for the page's own POSTs."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit, parts = Visit(scope, receive), self._parts
        if not same_site(parts.base_url, visit.headers):
            raise Refusal("FORM_NOT_OURS")
        session = visit.cookie(parts.session_cookie)
        found = await parts.sessions.look(session)
        said: dict[str, object] = {"loggedIn": False}
        if found is not None and session is not None:
            login, officer = found
            said = {
                "loggedIn": True, "name": officer.name, "level": login.level, "origin": parts.base_url,
                "csrf": parts.guard.token(session),
            }  # fmt: skip
        await Reply(200, orjson.dumps(said), JSON)(scope, receive, send)


class QueryPageToken:
    """POST with the session's cookie, the CSRF header and a DPoP proof: a short token bound to that proof's key."""

    def __init__(self, parts: LoginParts, tokens: QueryPageTokens) -> None:
        self._parts, self._tokens = parts, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit, parts = Visit(scope, receive), self._parts
        session = visit.cookie(parts.session_cookie)
        login = await parts.sessions.find(session)
        if login is None:
            raise Refusal("UNAUTHENTICATED", [(b"www-authenticate", b'Cookie realm="yimen", form-action="/login"')])
        parts.guard.check(visit.headers, {}, session)
        proofs = [value.decode("latin-1") for name, value in visit.headers if name == b"dpop"]
        try:
            made = await self._tokens.issue(login, proofs[0] if len(proofs) == 1 else None)
        except OAuthError as error:
            await _refused(error)(scope, receive, send)
            return
        body = {"access_token": made.issued.token, "token_type": "DPoP", "expires_in": made.issued.expires_in}
        headers = [(NONCE, made.next_nonce.encode())] if made.next_nonce else []
        await Reply(200, orjson.dumps(body), JSON, headers)(scope, receive, send)


def _refused(error: OAuthError) -> Reply:
    body = {"error": error.code, "error_description": text(error.reason or error.code)}
    headers = [(NONCE, error.nonce.encode())] if error.nonce else []
    return Reply(error.status, orjson.dumps(body), JSON, headers)
