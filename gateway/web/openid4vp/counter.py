"""/counter: a clerk who is logged in asks somebody at the counter to show something, and sees it once. No script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from credentials.credential_type import CredentialType
from gateway.consent.notice import in_words
from gateway.errors import GatewayError
from gateway.oauth.ports import Login
from gateway.services.presenting.create_request import CreateRequest
from gateway.services.presenting.ports import OPEN_STEPS
from gateway.services.presenting.results import Results
from gateway.services.presenting.templates import Template
from gateway.web.go_on import login_for
from gateway.web.html import page
from gateway.web.login_parts import LoginParts
from gateway.web.openid4vp.qr import qr_svg
from gateway.web.problems import Refusal, Reply, code_of, status_of, text
from gateway.web.visit import Visit, see_other

PATH = "/counter"
_WAIT_S = 3


@dataclass(frozen=True, slots=True)
class CounterParts:
    """`types` by id, for what claims are called; `templates` for titles."""

    login: LoginParts
    create: CreateRequest
    results: Results
    templates: Mapping[str, Template]
    types: Callable[[], Mapping[str, CredentialType]]
    base_url: str


@dataclass(frozen=True, slots=True)
class _Clerk:
    """Who is in; `csrf` for the forms of this session."""

    visit: Visit
    session: str
    login: Login
    csrf: str


_Answer = Callable[[_Clerk], Awaitable[Reply]]


def counter_routes(parts: CounterParts) -> Sequence[BaseRoute]:
    pages = _Pages(parts)
    return [
        Route(PATH, _ForClerks(parts, pages.choose), methods=["GET"], name="counter"),
        Route(f"{PATH}/requests", _ForClerks(parts, pages.ask), methods=["POST"], name="counter ask"),
        Route(f"{PATH}/requests/{{id}}", _ForClerks(parts, pages.wait), methods=["GET"], name="counter wait"),
        Route(
            f"{PATH}/requests/{{id}}/result", _ForClerks(parts, pages.result), methods=["POST"], name="counter result"
        ),
    ]


class _ForClerks:
    """One page: who is not logged in goes there first; refusals are pages."""

    def __init__(self, parts: CounterParts, answer: _Answer) -> None:
        self._parts, self._answer = parts, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._reply(Visit(scope, receive)))(scope, receive, send)

    async def _reply(self, visit: Visit) -> Reply:
        login_parts = self._parts.login
        session = visit.cookie(login_parts.session_cookie)
        login = await login_parts.sessions.find(session)
        if login is None or session is None:
            return see_other(login_for(PATH))
        clerk = _Clerk(visit, session, login, login_parts.guard.token(session))
        try:
            return await self._answer(clerk)
        except (GatewayError, Refusal) as error:
            code = code_of(error)
            return page("counter_message.html", status=status_of(code), notice=text(code))


class _Pages:
    def __init__(self, parts: CounterParts) -> None:
        self._parts = parts

    async def choose(self, clerk: _Clerk) -> Reply:
        offered = self._parts.create.offered_to(clerk.login.org_kind, clerk.login.purposes)
        return page("counter.html", templates=[self._described(one) for one in offered], csrf=clerk.csrf)

    async def ask(self, clerk: _Clerk) -> Reply:
        form = await clerk.visit.form(self._parts.login.guard, clerk.session)
        made = await self._parts.create.for_clerk(clerk.login, form.get("template", ""), form.get("reference", ""))
        return see_other(f"{PATH}/requests/{made.presentation.presentation_id}")

    async def wait(self, clerk: _Clerk) -> Reply:
        found = await self._parts.results.clerks(clerk.login, self._id(clerk))
        template = self._described(self._parts.templates[found.template])
        over = found.step in OPEN_STEPS and self._parts.results.over(found)
        code = None
        if found.step in OPEN_STEPS and not over:
            uri = f"{self._parts.base_url}/openid4vp/requests/{found.request_ref}"
            asker = "" if found.secrets is None else found.secrets.prefix
            code = Markup(qr_svg(self._parts.create.links(uri, asker)["wallet"]))  # noqa: S704  (made here, of our link)
        return page(
            "counter_wait.html",
            ask=template,
            qr=code,
            step=found.step.value,
            over=over,
            wait_s=_WAIT_S,
            ends=in_words(found.expires_at),
            id=found.presentation_id,
            csrf=clerk.csrf,
        )

    async def result(self, clerk: _Clerk) -> Reply:
        """A form, so that no prefetch and no reload reads what can be read once."""
        await clerk.visit.form(self._parts.login.guard, clerk.session)
        found, said = await self._parts.results.for_clerk(clerk.login, self._id(clerk))
        if said["state"] in ("PENDING", "EXPIRED"):
            return see_other(f"{PATH}/requests/{found.presentation_id}")
        return page(
            "counter_result.html",
            state=said["state"],
            reason=said.get("reason", ""),
            ask=self._described(self._parts.templates[found.template]),
            shown=self._shown(said),
        )

    def _id(self, clerk: _Clerk) -> str:
        return str(clerk.visit.scope["path_params"]["id"])

    def _described(self, template: Template) -> dict[str, Any]:
        wanted = [
            {
                "name": self._parts.types()[one.type_id].name,
                "claims": [self._label(one.type_id, name) for name in one.claims],
            }
            for one in template.wanted
            if one.type_id in self._parts.types()
        ]
        return {
            "id": template.id, "title": template.title, "purpose": template.purpose, "wanted": wanted,
            "any": bool(template.options),
        }  # fmt: skip

    def _shown(self, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        shown = []
        for one in said.get("credentials", ()):
            claims = [
                (claim["label"] or {"zh": claim["name"], "en": ""}, _value(claim["value"])) for claim in one["claims"]
            ]
            dates = {name: _date(one[name]) for name in ("facts_as_of", "issued_at", "valid_until", "status_at")}
            shown.append({"name": one["name"], "claims": claims, "issuer": one["issuer"], **dates})
        return shown

    def _label(self, type_id: str, claim: str) -> Any:
        return next(one.label for one in self._parts.types()[type_id].claims if one.name == claim)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "是 Yes" if value else "否 No"
    return str(value)


def _date(text_: str | None) -> Any:
    return None if text_ is None else in_words(datetime.fromisoformat(text_))
