"""What `script/demo query | consent | token | accounts` do with a running demo: each through a real client of the product."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from demo.accounts import Account
from demo.bodies import clerks
from demo.browser import Browser, Page
from demo.oauth_visitor import Site, as_client, as_officer, consented
from demo.places import Places, write_private
from demo.queries import STATEMENT
from demo.registrations import BANK_APP, DESK
from demo.talk import NoAnswer

PURPOSE, REFERENCE, SCOPE = "LOAN_SERVICE", "loan-2026-118", "consent:request"
_REQUEST = "bank-request.json"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def site_of(places: Places, card: Mapping[str, Any]) -> Site:
    return Site(places, card["gateway"])


def account_of(card: Mapping[str, Any], login: str) -> Account:
    """Raises ValueError for a login nobody has."""
    who = {clerk.login: clerk for clerk in clerks()}
    for held in card["accounts"]:
        if held["login"] == login:
            return Account(login, held["password"], held["totp"], who[login])
    raise ValueError(f"没有账号 {login} / no account {login}")


def ask(places: Places, card: Mapping[str, Any], name: str) -> Any:
    """The whole answer to one of the card's questions. Raises ValueError for an unknown name, NoAnswer."""
    if name not in card["queries"]:
        raise ValueError(f"没有查询 {name} / no query {name}; known: {', '.join(card['queries'])}")
    question = card["queries"][name]
    site, body = site_of(places, card), {"query": question["query"], "variables": question["variables"]}
    if question["login"]:
        account = account_of(card, question["login"])
        return as_officer(site, question["client"], account, "POST", "/graphql", body, say)
    detail = consented(site, PURPOSE, _consent_id(site), STATEMENT, REFERENCE)
    return as_client(site, question["client"], [detail], "POST", "/graphql", body)


def ask_consent(places: Places, card: Mapping[str, Any]) -> str:
    """The bank asks 张三, and learns that a message is on its way, whoever the person is; the link the message brings."""
    before = _links(card)
    site = site_of(places, card)
    until = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    body = {
        **card["queries"]["bank"]["variables"],
        "purpose": PURPOSE,
        "datatypes": list(STATEMENT),
        "until": until.isoformat().replace("+00:00", "Z"),
        "mode": "recurring",
        "max_per_day": 10,
        "reference": f"{REFERENCE}-{int(time.time())}",
    }
    answer = as_client(site, BANK_APP, (), "POST", "/consents/requests", body, scope=SCOPE)
    if "request_id" not in answer:
        raise NoAnswer(f"/consents/requests: {json.dumps(answer, ensure_ascii=False)}")
    write_private(places.home / _REQUEST, json.dumps({"issuer": site.url, "request_id": answer["request_id"]}))
    ends = time.monotonic() + 30
    while True:
        if new := [link for link in _links(card) if link not in before]:
            return new[0]
        if time.monotonic() > ends:
            raise NoAnswer(f"{card['inbox']}: 没有收到链接 / no link has come")
        time.sleep(0.3)


def _links(card: Mapping[str, Any]) -> list[str]:
    """The links on the demo's phones, the newest first."""
    return re.findall(r'href="(http[^"]*/me/l/[^"]+)"', _inbox(card).text)


def agree(places: Places, card: Mapping[str, Any], link: str) -> None:
    """What 张三 does on his phone: opens the link, has a code sent, types it, reads, and agrees."""
    browser = Browser()
    page = _page(browser.get(link))
    code_form = page.form(urlsplit(link).path + "/code")
    page = _page(browser.send(page, code_form, code_form.fields))
    code = _code(card)
    open_form = page.form(urlsplit(link).path + "/open")
    page = _page(browser.send(page, open_form, {**open_form.fields, "code": code}))
    for form in page.forms:
        if urlsplit(form.action).path.endswith("/give"):
            given = _page(browser.send(page, form, form.fields))
            if given.status != 200:
                raise NoAnswer(f"{given.url}: HTTP {given.status}")
            return
    raise NoAnswer(f"{urlsplit(page.url).path}: 没有可同意的内容 / there is nothing to agree to (HTTP {page.status})")


def consent_state(places: Places, card: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the bank sees of its last request: PENDING, GIVEN with the consent's id, or ENDED."""
    return _state(site_of(places, card))


def watch_lines(places: Places, card: Mapping[str, Any]) -> Iterator[str]:
    """What the procuratorate sees: open alerts, then refused accesses with what really decided."""
    site, account = site_of(places, card), account_of(card, "prosecutor-mai")

    def read(path: str) -> Mapping[str, Any]:
        return dict(as_officer(site, DESK, account, "GET", path, None, say))

    yield "预警 / alerts"
    for alert in read("/admin/alerts").get("alerts", ()):
        yield f"  {alert['openedAt']}  {alert['type']} {alert['severity']}  {alert['org']}  {alert['about']} {alert['aboutId']}"
    yield "\n被拒的查询 / refused accesses"
    for event in read("/admin/access-events").get("events", ()):
        if event["decision"] == "DENY":
            yield (
                f"  {event['at']}  {event['org']} {event['officer']}  {event['purpose']}  "
                f"对外 told: {', '.join(event['rules'])}  实际 really: {', '.join(event['innerRules']) or '-'}"
            )


def token_lines(card: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "# 带 --officer 的在本机浏览器中登录（口令与动态码：script/demo accounts），其余自己取得\n"
        "# with --officer: log in with a browser on this machine (passwords and codes: script/demo accounts); the others need nobody\n"
    )
    for kind, line in card["tokens"].items():
        yield f"# {kind}\n{line}\n"
    yield (
        "# 直接查询 / to ask at once: 加上 / add\n"
        f"... --headers POST {card['graphql']} | curl -sS -H @- -H 'content-type: application/json' "
        f'-d \'{{"query":"{{ __typename }}"}}\' {card["graphql"]}\n'
    )


def account_lines(card: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'登录名 login':<16} {'口令 password':<20} {'动态码 code':<10} 谁 / who"
    for held in card["accounts"]:
        account = account_of(card, held["login"])
        yield f"{account.login:<18} {account.password:<22} {account.code():<12} {held['name']}  {held['note']}"


def _consent_id(site: Site) -> str:
    state = _state(site)
    if state.get("state") != "GIVEN":
        raise NoAnswer(
            "本人尚未同意, 或已撤回 / the person has not agreed, or no longer does: script/demo consent bank --agree"
        )
    return str(state["consent_id"])


def _state(site: Site) -> Mapping[str, Any]:
    try:
        asked = json.loads((site.places.home / _REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        asked = {}
    if asked.get("issuer") != site.url:
        raise NoAnswer("银行还没有请求同意 / the bank has not asked for consent yet: script/demo consent bank")
    answer = as_client(site, BANK_APP, (), "GET", f"/consents/requests/{asked['request_id']}", None, scope=SCOPE)
    return dict(answer)


def _inbox(card: Mapping[str, Any]) -> Page:
    return _page(Browser().get(card["inbox"]))


def _code(card: Mapping[str, Any], within_s: float = 15.0) -> str:
    """The newest code on the demo's phones."""
    ends = time.monotonic() + within_s
    while True:
        if found := re.search(r"验证码 ([0-9]{6})", _inbox(card).text):
            return found[1]
        if time.monotonic() > ends:
            raise NoAnswer(f"{card['inbox']}: 没有收到验证码 / no code has come")
        time.sleep(0.3)


def _page(found: Page | str) -> Page:
    if isinstance(found, str):
        raise NoAnswer("意外的跳转 / an unexpected redirect")
    return found
