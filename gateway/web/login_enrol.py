"""/login/invitation and /login/enrol: an invited officer sets a password and a second factor."""

from __future__ import annotations

import segno
from starlette.types import Receive, Scope, Send

from gateway.web.html import page
from gateway.web.login_parts import LoginParts
from gateway.web.problems import Reply, text
from gateway.web.session import new_secret
from gateway.web.visit import Visit, see_other


class InvitationPage:
    """GET only looks (a preview of the link spends nothing); POST takes the password. The link dies with the factor."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        visit.only("GET", "POST")
        reply = await (
            self._post(visit) if visit.method == "POST" else self._show(visit, visit.query().get("code", ""))
        )
        await reply(scope, receive, send)

    async def _post(self, visit: Visit) -> Reply:
        parts = self._parts
        form = await visit.form(parts.guard, visit.cookie(parts.step_cookie))
        code, password = form.get("code", ""), form.get("password", "")
        if password != form.get("again", ""):
            return await self._show(visit, code, "PASSWORD_DIFFERS")
        cookie, why = await parts.set_up.password(code, password)
        if cookie is None:
            return await self._show(visit, code, why)
        return see_other("/login/enrol", [parts.step_cookie.set(cookie)])

    async def _show(self, visit: Visit, code: str, notice: str = "") -> Reply:
        parts = self._parts
        login = await parts.set_up.invited(code)
        if login is None:
            return page("login_note.html", status=404, notice=text("INVITATION_OVER"))
        cookie = visit.cookie(parts.step_cookie)
        extra = []
        if cookie is None:
            cookie = new_secret()
            extra.append(parts.step_cookie.set(cookie))
        return page(
            "login_invitation.html",
            status=400 if notice else 200,
            headers=extra,
            csrf=parts.guard.token(cookie),
            code=code,
            login=login,
            notice=text(notice) if notice else "",
        )


class EnrolPage:
    """GET shows the square code; POST proves the code, or (on /login/enrol/passkey) brings a new passkey."""

    def __init__(self, parts: LoginParts, *, passkey: bool = False) -> None:
        self._parts, self._passkey = parts, passkey

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        visit.only(*(("POST",) if self._passkey else ("GET", "POST")))
        cookie = visit.cookie(self._parts.step_cookie)
        reply = await (self._post(visit, cookie) if visit.method == "POST" else self._show(cookie))
        await reply(scope, receive, send)

    async def _post(self, visit: Visit, cookie: str | None) -> Reply:
        parts = self._parts
        form = await visit.form(parts.guard, cookie)
        if self._passkey:
            done = await parts.set_up.passkey(cookie or "", form.get("response", ""))
        else:
            done = await parts.set_up.code(cookie or "", form.get("code", "").replace(" ", ""))
        if done is None:
            return page("login_note.html", status=404, notice=text("INVITATION_OVER"))
        if not done:
            return await self._show(cookie, status=403, notice=text("FACTOR_REFUSED"))
        return see_other("/login", [parts.step_cookie.clear()])

    async def _show(self, cookie: str | None, *, status: int = 200, notice: str = "") -> Reply:
        shown = await self._parts.set_up.page(cookie or "")
        if shown is None or cookie is None:
            return page("login_note.html", status=404, notice=text("INVITATION_OVER"))
        return page(
            "login_enrol.html",
            status=status,
            script=True,
            csrf=self._parts.guard.token(cookie),
            login=shown.login,
            secret=" ".join(shown.totp_secret[at : at + 4] for at in range(0, len(shown.totp_secret), 4)),
            picture=segno.make(shown.totp_uri, error="m").svg_data_uri(scale=5, border=4),
            passkey_options=shown.passkey_options,
            notice=notice,
        )
