"""A person's documents and disputes in a real browser on the narrowest phone: read, had again, disputed; by keyboard, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.services.credentials.facts_digest import facts_text
from gateway.services.credentials.ports import Acting, CredentialState, FactSource
from tests.browser.accessible import faults_of
from tests.browser.test_consent_page import PHONE_SCREEN, come_in, keep
from tests.browser.test_query_page import page  # noqa: F401  (the fixture)
from tests.fakes.person_house import ID_NO, PHONE, PersonHouse, person_house
from tests.gateway.store.credentials.issuing import a_batch

pytestmark = pytest.mark.anyio
NARROW = {"width": 320, "height": 640}
RESIDENCE = {
    "districtName": "广东省佛山市禅城区",
    "livesInDistrict": "440604",
    "name": "张三",
    "address": "祖庙街道福宁路 36 号",
}
INCOME = {"stableIncome": True, "name": "张三"}


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        yield opened


async def _in(house: PersonHouse, page: Any) -> str:  # noqa: F811
    """The person is in and holds two documents, one of which has died."""
    subject = await house.enrol()
    now = house.clock.now()
    office = Acting("office", "JUSTICE_OFFICE", "440604", "2026-1")
    source = FactSource("residence", "LGB", now - timedelta(hours=9))
    for type_id, claims, dead in (("residence", RESIDENCE, False), ("stable-income", INCOME, True)):
        batch = await a_batch(
            house.store,
            subject,
            now,
            type_id=type_id,
            configuration_id=type_id,
            acting=office,
            facts=facts_text(claims, [source]),
        )
        await house.offers.issued.add(
            batch, notification_id=type_id.ljust(24, "n"), next_check_at=now + timedelta(days=1)
        )
        if dead:
            await house.offers.issued.set_state(batch[0].batch_id, CredentialState.REVOKED, "FACT_CHANGED")
    await page.goto(f"{house.url}/me")
    await page.fill("#id_no", ID_NO)
    await page.fill("#phone", PHONE)
    await page.click("button")
    await page.wait_for_selector("text=请看手机")
    await house.settled()
    await come_in(house, page, house.phone.last("PAGES_LINK")["link"])
    await page.wait_for_selector("text=退出，并忘记这台设备")
    return subject


async def test_documents_are_read_and_had_again(house: PersonHouse, page: Any) -> None:  # noqa: F811
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.set_viewport_size(PHONE_SCREEN)
    await _in(house, page)
    await page.goto(f"{house.url}/me/credentials")
    await keep(page, "me-credentials")
    await page.set_viewport_size(NARROW)
    await keep(page, "me-credentials-narrow")
    text = await page.inner_text("main")
    for words in ("居住证明", "有效", "广东省佛山市禅城区", "禅城区流管办", "稳定收入证明", "已失效"):
        assert words in text
    assert "\n：" not in text
    assert await page.locator("text=作废（手机遗失时用）").count() == 1  # what has ended is not ended again
    assert complaints == []
    await page.focus("text=重新申领")
    async with page.expect_navigation(wait_until="commit"):
        await page.keyboard.press("Enter")
    assert page.url.startswith(f"{house.url}/wallet?credential_offer_uri=")


async def test_a_fact_is_disputed_by_keyboard_and_taken_back(house: PersonHouse, page: Any) -> None:  # noqa: F811
    await page.set_viewport_size(NARROW)
    await _in(house, page)
    await page.goto(f"{house.url}/me/disputes/new")
    await keep(page, "me-dispute-what")
    await page.click("text=居住登记")
    labels = await page.locator("label.tick").all_inner_texts()
    assert len(labels) == len(set(labels))  # each said once
    for label in await page.locator("label.tick").all():
        box = await label.bounding_box()
        assert box["height"] >= 32  # a finger hits it
    await page.focus("input[type=radio] >> nth=0")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.type("门牌号是 38 号")
    await keep(page, "me-dispute")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=正在核查")
    await keep(page, "me-disputes")
    await page.click("text=撤回异议")
    await page.wait_for_selector("text=您已撤回")


async def test_nothing_stands_in_anybodys_way(house: PersonHouse, page: Any) -> None:  # noqa: F811
    await page.set_viewport_size(NARROW)
    faults = {}
    await page.goto(f"{house.url}/me")
    faults["entrance"] = await faults_of(page)
    await _in(house, page)
    for path in (
        "",
        "/history",
        "/consents",
        "/credentials",
        "/disputes",
        "/disputes/new",
        "/disputes/new?about=residence",
    ):
        await page.goto(f"{house.url}/me{path}")
        faults[path] = await faults_of(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), path
    assert {path: found for path, found in faults.items() if found} == {}
