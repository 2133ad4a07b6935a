"""Somebody asks, the wallet says who and what for, and one tap shows it or refuses: over the gateway's own verifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.services.credentials.ports import CredentialState
from tests.browser.test_consent_page import keep
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (the fixture)
from tests.browser.test_wallet_receiving import NARROW, house, page, receive  # noqa: F401  (fixtures)
from tests.fakes.show_house import BACK
from tests.fakes.wallet_house import WalletHouse
from tests.flows.town import until

pytestmark = pytest.mark.anyio


async def ask(house: WalletHouse, page: Any, **changes: Any) -> tuple[Any, Mapping[str, Any]]:  # noqa: F811
    """The bank's link, opened on the phone as its camera opens a QR code."""
    bank, made = await house.ask(**changes)
    await page.goto(made["links"]["wallet"])
    return bank, made


async def test_it_is_shown_with_exactly_the_claims_that_were_read_out(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    bank, made = await ask(house, page)
    await page.wait_for_selector("text=对方会看到")
    text = await page.inner_text("#page")
    assert "核实您现在住在哪个区" in text
    assert "acc-2026-118" in text
    assert "440604" in text
    assert "张三" in text
    assert "对方看不到：居住地址、登记日期" in text
    yes, no = [await one.bounding_box() for one in await page.locator(".choice button").all()]
    assert (yes["width"], yes["height"], yes["y"]) == (no["width"], no["height"], no["y"])  # neither weighs more
    style = "one => { const s = getComputedStyle(one); return [s.backgroundColor, s.color, s.borderColor, s.fontSize] }"
    looks = [await one.evaluate(style) for one in await page.locator(".choice button").all()]
    assert looks[0] == looks[1]
    await keep(page, "wallet-asked")
    assert (await house.result(bank, made))[0] == 202
    await page.click(".choice button >> nth=0")
    await page.wait_for_selector("text=已出示给")
    await keep(page, "wallet-shown")
    status, said = await house.result(bank, made)
    assert (status, said["state"]) == (200, "ANSWERED"), said
    (shown,) = said["credentials"]
    told = {one["name"]: one["value"] for one in shown["claims"]}
    assert (told["livesInDistrict"], told["name"]) == ("440604", "张三")
    assert told.keys() & {"address", "residentSince"} == set()  # asked for by nobody, so given to nobody
    await page.click("text=看我的证照")
    await page.click("a[href='#history']")
    await page.wait_for_selector("ul.history")
    history = await page.inner_text("ul.history")
    assert {one in history for one in ("居住证明", "现居住区划", "姓名", "已出示")} == {True}
    await keep(page, "wallet-history")
    await page.click("text=全部清除")
    await page.wait_for_selector("text=还没有出示过")


async def test_one_tap_refuses_and_gives_nothing(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    bank, made = await ask(house, page)
    await page.click(".choice button >> nth=1")
    await page.wait_for_selector("text=您已拒绝，什么也没有给出")
    await keep(page, "wallet-refused")
    status, said = await house.result(bank, made)
    assert (status, said["state"]) == (200, "REFUSED"), said
    assert "440604" not in str(said)


async def test_on_the_same_device_it_goes_back_with_its_response_code(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    gone: list[str] = []

    async def bank_site(route: Any) -> None:
        gone.append(route.request.url)
        await route.fulfill(status=200, body="<p id=back>bank</p>", content_type="text/html")

    await page.route(f"{BACK}**", bank_site)
    await ask(house, page, same_device=True, return_to=BACK)
    await page.click(".choice button >> nth=0")
    await page.wait_for_selector("#back")
    assert "response_code=" in page.url


async def test_two_documents_and_one_missing_is_said(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    bank, made = await ask(house, page, template="bank-account-opening")
    await page.wait_for_selector("text=您没有对方要的稳定收入证明")
    await keep(page, "wallet-missing")
    await receive(house, page, "stable-income")
    await page.goto(made["links"]["wallet"])  # their link still stands
    await page.wait_for_selector(".choice")
    assert await page.locator("section.ask").count() == 2
    await page.click(".choice button >> nth=0")
    await page.wait_for_selector("text=已出示给")
    assert (await house.result(bank, made))[1]["state"] == "ANSWERED"


async def test_who_has_nothing_may_say_so(house: WalletHouse, page: Any) -> None:  # noqa: F811
    bank, made = await ask(house, page)
    await page.click("text=告诉对方我没有")
    await page.wait_for_selector("text=已告诉对方")
    assert (await house.result(bank, made))[1]["state"] == "REFUSED"


async def test_revoked_while_the_question_stands_there_it_cannot_be_shown(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    await ask(house, page)
    await page.wait_for_selector(".choice")
    await house.set_state(CredentialState.REVOKED)
    await page.wait_for_selector("[data-code=MISSING_DEAD]", timeout=15_000)
    assert "已撤销" in await page.inner_text("[data-code=MISSING_DEAD]")


async def test_the_person_chooses_among_several_cards(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page, "residence", "residence")
    if (await page.evaluate("W.all('cards').then((all) => all.length)")) == 2:
        await ask(house, page)
        await page.wait_for_selector(".choice")
        usable = await page.evaluate("W.all('cards').then((all) => all.filter(W.usable).length)")
        assert await page.locator("input[type=radio]").count() == (2 if usable == 2 else 0)


async def test_each_showing_uses_another_copy(house: WalletHouse, page: Any) -> None:  # noqa: F811
    used = "W.all('cards').then((all) => all[0].copies.map((one) => one.used).join())"
    await receive(house, page)
    for expected in ("1,0,0,0", "1,1,0,0"):
        await ask(house, page)
        await page.click(".choice button >> nth=0")
        await page.wait_for_selector("text=已出示给")  # of an earlier showing, it may be
        await until(lambda: page.evaluate(used), lambda found, expected=expected: bool(found == expected), within_s=15)  # type: ignore[misc]


async def test_with_the_keyboard_alone_on_the_narrowest_screen(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await page.set_viewport_size(NARROW)
    await receive(house, page)
    bank, made = await ask(house, page)
    await page.wait_for_selector(".choice")
    await keep(page, "wallet-asked-narrow")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=您已拒绝")
    assert (await house.result(bank, made))[1]["state"] == "REFUSED"


SPOILS: Mapping[str, tuple[str, Callable[[list[str]], list[str]]]] = {
    "another signature": ("ASKER_UNKNOWN", lambda parts: [parts[0], parts[1], parts[2][:-6] + "AAAAAA"]),
    "not a JWS": ("ASKER_UNKNOWN", lambda parts: parts[:2]),
}


@pytest.mark.parametrize("name", SPOILS)
async def test_a_request_that_was_tampered_with_shows_nothing_and_asks_nothing(
    house: WalletHouse,  # noqa: F811
    page: Any,  # noqa: F811
    name: str,
) -> None:
    code, spoil = SPOILS[name]
    await receive(house, page)

    async def spoilt(route: Any) -> None:
        answer = await route.fetch()
        parts = (await answer.text()).split(".")
        await route.fulfill(response=answer, body=".".join(spoil(parts)))

    await page.route("**/openid4vp/requests/**", spoilt)
    await ask(house, page)
    await page.wait_for_selector(f"[data-code={code}]")
    assert await page.locator(".choice").count() == 0
    assert not any("/openid4vp/responses/" in one for one in page.watched.asked)


async def test_another_client_id_in_the_link_is_not_believed(house: WalletHouse, page: Any) -> None:  # noqa: F811
    _, made = await house.ask()
    await page.goto(made["links"]["wallet"].replace("x509_hash", "x509_hush").replace("client_id=", "client_id=x"))
    await page.wait_for_selector("[data-code=ASKER_UNKNOWN]")


async def test_a_request_from_elsewhere_is_not_even_fetched(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await page.goto(f"{house.url}/wallet?client_id=x509_hash%3Aabc&request_uri=https%3A%2F%2Fevil.example%2Fr")
    await page.wait_for_selector("[data-code=OTHER_VERIFIER]")
    assert not any("evil.example/r" in one.split("?")[0] for one in page.watched.asked)


async def test_a_request_that_is_over_says_so(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    _, made = await ask(house, page)
    await page.click(".choice button >> nth=1")
    await page.wait_for_selector("text=您已拒绝")
    await page.goto(made["links"]["wallet"])
    await page.wait_for_selector("[data-code=REQUEST_GONE]")
