"""/login/factor and /login/passkey: the second factor, after the password."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from gateway.services.log_in import Refused
from gateway.web.html import page
from gateway.web.login_parts import LoginParts, refusal_notice
from gateway.web.problems import Reply, text
from gateway.web.visit import Visit, see_other


class FactorPage:
    """GET shows what there is; POST takes a code, or (on /login/passkey) what the authenticator answered."""

    def __init__(self, parts: LoginParts, *, passkey: bool = False) -> None:
        self._parts, self._passkey = parts, passkey

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        visit.only(*(("POST",) if self._passkey else ("GET", "POST")))
        cookie = visit.cookie(self._parts.step_cookie)
        if cookie is None:
            reply = see_other("/login")
        elif visit.method == "POST":
            reply = await self._post(visit, cookie)
        else:
            reply = await self._show(cookie)
        await reply(scope, receive, send)

    async def _post(self, visit: Visit, cookie: str) -> Reply:
        parts = self._parts
        form = await visit.form(parts.guard, cookie)
        login = await parts.log_in.login_of(cookie)
        if login is None:
            return see_other("/login")
        visitor = parts.visitor(visit, login)
        if self._passkey:
            result = await parts.log_in.passkey(cookie, form.get("response", ""), visitor)
        else:
            result = await parts.log_in.code(cookie, form.get("code", "").replace(" ", ""), visitor)
        if result is None:
            return see_other("/login")
        if isinstance(result, Refused):
            status, notice, headers = refusal_notice(result)
            notice = "FACTOR_REFUSED" if status == 403 else notice
            return await self._show(cookie, status=status, notice=text(notice), headers=headers)
        return await parts.enter(visit, result)

    async def _show(
        self, cookie: str, *, status: int = 200, notice: str = "", headers: list[tuple[bytes, bytes]] | None = None
    ) -> Reply:
        shown = await self._parts.log_in.factor_page(cookie)
        if shown is None:
            return see_other("/login")
        return page(
            "login_factor.html",
            status=status,
            headers=headers or (),
            script=shown.passkey_options is not None,
            csrf=self._parts.guard.token(cookie),
            totp=shown.totp,
            passkey_options=shown.passkey_options,
            notice=notice,
        )
