"""The bank's own website, small and real: it asks a person to show a document, and opens an account on what it says.

`python -m demo.bank FILE` serves it; FILE holds {"gateway", "home", "port"}. It is a client of the gateway like any other:
its own key, its own tokens, three requests of OpenID4VP. Nothing here is part of yimen.
"""

from __future__ import annotations

import asyncio
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
from demo.bank_words import BUSY, LOST, why_not
from demo.oauth_visitor import Site, client_request
from demo.places import Places
from demo.processes import die_with_parent
from demo.registrations import BANK_APP, PRESENTING
from demo.serving import server_config
from demo.talk import NoAnswer

TEMPLATE = "bank-residence"
_COOKIE = "bank-visit"
_MOST = 200
_PATIENCE = 5  # looks in a row that may fail before a customer is told so


@dataclass(slots=True)
class Visit:
    """One customer at one browser. `turn`: a result is given out once, so two tabs do not ask for it at the same time."""

    request_id: str
    links: Mapping[str, str]
    qr: str
    result: Mapping[str, Any] | None = None
    missed: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


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
        visit = Visit(answer["id"], answer["links"], answer["qr"]["wallet"])
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
        if await self._nothing_yet(visit):
            body = WAIT.format(qr=visit.qr, link=escape(visit.links["wallet"], quote=True))
            return page("等待出示 Waiting", body, refresh_s=2)
        return RedirectResponse("/account", status_code=303)

    async def back(self, request: Request) -> Response:
        """Where the wallet sends the browser; the response code stands in the fragment, which only this page sees."""
        return page("返回 Back", BACK)

    async def code(self, request: Request) -> Response:
        """The page behind `/back` brings the response code; 409 where this browser is not the one that began."""
        visit = self._visit(request)
        try:
            said = json.loads(await request.body())
            code = {"response_code": str(said["response_code"])}
        except (ValueError, TypeError, KeyError):
            visit = None
        if visit is None:
            return Response(status_code=409)
        async with visit.turn:
            if visit.result is None:
                try:
                    answer = await self._ask("POST", f"/openid4vp/results/{visit.request_id}", code)
                except NoAnswer as error:
                    _note(error)
                    return Response(status_code=409)
                if answer.get("state") == "PENDING":  # nobody has answered this one: the code is another's
                    return Response(status_code=409)
                visit.result = answer
        return Response(status_code=204)

    async def account(self, request: Request) -> Response:
        visit = self._visit(request)
        if visit is None or visit.result is None:
            return RedirectResponse("/", status_code=303)
        result = visit.result
        if result.get("state") != "ANSWERED":
            return _not_opened(why_not(result))
        return page("账户已开立 Account opened", ACCOUNT.format(facts=_facts(result)))

    async def lost(self, request: Request) -> Response:
        return _not_opened(LOST)

    async def home(self, request: Request) -> Response:
        return page("网上开户 Open an account", START)

    def _visit(self, request: Request) -> Visit | None:
        return self.visits.get(request.cookies.get(_COOKIE, ""))

    async def _nothing_yet(self, visit: Visit) -> bool:
        """Raises NoAnswer where it could not be asked several times in a row."""
        async with visit.turn:
            if visit.result is not None:
                return False
            try:
                answer = await self._ask("GET", f"/openid4vp/results/{visit.request_id}", None)
            except NoAnswer:
                visit.missed += 1
                if visit.missed >= _PATIENCE:
                    raise
                return True
            visit.missed = 0
            if answer.get("state") == "PENDING":
                return True
            visit.result = answer
            return False

    async def _ask(self, method: str, path: str, body: object) -> Mapping[str, Any]:
        """What concerns a request names it. Raises NoAnswer for everything else that may come."""
        answer = await client_request(self.site, BANK_APP, method, path, body, scope=PRESENTING)
        if not isinstance(answer, Mapping) or "id" not in answer:
            raise NoAnswer(f"{path}: {json.dumps(answer, ensure_ascii=False)[:300]}")
        return answer


def _facts(result: Mapping[str, Any]) -> str:
    """What was shown, claim by claim, with who says so and how fresh it is."""
    lines = []
    for shown in result.get("credentials", ()):
        lines.append(f"<h2>{escape(str((shown.get('name') or {}).get('zh') or shown.get('type', '')))}</h2><ul>")
        for claim in shown.get("claims", ()):
            label, value = (claim.get("label") or {}).get("zh") or claim.get("name", ""), claim.get("value")
            said = {True: "是", False: "否"}.get(value, value) if isinstance(value, bool) else value
            lines.append(f"<li>{escape(str(label))}：<strong>{escape(str(said))}</strong></li>")
        lines.append(f"</ul><p><small>{escape(_by_whom(shown))}</small></p>")
    return "".join(lines)


def _by_whom(shown: Mapping[str, Any]) -> str:
    dates = [
        f"{word} {str(shown[name])[:10]}"
        for name, word in (("facts_as_of", "事实截至 facts as of"), ("valid_until", "有效期至 valid until"))
        if shown.get(name)
    ]
    return " · ".join([f"出具 issued by {shown.get('issuer', '')}", *dates, "状态有效 not revoked"])


def _not_opened(why: str) -> HTMLResponse:
    return page("未能办理 Not opened", AGAIN.format(why=escape(why)))


def _note(error: Exception) -> None:
    print(f"bank: {error}", file=sys.stderr, flush=True)  # for the bank's own people; a customer reads words


def application(bank: Bank) -> Starlette:
    async def failed(request: Request, error: Exception) -> HTMLResponse:
        _note(error)
        return page("暂时不能办理 Not now", AGAIN.format(why=escape(BUSY)))

    return Starlette(
        routes=[
            Route("/", bank.home),
            Route("/start", bank.start, methods=["POST"]),
            Route("/wait", bank.wait),
            Route("/back", bank.back),
            Route("/code", bank.code, methods=["POST"]),
            Route("/account", bank.account),
            Route("/lost", bank.lost),
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
