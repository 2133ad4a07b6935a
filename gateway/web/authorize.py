"""/oauth/authorize in a browser: who asks for what and until when, 同意 or 拒绝, and back to the client with 303.

Only `client_id` and `request_uri` are read: everything else was pushed and checked before (RFC 9126, section 4). What
cannot be trusted is said on a page and never redirected (RFC 6749, section 4.1.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from starlette.types import Receive, Scope, Send

from gateway.clock import Clock
from gateway.consent.notice import in_words
from gateway.oauth.errors import OAuthError
from gateway.oauth.ports import Login
from gateway.oauth.terms import Terms
from gateway.services.authorize import AskedPurpose, AuthorizationRequests, PendingAuthorization
from gateway.services.identities import OfficerRecord
from gateway.services.words import Words
from gateway.web.go_on import login_for
from gateway.web.html import page
from gateway.web.login_parts import LoginParts
from gateway.web.problems import Reply, catalogue, text
from gateway.web.visit import Visit, see_other

PATH = "/oauth/authorize"
HOLDER_PATH = "/me/wallet"
"""Where a person answers what a wallet asks."""
_MOST_PARAMETERS = 64


@dataclass(frozen=True, slots=True)
class AuthorizeParts:
    login: LoginParts
    requests: AuthorizationRequests
    words: Words
    terms: Terms
    clock: Clock


class AuthorizePage:
    """GET shows; POST decides. The request is spent by the decision, not by looking (FAPI 2.0, section 5.3.2.2)."""

    def __init__(self, parts: AuthorizeParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        visit.only("GET", "POST")
        try:
            reply = await (self._post(visit) if visit.method == "POST" else self._get(visit))
        except OAuthError as error:
            status = error.status if error.status >= 400 else 400
            reply = page("authorize_error.html", status=status, code=error.code, notice=_said(error))
        await reply(scope, receive, send)

    async def _get(self, visit: Visit) -> Reply:
        asked = _two(visit.scope["query_string"])
        pending = await self._parts.requests.load(asked.get("client_id"), asked.get("request_uri"))
        if pending.is_holders:
            return see_other(f"{HOLDER_PATH}?{urlencode(asked)}")
        session = visit.cookie(self._parts.login.session_cookie)
        found = await self._parts.login.sessions.look(session)
        if pending.no_page:  # prompt=none: whoever would have to see a page is told by the error that there is one
            wanting = "login_required" if found is None or self._again(pending, found[0]) else "consent_required"
            return see_other(await self._parts.requests.deny(pending, wanting))
        if found is None or session is None or self._again(pending, found[0]):
            return see_other(_login_address(pending))
        return await self._show(pending, found, session)

    async def _post(self, visit: Visit) -> Reply:
        parts = self._parts
        session = visit.cookie(parts.login.session_cookie)
        form = await visit.form(parts.login.guard, session)
        pending = await parts.requests.load(form.get("client_id"), form.get("request_uri"))
        login = await parts.login.sessions.find(session)
        if form.get("decision") == "deny":
            return see_other(await parts.requests.deny(pending))
        if login is None or self._again(pending, login):
            return see_other(_login_address(pending))
        if form.get("decision") != "approve":
            raise OAuthError("invalid_request", "BAD_FORM")
        if self._fresh(pending, login):  # a login for this request is young enough, also for a `max_age` of 0
            pending = replace(pending, max_age_s=None)
        return see_other(await parts.requests.approve(pending, login))

    def _fresh(self, pending: PendingAuthorization, login: Login) -> bool:
        """Whether the officer has logged in since this request was pushed."""
        return login.auth_time >= pending.expires_at - timedelta(seconds=self._parts.terms.request_s)

    def _again(self, pending: PendingAuthorization, login: Login) -> bool:
        """Whether the officer must log in once more: too weak, too long ago, or the client wants it now.

        Too weak after a login for this very request means that the officer cannot do better: then the page says so.
        """
        if self._fresh(pending, login):
            return False
        age = self._parts.clock.now() - login.auth_time
        too_old = pending.max_age_s is not None and age > timedelta(seconds=pending.max_age_s)
        return too_old or pending.log_in_again or login.level < pending.level

    async def _show(self, pending: PendingAuthorization, found: tuple[Login, OfficerRecord], session: str) -> Reply:
        login, officer = found
        return page(
            "authorize.html",
            form_to=(pending.redirect_host,),
            csrf=self._parts.login.guard.token(session),
            client_id=pending.client_id,
            request_uri=pending.request_uri,
            client_name=pending.client_name,
            organisation=await self._parts.words.organisation(pending.org_id),
            redirect_host=pending.redirect_host,
            officer=officer.name,
            asked=[self._asked(one) for one in pending.asked],
            too_weak=login.level < pending.level,
            log_in_again=_login_address(pending),
        )

    def _asked(self, one: AskedPurpose) -> Mapping[str, object]:
        titles = {} if one.datatypes is None else self._parts.words.titles()
        return {
            "title": (one.title_zh, one.title_en),
            "basis": (one.basis_zh, one.basis_en),
            "reference": one.reference,
            "data": None if one.datatypes is None else [(titles.get(item), item) for item in one.datatypes],
            "until": None if one.until is None else in_words(one.until),
        }


def _two(query: bytes) -> dict[str, str]:
    """The two parameters that count. Raises OAuthError for one that is there twice."""
    try:
        pairs = parse_qsl(query.decode("ascii"), errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise OAuthError("invalid_request", "BAD_FORM") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in ("client_id", "request_uri"):
            continue
        if name in found:
            raise OAuthError("invalid_request", "BAD_FORM")
        found[name] = value
    return found


def _login_address(pending: PendingAuthorization) -> str:
    return login_for(PATH, {"client_id": pending.client_id, "request_uri": pending.request_uri})


def _said(error: OAuthError) -> str:
    known = catalogue()
    return text(next((key for key in (error.reason, error.code) if key in known), "AUTHORIZE_REFUSED"))
