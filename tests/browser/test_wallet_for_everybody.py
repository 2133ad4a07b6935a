"""The wallet for who reads with a screen reader, a magnifying glass or a keyboard; and each way somebody may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from gateway.consent.consent import ConsentState
from gateway.services.credentials.ports import CredentialState
from tests.browser.accessible import faults_of
from tests.browser.test_consent_page import keep
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (the fixture)
from tests.browser.test_wallet_receiving import NARROW, house, page, receive  # noqa: F401  (fixtures)
from tests.fakes.wallet_house import WalletHouse
from tests.gateway.web.openid4vp.test_consent_by_showing import consent_asked

pytestmark = pytest.mark.anyio
Step = Callable[[WalletHouse, Any], Awaitable[None]]


async def offer(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await page.goto((await house.offer(tx_code=True)).link)
    await page.wait_for_selector("#take")


async def card(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    await page.wait_for_selector("[data-state=VALID]")


async def cards(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await card(house, page)
    await page.goto(f"{house.url}/wallet")
    await page.wait_for_selector("section.card[data-state=VALID]")


async def revoked(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await cards(house, page)
    await house.set_state(CredentialState.REVOKED)
    await page.wait_for_selector("section.card[data-state=REVOKED]", timeout=15_000)


async def asked(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await card(house, page)
    _, made = await house.ask()
    await page.goto(made["links"]["wallet"])
    await page.wait_for_selector(".choice")


async def history(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await asked(house, page)
    await page.click(".choice button >> nth=0")
    await page.click("text=看我的证照")
    await page.click("a[href='#history']")
    await page.wait_for_selector("ul.history")


async def offline_code(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await cards(house, page)
    await page.click("a[href^='#offline']")
    await page.click("#make")
    await page.wait_for_selector("canvas.qr")


async def trouble(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await page.goto(f"{house.url}/wallet?credential_offer_uri=https%3A%2F%2Fissuer.example%2Foffer")
    await page.wait_for_selector("[data-code=OTHER_ISSUER]")


PAGES: Mapping[str, Step] = {
    one.__name__: one for one in (offer, card, cards, revoked, asked, history, offline_code, trouble)
}


@pytest.mark.parametrize("name", PAGES)
async def test_nothing_stands_in_anybodys_way(house: WalletHouse, page: Any, name: str) -> None:  # noqa: F811
    await PAGES[name](house, page)
    assert await faults_of(page) == []
    await page.set_viewport_size(NARROW)
    await keep(page, f"wallet-{name.replace('_', '-')}-at-320")
    smallest = (
        "() => Math.min(...Array.from(document.querySelectorAll('#page *')).filter((one) => one.offsetParent && one.childNodes.length"
        " && Array.from(one.childNodes).some((node) => node.nodeType === 3 && node.data.trim()))"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert await page.evaluate(smallest) >= 13  # pixels, and that is the second language's
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")  # twice as large


async def test_a_dead_card_leads_to_a_new_one_in_one_tap(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await revoked(house, page)
    link = page.locator("section.card[data-state=REVOKED] a[href$='/me/credentials']")
    assert "再领一次" in await link.inner_text()
    await house.set_state(CredentialState.REVOKED)
    await page.click("section.card a.face-link")
    await page.wait_for_selector("[data-code=REVOKED_WHY] a[href$='/me/credentials']")


async def test_the_same_link_opens_any_other_wallet(house: WalletHouse, page: Any) -> None:  # noqa: F811
    offered = await house.offer()
    await page.goto(offered.link)
    await page.click("summary")
    links = [await one.get_attribute("href") for one in await page.locator("details a.button").all()]
    tail = offered.other_link.partition("?")[2]
    assert links == [f"openid-credential-offer://?{tail}", f"haip-vci://?{tail}"]


async def test_it_can_be_installed(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await page.goto(f"{house.url}/wallet")
    await page.wait_for_function("navigator.serviceWorker.getRegistration('/wallet').then((one) => one && one.active)")
    browser = await page.context.new_cdp_session(page)
    said = await browser.send("Page.getInstallabilityErrors")
    assert {one["errorId"] for one in said["installabilityErrors"]} <= {"in-incognito"}  # as every test's window is
    manifest = await browser.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{house.url}/wallet/manifest.webmanifest"


WAYS: Mapping[str, Mapping[str, Any]] = {
    "signed by hash, encrypted": {},
    "of the high-assurance profile": {"profile": "haip"},
    "unencrypted": {"profile": "open", "encrypted": False},
    "by the name in the certificate": {"profile": "open", "client_id_prefix": "x509_san_dns"},
    "known beforehand": {"profile": "open", "client_id_prefix": "pre-registered"},
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_wallet_answers_whichever_way_it_is_asked(house: WalletHouse, page: Any, way: str) -> None:  # noqa: F811
    await receive(house, page)
    bank, made = await house.ask(**WAYS[way])
    await page.goto(made["links"]["wallet"])
    async with page.expect_request(lambda one: "/openid4vp/responses/" in one.url) as sent:
        await page.click(".choice button >> nth=0")
    await page.wait_for_selector("text=已出示给")
    body = str((await sent.value).post_data)
    assert ("vp_token=" in body) == (way == "unencrypted")
    assert ("response=" in body) == (way != "unencrypted")
    status, said = await house.result(bank, made)
    assert (status, said["state"]) == (200, "ANSWERED"), said
    assert (await house.result(bank, made))[0] == 404  # once


@pytest.mark.parametrize(("tap", "expected"), [(0, ConsentState.GIVEN), (1, ConsentState.REQUESTED)])
async def test_a_consent_is_read_in_the_words_of_the_persons_own_page_and_given_by_showing(
    house: WalletHouse,  # noqa: F811
    page: Any,  # noqa: F811
    tap: int,
    expected: ConsentState,
) -> None:
    await receive(house, page)
    request_id, consent_id = await consent_asked(house, await house.person())
    bank, made = await house.ask(consent_request=request_id)
    await page.goto(made["links"]["wallet"])
    await page.wait_for_selector(".choice")
    text = await page.inner_text("#page")
    for words in ("出示即表示您同意", "禅城示范银行", "社会保险", "参保状态", "到何时止", "随时", "请您放心"):
        assert words in text, words
    assert await faults_of(page) == []
    await keep(page, "wallet-consent")
    await page.click(f".choice button >> nth={tap}")
    await page.wait_for_selector("text=已出示给" if tap == 0 else "text=您已拒绝")
    found = await house.store.consents.request("bank-client", request_id)
    assert found is not None
    assert found.state is expected
    said = (await house.result(bank, made))[1]
    assert said.get("consent_id") == (consent_id if tap == 0 else None)


async def test_the_checker_finds_what_it_looks_for(page: Any) -> None:  # noqa: F811
    await page.set_content("<html><body><img src='x.png'><p style='color:#bbb;background:#fff'>pale</p></body></html>")
    found = " ".join(await faults_of(page))
    for rule in ("image-alt", "color-contrast", "html-has-lang"):
        assert rule in found
