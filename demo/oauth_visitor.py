"""Real clients of the product, as the demo's command line drives them: an officer's, a partner's. Tokens are kept in
var/demo/tokens (0600) until they end, because a token is there to be used more than once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.clock import utc_now
from adapters.egress import Channel, Rule
from adapters.egress_http import HttpEgress
from adapters.errors import SourceUnavailable
from adapters.oauth_client import OAuthClient, Registration, Token
from adapters.oauth_source import OAuthSending
from adapters.signing import Outgoing
from demo.accounts import Account
from demo.browser import Browser, Page
from demo.places import Places, write_private
from demo.registrations import CALLBACK, client_key
from demo.talk import NoAnswer
from gateway.errors import GatewayError
from gateway.services.token_client import CodeRequest, client_token, push, redeem, sharing_detail

Fetch = Callable[[OAuthClient], Awaitable[Token]]
PATIENCE_S = 30.0
_JSON = {"content-type": "application/json", "accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Site:
    """One running gateway and the directories of the demo beside it."""

    places: Places
    url: str


def as_officer(
    site: Site, client_id: str, account: Account, method: str, path: str, body: object, say: Callable[[str], None]
) -> Any:
    """The JSON of one request in an officer's name. Logs in where no token is held: PAR, pages, code, DPoP."""

    async def fetch(client: OAuthClient) -> Token:
        return await _officers_token(site, client, account, say)

    return asyncio.run(_ask(site, client_id, account.login, (), fetch, method, path, body))


def as_client(
    site: Site,
    client_id: str,
    details: Sequence[Mapping[str, Any]],
    method: str,
    path: str,
    body: object,
    *,
    scope: str = "",
) -> Any:
    """The JSON of one request in a client's own name; `details` and `scope` are what its token is for."""
    return asyncio.run(client_request(site, client_id, method, path, body, scope=scope, details=details))


async def client_request(
    site: Site,
    client_id: str,
    method: str,
    path: str,
    body: object,
    *,
    scope: str = "",
    details: Sequence[Mapping[str, Any]] = (),
) -> Any:
    """The same for a program that runs already. Raises NoAnswer."""
    consents = [str(one.get("subjects", {}).get("consent_id", "")) for one in details]
    name = "-".join([client_id, *consents, *scope.split(":")]).strip("-")
    return await _ask(site, client_id, name, details, client_token, method, path, body, scope)


def consented(site: Site, purpose: str, consent_id: str, fields: Sequence[str], reference: str) -> dict[str, Any]:
    return sharing_detail(
        purpose, location=f"{site.url}/graphql", reference=reference, consent_id=consent_id, fields=fields
    )


async def _ask(
    site: Site, client_id: str, name: str, details: Sequence[Mapping[str, Any]], fetch: Fetch, method: str, path: str,
    body: object, scope: str = "",
) -> Any:  # fmt: skip
    egress = HttpEgress()
    try:
        host = urlsplit(site.url).netloc
        channel: Channel = egress.open(
            Rule("demo", frozenset({host}), allow_plain_http=True, read_timeout_s=PATIENCE_S)
        )
        keys = site.places.sub("keys")
        registration = Registration(
            site.url, client_id, client_key(keys, client_id), scope, f"{site.url}/graphql", details
        )
        client = OAuthClient(registration, channel, utc_now, name="demo", dpop_key=client_key(keys, f"dpop-{name}"))
        sending = OAuthSending(_Kept(site, name, client, fetch), client.dpop_key, channel, utc_now)
        sent = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        ends = time.monotonic() + PATIENCE_S
        url = f"{site.url}{path}"
        outgoing = Outgoing(method, urlsplit(url).path, (), sent)
        reply = await sending.send(outgoing, url, _JSON, lambda: max(0.1, ends - time.monotonic()))
        answer = json.loads(reply.body)
        if reply.status in (401, 403) and isinstance(answer, dict):
            raise NoAnswer(f"{path}: HTTP {reply.status} {answer.get('error', '')} {_said(answer)}".strip())
        return answer
    except (SourceUnavailable, GatewayError, ValueError) as error:
        raise NoAnswer(f"{site.url}{path}: {error}") from None
    finally:
        await egress.close()


def _said(answer: Mapping[str, Any]) -> str:
    errors = answer.get("errors")
    if isinstance(errors, list) and errors:
        return str(errors[0].get("message", ""))
    return str(answer.get("error_description") or answer.get("message") or "")


@dataclass
class _Kept:
    """The token of an earlier run while it is fresh, once: should the gateway refuse it, the next is a new one."""

    site: Site
    name: str
    client: OAuthClient
    fetch: Fetch
    tried: bool = False

    async def __call__(self) -> Token:
        path = self.site.places.sub("tokens") / f"{self.name}.json"
        held = None if self.tried else _read(path, self.site.url)
        self.tried = True
        if held is not None:
            return held
        token = await self.fetch(self.client)
        kept = {"issuer": self.site.url, "token": token.value, "fresh_until": token.fresh_until.isoformat()}
        write_private(path, json.dumps(kept))
        return token


def _read(path: Path, issuer: str) -> Token | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        until = datetime.fromisoformat(held["fresh_until"])
    except (OSError, ValueError, KeyError):
        return None
    if held.get("issuer") != issuer or until <= datetime.now(UTC) + timedelta(seconds=5):
        return None
    return Token(held["token"], "DPoP", until, 0.0)


async def _officers_token(site: Site, client: OAuthClient, account: Account, say: Callable[[str], None]) -> Token:
    request = await push(client, CALLBACK, login_hint=account.login)
    browser = Browser(site.places.sub("browser") / f"{account.login}.json")
    back = await asyncio.to_thread(_log_in, browser, request, account, say)
    return await redeem(client, request, dict(parse_qsl(urlsplit(back).query)))


def _log_in(browser: Browser, request: CodeRequest, account: Account, say: Callable[[str], None]) -> str:
    """What the officer does in the browser: password, code, 同意; the address the browser is sent back to."""
    found = browser.get(request.url, until=CALLBACK)
    waited = False
    while isinstance(found, Page):
        path = urlsplit(found.url).path
        if path == "/login":
            form = found.form("/login")
            after = browser.send(
                found, form, {**form.fields, "login": account.login, "password": account.password}, until=CALLBACK
            )
        elif path == "/login/factor":
            form = found.form("/login/factor")
            after = browser.send(found, form, {**form.fields, "code": account.code()}, until=CALLBACK)
        elif path == "/oauth/authorize" and found.status == 200:
            form = found.form("/oauth/authorize")
            after = browser.send(found, form, form.pressed("approve"), until=CALLBACK)
        else:
            raise NoAnswer(f"{path}: HTTP {found.status}, 未能登录 / could not log in")
        if isinstance(after, Page) and urlsplit(after.url).path == path:
            if path != "/login/factor" or waited:
                raise NoAnswer(f"{path}: HTTP {after.status}, 未被接受 / was not accepted")
            waited = True  # a code is good once: this half minute's was used a moment ago
            left_s = 30 - time.time() % 30
            say(f"动态码每半分钟一个, 等 {left_s:.0f} 秒 / a code is good once, waiting for the next")
            time.sleep(left_s + 0.5)
        found = after
    return found
