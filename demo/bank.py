"""The bank's own website, small and real: it asks a person to show a document, and opens an account on what it says.

`python -m demo.bank FILE` serves it; FILE holds {"gateway", "home", "port"}. It is a client of the gateway like any other:
its own key, its own tokens, three requests of OpenID4VP. Nothing here is part of yimen.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from demo.bank_pages import ACCOUNT, AGAIN, BACK, START, WAIT, page
from demo.oauth_visitor import Site, client_request
from demo.places import Places
from demo.processes import die_with_parent
from demo.registrations import BANK_APP, PRESENTING
from demo.serving import server_config
from demo.talk import NoAnswer

TEMPLATE = "bank-residence"
_COOKIE = "bank-visit"
_MOST = 200
_WHY = {
    "REFUSED": "您没有出示，这没有关系。 You did not show it; that is all right.",
    "EXPIRED": "时间到了，请再来一次。 Time is up, please try again.",
    "revoked": "这份证明已失效。 This document is no longer valid.",
    "suspended": "这份证明正在核查，暂时不能使用。 This document is being looked into.",
}


@dataclass(slots=True)
class Visit:
    """One customer at one browser."""

    request_id: str
    links: Mapping[str, str]
    qr: str
    same_device: bool
    result: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Bank:
    """`visits` by the browser's cookie; the oldest are forgotten."""

    site: Site
    url: str
    visits: dict[str, Visit] = field(default_factory=dict)

    async def start(self, request: Request) -> Response:
        form = (await request.body()).decode()
        same = "way=here" in form
        wish: dict[str, Any] = {"template": TEMPLATE, "reference": f"kh-{secrets.token_hex(4)}", "same_device": same}
        if same:
            wish["return_to"] = f"{self.url}/back"
        answer = await self._ask("POST", "/openid4vp/requests", wish)
        visit = Visit(answer["id"], answer["links"], answer["qr"]["wallet"], same)
        cookie = secrets.token_urlsafe(24)
        while len(self.visits) >= _MOST:
            self.visits.pop(next(iter(self.visits)))
        self.visits[cookie] = visit
        reply = RedirectResponse(visit.links["wallet"] if same else "/wait", status_code=303)
        reply.set_cookie(_COOKIE, cookie, httponly=True, samesite="lax")
        return reply

    async def wait(self, request: Request) -> Response:
        """The code for a phone's camera, until something came."""
        visit = self._visit(request)
        if visit is None:
            return RedirectResponse("/", status_code=303)
        if visit.result is None:
            answer = await self._ask("GET", f"/openid4vp/results/{visit.request_id}", None)
            if answer.get("state") == "PENDING":
                body = WAIT.format(qr=visit.qr, link=escape(visit.links["wallet"], quote=True))
                return page("等待出示 Waiting", body, refresh_s=2)
            visit.result = answer
        return RedirectResponse("/account", status_code=303)

    async def back(self, request: Request) -> Response:
        """Where the wallet sends the browser; the response code stands in the fragment, which only this page sees."""
        return page("返回 Back", BACK)

    async def code(self, request: Request) -> Response:
        visit = self._visit(request)
        if visit is None:
            return RedirectResponse("/", status_code=303)
        if visit.result is None:
            code = (await request.json()).get("response_code", "")
            visit.result = await self._ask("POST", f"/openid4vp/results/{visit.request_id}", {"response_code": code})
        return Response(status_code=204)

    async def account(self, request: Request) -> Response:
        visit = self._visit(request)
        if visit is None or visit.result is None:
            return RedirectResponse("/", status_code=303)
        result = visit.result
        if result.get("state") != "ANSWERED":
            reason = str(result.get("reason") or result.get("state") or "")
            said = _WHY.get(reason, f"没有通过核验。 It was not accepted. ({reason})")
            return page("未能办理 Not opened", AGAIN.format(why=escape(said)))
        return page("账户已开立 Account opened", ACCOUNT.format(facts=_facts(result)))

    async def home(self, request: Request) -> Response:
        return page("网上开户 Open an account", START)

    def _visit(self, request: Request) -> Visit | None:
        return self.visits.get(request.cookies.get(_COOKIE, ""))

    async def _ask(self, method: str, path: str, body: object) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await client_request(self.site, BANK_APP, method, path, body, scope=PRESENTING)
        return answer


def _facts(result: Mapping[str, Any]) -> str:
    """What was shown, claim by claim, with who says so."""
    lines = []
    for shown in result.get("credentials", ()):
        lines.append(f"<h2>{escape(str(shown.get('name', {}).get('zh') or shown.get('type', '')))}</h2><ul>")
        for claim in shown.get("claims", ()):
            label, value = claim.get("label", {}).get("zh") or claim.get("name", ""), claim.get("value")
            said = {True: "是", False: "否"}.get(value, value) if isinstance(value, bool) else value
            lines.append(f"<li>{escape(str(label))}：<strong>{escape(str(said))}</strong></li>")
        lines.append("</ul>")
    return "".join(lines) or f"<pre>{escape(json.dumps(dict(result), ensure_ascii=False, indent=2))}</pre>"


def application(bank: Bank) -> Starlette:
    async def failed(request: Request, error: Exception) -> HTMLResponse:
        return page("暂时不能办理 Not now", AGAIN.format(why=escape(str(error))))

    return Starlette(
        routes=[
            Route("/", bank.home),
            Route("/start", bank.start, methods=["POST"]),
            Route("/wait", bank.wait),
            Route("/back", bank.back),
            Route("/code", bank.code, methods=["POST"]),
            Route("/account", bank.account),
        ],
        exception_handlers={NoAnswer: failed},
    )


def main(arguments: list[str]) -> None:
    die_with_parent()
    told = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    url = f"http://127.0.0.1:{told['port']}"
    bank = Bank(Site(Places(Path(told["home"]).parent), told["gateway"]), url)
    config = server_config(application(bank), "none", Path("."))
    config.port = told["port"]
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(sys.argv[1:])
