"""/login and /logout: a password, and the way out."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from gateway.services.log_in import FactorOwed, Refused
from gateway.services.query_page_token import QueryPageTokens
from gateway.web.go_on import go_on
from gateway.web.html import page
from gateway.web.login_parts import LoginParts, refusal_notice
from gateway.web.problems import Reply, text
from gateway.web.session import new_secret
from gateway.web.visit import Visit, see_other

_LONGEST_LOGIN = 64


class LoginPage:
    """GET shows the form, or who is logged in; POST takes login and password."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        visit.only("GET", "POST")
        reply = await (self._post(visit) if visit.method == "POST" else self._get(visit))
        await reply(scope, receive, send)

    async def _get(self, visit: Visit) -> Reply:
        parts, asked = self._parts, visit.query().get("continue")
        session = visit.cookie(parts.session_cookie)
        if asked is None and session is not None and (found := await parts.sessions.look(session)) is not None:
            login, officer = found
            return page("login_done.html", name=officer.name, level=login.level, csrf=parts.guard.token(session))
        return self._form(visit, go_on(asked))

    async def _post(self, visit: Visit) -> Reply:
        parts = self._parts
        form = await visit.form(parts.guard, visit.cookie(parts.step_cookie))
        login, target = form.get("login", "")[:_LONGEST_LOGIN], go_on(form.get("continue"))
        result = await parts.log_in.password(login, form.get("password", ""), parts.visitor(visit, login), target)
        if isinstance(result, Refused):
            status, notice, headers = refusal_notice(result)
            return self._form(visit, target, status=status, notice=text(notice), headers=headers)
        if isinstance(result, FactorOwed):
            return see_other("/login/factor", [parts.step_cookie.set(result.cookie)])
        return await parts.enter(visit, result)

    def _form(
        self,
        visit: Visit,
        target: str,
        *,
        status: int = 200,
        notice: str = "",
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> Reply:
        """Always under a cookie of its own; what the visitor typed is not shown again."""
        parts = self._parts
        cookie = visit.cookie(parts.step_cookie)
        extra = list(headers or ())
        if cookie is None:
            cookie = new_secret()
            extra.append(parts.step_cookie.set(cookie))
        to = {origin for one in parts.oidc.providers for origin in one.origins}
        return page(
            "login.html",
            status=status,
            headers=extra,
            form_to=sorted(to),
            csrf=parts.guard.token(cookie),
            target=target,
            notice=notice,
            providers=parts.oidc.providers,
        )


class LogoutPage:
    """POST ends the session; GET asks first, so that a picture on some page cannot log anybody out."""

    def __init__(self, parts: LoginParts, page_tokens: QueryPageTokens | None = None) -> None:
        self._parts, self._page_tokens = parts, page_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit, parts = Visit(scope, receive), self._parts
        visit.only("GET", "POST")
        session = visit.cookie(parts.session_cookie)
        if visit.method == "GET" or session is None:
            await see_other("/login")(scope, receive, send)
            return
        await visit.form(parts.guard, session)
        login = await parts.sessions.find(session)
        if login is not None and self._page_tokens is not None:
            await self._page_tokens.end(login.session_id)
        await parts.sessions.close(session)
        await see_other("/login", [parts.session_cookie.clear(), parts.step_cookie.clear()])(scope, receive, send)
