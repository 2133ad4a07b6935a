"""/login/oidc/{provider} and its callback: off to the provider, and back."""

from __future__ import annotations

import structlog
from starlette.types import Receive, Scope, Send

from gateway.services.log_in import Refused
from gateway.services.oidc_client import OidcFailed
from gateway.web.go_on import go_on
from gateway.web.html import page
from gateway.web.login_parts import LoginParts
from gateway.web.problems import Refusal, text
from gateway.web.visit import Visit, see_other

_log = structlog.get_logger(__name__)


class OidcDeparture:
    """POST only, and only from our form: nobody else sends an officer's browser there."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit, parts = Visit(scope, receive), self._parts
        visit.only("POST")
        form = await visit.form(parts.guard, visit.cookie(parts.step_cookie))
        try:
            departure = await parts.oidc.depart(scope["path_params"]["provider"], go_on(form.get("continue")))
        except OidcFailed as failed:
            _log.warning("oidc_unavailable", why=failed.why)
            note = page("login_note.html", status=503, notice=text("OIDC_UNAVAILABLE"))
            await note(scope, receive, send)
            return
        if departure is None:
            raise Refusal("NOT_FOUND")
        await see_other(departure.url, [parts.step_cookie.set(departure.cookie)])(scope, receive, send)


class OidcArrival:
    """GET from the provider. Whatever is wrong, one page says it and the step is spent."""

    def __init__(self, parts: LoginParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit, parts = Visit(scope, receive), self._parts
        visit.only("GET")
        cookie = visit.cookie(parts.step_cookie)
        answer = visit.query()
        result = (
            Refused() if cookie is None else await parts.oidc.arrive(scope["path_params"]["provider"], cookie, answer)
        )
        if isinstance(result, Refused):
            headers = [parts.step_cookie.clear()]
            reply = page("login_note.html", status=403, headers=headers, notice=text("OIDC_REFUSED"))
        else:
            reply = await parts.enter(visit, result)
        await reply(scope, receive, send)
