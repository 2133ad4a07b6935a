"""A link from an SMS opens the wallet in a real browser on a phone's screen: two taps, and the card is there.

With YIMEN_SCREENSHOTS set to a folder, the pages are kept there as a reader of the guide will see them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.services.credentials.ports import CredentialState, FactsState
from tests.browser.test_consent_page import keep
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (the fixture)
from tests.fakes.wallet_house import WalletHouse, wallet_house

pytestmark = pytest.mark.anyio
SCREEN = {"width": 390, "height": 844}
NARROW = {"width": 320, "height": 640}


@pytest.fixture
async def house() -> AsyncIterator[WalletHouse]:
    async with wallet_house() as opened:
        yield opened


class Watched:
    """What a page asked for and complained of."""

    def __init__(self, page: Any) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.quiet = False
        page.on("request", lambda one: self.asked.append(f"{one.method} {one.url}"))
        page.on("console", lambda one: self._said(one.text))
        page.on("pageerror", lambda one: self.complaints.append(str(one)))

    def _said(self, text: str) -> None:
        if self.quiet and "ERR_INTERNET_DISCONNECTED" in text:
            return
        if "status of 400" not in text and "status of 401" not in text and "status of 404" not in text:
            self.complaints.append(text)  # Chromium notes every refusal; what it means is on the page


@pytest.fixture
async def page(browser_page: Any) -> AsyncIterator[Any]:  # noqa: F811
    await browser_page.set_viewport_size(SCREEN)
    browser_page.set_default_timeout(20_000)  # ms
    watched = Watched(browser_page)
    browser_page.watched = watched
    yield browser_page
    assert watched.complaints == []


async def receive(house: WalletHouse, page: Any, *types: str) -> None:
    """Types are received, each by a link of its own."""
    for one in types or ("residence",):
        await page.goto((await house.offer(one)).link)
        await page.click("#take")
        await page.wait_for_selector("[data-code=RECEIVED]")


async def test_a_link_becomes_a_card_in_two_taps(house: WalletHouse, page: Any) -> None:
    offered = await house.offer()
    await page.goto(offered.link)
    await page.wait_for_selector("#take")
    text = await page.inner_text("#page")
    assert "居住证明" in text
    assert "领取" in text
    assert "张*" in text  # enough to see whose it is
    assert "张三" not in text
    assert "REDEEMED" not in await house.moments(offered)
    assert not any("/oauth/token" in one for one in page.watched.asked)
    await keep(page, "wallet-offer")
    await page.click("#take")
    await page.wait_for_selector("[data-code=RECEIVED]")
    await page.wait_for_selector("[data-state=VALID]")
    text = await page.inner_text("#page")
    assert "张三" in text
    assert "有效" in text
    assert "刚刚核对" in text
    assert "有效期至" in text
    assert "credential_offer" not in page.url
    await keep(page, "wallet-card")
    async with page.expect_response(lambda one: one.url.endswith("/wallet")):
        await page.goto(f"{house.url}/wallet")
    await page.wait_for_selector("section.card img.face")
    await keep(page, "wallet-cards")
    assert {"REDEEMED", "ISSUED", "STORED"} <= set(await house.moments(offered))
    assert all(house.url in one for one in page.watched.asked if " data:" not in one and " blob:" not in one)


async def test_the_link_works_once_and_says_what_to_do_next(house: WalletHouse, page: Any) -> None:
    link = (await house.offer()).link
    await page.goto(link)
    await page.click("#take")
    await page.wait_for_selector("[data-code=RECEIVED]")
    await page.goto(link)
    await page.wait_for_selector("[data-code=OFFER_GONE]")
    assert "/me/credentials" in str(await page.get_attribute("[data-code=OFFER_GONE] a", "href"))
    await keep(page, "wallet-link-used")


async def test_a_wrong_transaction_code_spends_nothing(house: WalletHouse, page: Any) -> None:
    offered = await house.offer(tx_code=True)
    assert offered.tx_code is not None
    await page.goto(offered.link)
    await page.wait_for_selector("#tx_code")
    await page.click("#take")
    await page.wait_for_selector("[data-code=CODE_MISSING]")
    wrong = str((int(offered.tx_code) + 1) % 10 ** len(offered.tx_code)).zfill(len(offered.tx_code))
    await page.fill("#tx_code", wrong)
    await page.click("#take")
    await page.wait_for_selector("[data-code=CODE_WRONG]")
    await keep(page, "wallet-wrong-code")
    await page.fill("#tx_code", f"{offered.tx_code[:3]} {offered.tx_code[3:]}")
    await page.click("#take")
    await page.wait_for_selector("[data-code=RECEIVED]")


async def test_a_department_that_does_not_answer_makes_it_wait_and_then_it_arrives(
    house: WalletHouse, page: Any
) -> None:
    house.departments.state = FactsState.UNAVAILABLE
    await page.goto((await house.offer()).link)
    await page.click("#take")
    await page.wait_for_selector("[data-code=WAITING]")
    await keep(page, "wallet-waiting")
    house.departments.state = FactsState.READY
    await page.reload()  # closed and opened again: it goes on where it was
    await page.wait_for_selector("section.card", timeout=90_000)


async def test_what_does_not_carry_the_claim_is_refused_in_plain_words(house: WalletHouse, page: Any) -> None:
    house.departments.state = FactsState.NOT_MET
    await page.goto((await house.offer()).link)
    await page.click("#take")
    await page.wait_for_selector("[data-code=DENIED]")
    assert "credential_request_denied" in await page.inner_text("[data-code=DENIED]")


async def test_revoked_while_it_is_looked_at(house: WalletHouse, page: Any) -> None:
    await receive(house, page)
    await page.wait_for_selector("[data-state=VALID]")
    await house.set_state(CredentialState.SUSPENDED)
    await page.wait_for_selector("[data-state=SUSPENDED]", timeout=15_000)
    await house.set_state(CredentialState.REVOKED)
    await page.wait_for_selector("[data-state=REVOKED]", timeout=15_000)
    await page.wait_for_selector("[data-code=REVOKED_WHY]")
    assert await page.locator("a[href^='#offline']").count() == 0
    await keep(page, "wallet-revoked")


async def test_storage_refused_is_said_before_anything_is_spent_and_this_time_only_works(
    house: WalletHouse, page: Any
) -> None:
    await page.add_init_script(
        "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    offered = await house.offer()
    await page.goto(offered.link)
    await page.wait_for_selector("[data-code=STORAGE_REFUSED]")
    assert "REDEEMED" not in await house.moments(offered)
    assert "仅本次" in await page.inner_text("#take")
    await keep(page, "wallet-storage-refused")
    await page.click("#take")
    await page.wait_for_selector("[data-state=VALID]")
    await page.goto(f"{house.url}/wallet")
    await page.wait_for_selector("[data-code=EMPTY]")


async def test_a_key_that_cannot_be_cloned_is_storage_refused(house: WalletHouse, page: Any) -> None:
    """WebKit in Lockdown Mode and in private windows."""
    await page.add_init_script(
        "const put = IDBObjectStore.prototype.put;"
        "IDBObjectStore.prototype.put = function (value) {"
        "  if (value.key instanceof CryptoKey) throw new DOMException('no', 'DataCloneError');"
        "  return put.apply(this, arguments) }"
    )
    await page.goto((await house.offer()).link)
    await page.wait_for_selector("[data-code=STORAGE_REFUSED]")
    assert await page.evaluate("W.storage.why") == "DataCloneError"


async def test_on_an_iphone_the_seven_days_are_said(house: WalletHouse, page: Any) -> None:
    await page.add_init_script(
        "Object.defineProperty(navigator, 'userAgent', { get: () => 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)' })"
    )
    await page.goto((await house.offer()).link)
    await page.wait_for_selector("[data-code=STORAGE_WEBKIT]")


async def test_no_script_reads_the_keys_out(house: WalletHouse, page: Any) -> None:
    await receive(house, page)
    kept = await page.evaluate(
        "W.all('cards').then(async (all) => [all[0].copies.length, ...await Promise.all(all[0].copies.map("
        "  (one) => crypto.subtle.exportKey('jwk', one.key).then(() => 'out', (error) => error.name)))])"
    )
    assert kept == [4, *["InvalidAccessError"] * 4]
    assert await page.evaluate("[Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]") == [
        [],
        [],
        "",
    ]


async def test_with_the_keyboard_alone_on_the_narrowest_screen(house: WalletHouse, page: Any) -> None:
    await page.set_viewport_size(NARROW)
    await page.goto((await house.offer(tx_code=False)).link)
    await page.wait_for_selector("#take")
    await keep(page, "wallet-offer-narrow")
    assert await page.evaluate("document.activeElement.tagName") == "H1"
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "take"
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-code=RECEIVED]")
    assert await page.evaluate("document.activeElement.tagName") == "H1"
    await keep(page, "wallet-card-narrow")


async def test_another_issuers_link_is_for_another_wallet(house: WalletHouse, page: Any) -> None:
    await page.goto(f"{house.url}/wallet?credential_offer_uri=https%3A%2F%2Fissuer.example%2Foffer")
    await page.wait_for_selector("[data-code=OTHER_ISSUER]")
    href = await page.get_attribute("#other-wallet", "href")
    assert href == "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Foffer"


async def test_an_address_without_https_says_which_link_to_open(house: WalletHouse, page: Any) -> None:
    await page.add_init_script("Object.defineProperty(window, 'isSecureContext', { get: () => false })")
    offered = await house.offer()
    await page.goto(offered.link)
    await page.wait_for_selector("[data-code=INSECURE]")
    assert not any("/openid4vci/" in one.split("?")[0] for one in page.watched.asked)
