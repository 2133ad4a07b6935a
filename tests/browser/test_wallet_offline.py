"""Without a network the page opens, the card is there, and what it shows is checked by our verifier alone."""

from __future__ import annotations

import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credentials.checked import Outcome, Verdict
from credentials.trust import Trust
from credentials.verifying import Binding, verify
from gateway.services.credentials.ports import CredentialState
from tests.browser.test_consent_page import keep
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (the fixture)
from tests.browser.test_wallet_receiving import house, page, receive  # noqa: F401  (fixtures)
from tests.fakes.wallet_house import WalletHouse

pytestmark = pytest.mark.anyio


async def trust_of(house: WalletHouse) -> Trust:  # noqa: F811
    async with house.client.get(f"{house.url}/credentials/trust-anchors") as reply:
        told = await reply.json()
    anchors = [ssl.PEM_cert_to_DER_cert(one["pem"]) for one in told["anchors"] if one["use"] == "issuer"]
    return Trust(anchors=anchors)


async def offline(page: Any) -> None:  # noqa: F811
    """The worker has everything, and then the network is gone."""
    await page.wait_for_function(
        "caches.keys().then((all) => all.length === 1 && caches.open(all[0]).then((one) => one.keys()).then((kept) => kept.length >= 6))"
    )
    await page.context.set_offline(True)


async def test_shown_at_a_counter_without_a_network(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    await page.wait_for_selector("[data-state=VALID]")
    await offline(page)
    page.watched.quiet = True  # Chromium says that there is no network, as often as the page tries
    await page.goto(f"{house.url}/wallet")
    await page.wait_for_selector("section.card")
    await page.wait_for_selector("text=现在连不上网")
    assert "上次核对于" in await page.inner_text("section.card")  # the age of what is known, not a promise
    await keep(page, "wallet-offline-cards")
    await page.click("a[href^='#offline']")
    await page.wait_for_selector("#make")
    assert await page.locator("input[type=checkbox]:checked").count() == 0  # nothing is given unasked
    await page.click("text=姓名")
    await page.fill("#check_code", "730112")
    await keep(page, "wallet-offline-choose")
    await page.click("#make")
    await page.wait_for_selector("canvas.qr")
    await keep(page, "wallet-offline-code")
    text = await page.input_value("#presentation")
    async with page.expect_download() as download:
        await page.click("#save")
    saved = await (await download.value).path()
    assert saved.read_text() == text
    checked = verify(
        text, trust=await trust_of(house), now=datetime.now(UTC), binding=Binding(f"{house.url}/verify", "730112")
    )
    assert {one.name for one in checked.checks if one.outcome is Outcome.FAILED} == set(), checked.checks
    assert checked.claims["name"] == "张三"
    assert checked.claims["livesInDistrict"] == "440604"
    assert "address" not in checked.claims
    assert "residentSince" not in checked.claims
    replayed = verify(
        text, trust=await trust_of(house), now=datetime.now(UTC), binding=Binding(f"{house.url}/verify", "999999")
    )
    assert replayed.verdict is Verdict.BAD
    late = datetime.now(UTC) + timedelta(minutes=10)
    assert (
        verify(text, trust=await trust_of(house), now=late, binding=Binding(f"{house.url}/verify", "730112")).verdict
        is Verdict.BAD
    )
    await page.goto(f"{house.url}/wallet#history")
    await page.wait_for_selector("ul.history")
    assert "柜台（离线）" in await page.inner_text("ul.history")


async def test_the_codes_together_are_the_text(house: WalletHouse, page: Any) -> None:  # noqa: F811
    """Each part within a code a cheap camera reads: version 17 at most."""
    await receive(house, page)
    frames, text, versions = await page.evaluate(
        "W.all('cards').then(async ([card]) => { const text = await W.presentOffline(card, [['name']], ''); const all = W.frames(text);"
        " return [all, text, all.map((one) => W.qr(one).version)] })"
    )
    parts = [one.split(":", 3) for one in frames]
    assert [one[0] for one in parts] == ["yimen-vp"] * len(frames)
    assert len({one[1] for one in parts}) == 1
    assert [one[2] for one in parts] == [f"{i}/{len(frames)}" for i in range(1, len(frames) + 1)]
    assert "".join(one[3] for one in parts) == text
    assert max(versions) <= 17
    kb = json.loads(base64.urlsafe_b64decode(text.rpartition("~")[2].split(".")[1] + "=="))
    assert kb["aud"] == f"{house.url}/verify"
    assert len(kb["nonce"]) >= 20


async def test_a_code_on_the_screen_goes_when_the_card_is_revoked(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await receive(house, page)
    await page.click("a[href^='#offline']")
    await page.click("#make")
    await page.wait_for_selector("canvas.qr")
    await house.set_state(CredentialState.REVOKED)
    await page.wait_for_selector("[data-code=REVOKED_WHY]", timeout=15_000)
    assert await page.locator("canvas.qr").count() == 0


async def test_with_reduced_motion_the_codes_wait_for_a_tap(house: WalletHouse, page: Any) -> None:  # noqa: F811
    await page.emulate_media(reduced_motion="reduce")
    await receive(house, page)
    await page.click("a[href^='#offline']")
    await page.click("#make")
    await page.wait_for_selector("canvas.qr")
    first = await page.inner_text("#frame")
    await page.click("text=下一张")
    assert await page.inner_text("#frame") != first
