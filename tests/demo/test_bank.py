"""The demo's bank with a gateway in the test's hands: whatever comes, the customer reads words and knows what to do next."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demo import bank as bank_module
from demo.bank import Bank, application
from demo.bank_words import why_not
from demo.oauth_visitor import Site
from demo.places import Places
from demo.serving import serving_app
from demo.talk import NoAnswer

pytestmark = pytest.mark.anyio
WALLET = "http://gateway.example/wallet?client_id=x509_hash%3Aabc&request_uri=r"
MADE = {"id": "p1", "links": {"wallet": WALLET}, "qr": {"wallet": "<svg id='code'></svg>"}}
SHOWN = {
    "id": "p1",
    "state": "ANSWERED",
    "credentials": [
        {
            "name": {"zh": "居住证明", "en": "Proof of residence"},
            "claims": [
                {"name": "districtName", "label": {"zh": "现居住地", "en": "Lives in"}, "value": "禅城区<b>"},
                {"name": "stable", "label": None, "value": True},
            ],
            "issuer": "禅城区司法局",
            "facts_as_of": "2026-11-25T00:00:00Z",
            "valid_until": "2027-02-24T00:00:00Z",
        }
    ],
}


@dataclass
class Gateway:
    """`said` to looking, one after another, the last for ever; an exception is raised."""

    made: Any = field(default_factory=lambda: dict(MADE))
    said: list[Any] = field(default_factory=lambda: [{"id": "p1", "state": "PENDING"}])
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    slow_s: float = 0

    async def __call__(self, site: Site, client: str, method: str, path: str, body: object, **more: Any) -> Any:
        self.asked.append((method, path, body))
        await asyncio.sleep(self.slow_s)
        answer = self.made if path == "/openid4vp/requests" else self.said[0]
        if path != "/openid4vp/requests" and len(self.said) > 1:
            self.said.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Customer:
    """One browser at the bank."""

    url: str
    client: aiohttp.ClientSession
    gateway: Gateway

    async def get(self, path: str) -> tuple[str, str]:
        """Where it ends up, and the page."""
        async with self.client.get(self.url + path) as reply:
            assert reply.status == 200
            return reply.url.path, await reply.text()

    async def start(self, way: str) -> tuple[int, str, str]:
        async with self.client.post(f"{self.url}/start", data={"way": way}, allow_redirects=False) as reply:
            return reply.status, reply.headers.get("location", ""), await reply.text()

    async def code(self, body: bytes) -> int:
        async with self.client.post(f"{self.url}/code", data=body) as reply:
            return reply.status


@pytest.fixture
async def customer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Customer]:
    gateway = Gateway()
    monkeypatch.setattr(bank_module, "client_request", gateway)
    bank = Bank(Site(Places(tmp_path), "http://gateway.example"), "http://bank.example")
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        serving_app(application(bank)) as url,
        aiohttp.ClientSession(cookie_jar=jar, trust_env=False) as client,
    ):
        yield Customer(url, client, gateway)


async def test_on_this_device_it_goes_to_the_wallet_and_the_code_brings_the_result(customer: Customer) -> None:
    status, where, _ = await customer.start("here")
    assert (status, where) == (303, WALLET)
    _, _, wish = customer.gateway.asked[0]
    assert (wish["template"], wish["return_to"], wish["same_device"]) == (
        "bank-residence",
        "http://bank.example/back",
        True,
    )
    customer.gateway.said = [SHOWN]
    assert (await customer.get("/back"))[0] == "/back"
    assert await customer.code(b'{"response_code": "c1"}') == 204
    assert customer.gateway.asked[-1] == ("POST", "/openid4vp/results/p1", {"response_code": "c1"})
    _, page = await customer.get("/account")
    for words in (
        "账户已开立",
        "居住证明",
        "现居住地",
        "禅城区&lt;b&gt;",
        "是",
        "禅城区司法局",
        "2026-11-25",
        "2027-02-24",
    ):
        assert words in page
    looked = len(customer.gateway.asked)
    assert await customer.code(b'{"response_code": "c1"}') == 204  # a reload asks nobody again
    assert len(customer.gateway.asked) == looked


async def test_with_a_phone_the_page_waits_and_changes_by_itself(customer: Customer) -> None:
    assert (await customer.start("phone"))[:2] == (303, "/wait")
    assert "return_to" not in customer.gateway.asked[0][2]
    where, page = await customer.get("/wait")
    assert where == "/wait"
    assert "id='code'" in page
    assert 'http-equiv="refresh"' in page
    assert WALLET.replace("&", "&amp;") in page
    customer.gateway.said = [SHOWN]
    assert (await customer.get("/wait"))[0] == "/account"


async def test_two_tabs_of_one_customer_see_the_one_result(customer: Customer) -> None:
    await customer.start("phone")
    customer.gateway.slow_s = 0.05
    customer.gateway.said = [SHOWN, {"message": "there is nothing", "code": "NOT_FOUND"}]
    pages = await asyncio.gather(customer.get("/wait"), customer.get("/wait"))
    assert all("账户已开立" in page for _, page in pages)


ENDS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "refused": ({"state": "REFUSED", "reason": "access_denied"}, "您没有出示，这没有关系"),
    "time": ({"state": "EXPIRED"}, "时间到了"),
    "revoked": ({"state": "FAILED", "reason": "revoked"}, "已失效"),
    "suspended": ({"state": "FAILED", "reason": "suspended"}, "正在核查"),
    "expired": ({"state": "FAILED", "reason": "expired"}, "已过有效期"),
    "early": ({"state": "FAILED", "reason": "not_yet"}, "还没有生效"),
    "unknown": ({"state": "FAILED", "reason": "status_unknown"}, "查不到"),
    "two persons": ({"state": "FAILED", "reason": "holders"}, "不是同一个人"),
    "forged": ({"state": "FAILED", "reason": "signature"}, "没有通过核验"),
    "of a newer gateway": ({"state": "FAILED"}, "没有通过核验"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_whatever_the_end_it_is_said_in_words_and_there_is_a_way_on(customer: Customer, end: str) -> None:
    result, words = ENDS[end]
    await customer.start("phone")
    customer.gateway.said = [{"id": "p1", **result}]
    where, page = await customer.get("/wait")
    assert where == "/account"
    assert "未能办理" in page
    assert words in page
    assert 'href="/"' in page
    assert "账户已开立" not in page


def test_no_sentence_is_a_bare_code_and_each_is_in_both_languages() -> None:
    for result, _ in ENDS.values():
        said = why_not(result)
        assert re.match(r"[\u4e00-\u9fff]", said)
        assert re.search(r"[A-Za-z]{3,} [a-z]{2,}", said)
    assert "access_denied" not in why_not(ENDS["refused"][0])
    assert "signature" in why_not(ENDS["forged"][0])  # for whoever is asked for help


@pytest.mark.parametrize(
    "answer", [NoAnswer("http://10.1.2.3/secret: HTTP 403"), {"message": "busy", "code": "OVERLOADED"}, ["x"], None]
)
async def test_a_gateway_that_says_nothing_usable_is_no_customers_business(customer: Customer, answer: Any) -> None:
    customer.gateway.made = answer
    status, _, page = await customer.start("here")
    assert status == 200
    assert "暂时不能办理" in page
    assert "您什么也没有给出" in page
    for technical in ("10.1.2.3", "HTTP", "OVERLOADED"):
        assert technical not in page


async def test_a_hiccup_while_waiting_is_waited_out_and_an_outage_is_said(customer: Customer) -> None:
    await customer.start("phone")
    customer.gateway.said = [NoAnswer("down")] * 4 + [{"id": "p1", "state": "PENDING"}] + [NoAnswer("down")] * 5
    for _ in range(9):
        assert "请用手机相机扫这个码" in (await customer.get("/wait"))[1]
    assert "暂时不能办理" in (await customer.get("/wait"))[1]


async def test_a_code_of_another_browser_or_none_opens_nothing(customer: Customer) -> None:
    assert await customer.code(b'{"response_code": "c1"}') == 409  # this browser began nothing here
    await customer.start("here")
    for body in (b"", b"[]", b"{}", b"\xff"):
        assert await customer.code(body) == 409
    for answer in (NoAnswer("HTTP 403 PRESENTATION_CODE"), {"id": "p1", "state": "PENDING"}):
        customer.gateway.said = [answer]
        assert await customer.code(b'{"response_code": "stolen"}') == 409
    assert (await customer.get("/account"))[0] == "/"
    assert "在您开始办理的那个浏览器里" in (await customer.get("/lost"))[1]
    customer.gateway.said = [SHOWN]
    assert await customer.code(b'{"response_code": "c1"}') == 204  # and the right one still does


async def test_who_never_began_is_sent_to_the_beginning(customer: Customer) -> None:
    for path in ("/wait", "/account"):
        assert (await customer.get(path))[0] == "/"
