"""Consent in a real browser on a phone's screen: read, decided, withdrawn, with nothing but HTML.

With YIMEN_SCREENSHOTS set to a folder, the pages are kept there as a reader of the guide will see them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_query_page import page  # noqa: F401  (the fixture)
from tests.fakes.person_house import ID_NO, PHONE, PersonHouse, person_house
from tests.gateway.web.test_history import EVENT

pytestmark = pytest.mark.anyio
PHONE_SCREEN = {"width": 390, "height": 844}


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        yield opened


async def keep(page: Any, name: str) -> None:  # noqa: F811
    """Nothing of a page stands outside the screen's width; and the picture, where somebody wants it."""
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    folder = os.environ.get("YIMEN_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def come_in(house: PersonHouse, page: Any, link: str) -> None:  # noqa: F811
    await page.goto(link)
    await page.click("text=发送验证码到我的手机")
    await page.fill("#code", house.phone.last("ONE_TIME_CODE")["code"])
    await keep(page, "me-code")
    await page.click("text=进入")


async def test_a_person_agrees_and_withdraws_on_a_phone(house: PersonHouse, page: Any) -> None:  # noqa: F811
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    await page.set_viewport_size(PHONE_SCREEN)
    subject = await house.enrol()
    bank = await house.bank()
    _, answer = await house.ask(bank, datatypes=["insurance.status", "insurance.monthsPaid24", "residence.admin"])
    await house.settled()
    await come_in(house, page, house.phone.last("CONSENT_ASKED")["link"])
    await page.wait_for_selector("text=您同意吗？")
    yes, no = [await button.bounding_box() for button in await page.locator(".choice button").all()]
    assert (yes["width"], yes["height"], yes["y"]) == (no["width"], no["height"], no["y"])  # neither weighs more
    style = "button => { const s = getComputedStyle(button); return [s.backgroundColor, s.color, s.borderColor, s.fontSize] }"
    looks = [await button.evaluate(style) for button in await page.locator(".choice button").all()]
    assert looks[0] == looks[1]
    await keep(page, "me-consent")
    await page.click(".choice button >> nth=0")
    await page.wait_for_selector("text=您已同意")
    await keep(page, "me-given")
    async with page.expect_download() as download:
        await page.click("text=下载同意凭据")
    assert (await download.value).suggested_filename == "consent-receipt.jwt"
    assert (await house.state(bank, answer["request_id"]))[1]["state"] == "GIVEN"
    await page.click("nav >> text=我的同意")
    await keep(page, "me-consents")
    await page.click("text=撤回")
    await page.wait_for_selector("text=您已撤回")
    assert (await house.state(bank, answer["request_id"]))[1]["state"] == "ENDED"
    await house.store.evidence.record(replace(EVENT, subjects=(subject,)))
    await page.click("nav >> text=谁查过我")
    await page.wait_for_selector("text=祖庙司法所")
    await keep(page, "me-history")
    assert all(url.startswith(house.url) for url in asked)
    assert complaints == []


async def test_the_way_in_without_a_link(house: PersonHouse, page: Any) -> None:  # noqa: F811
    await page.set_viewport_size(PHONE_SCREEN)
    await house.enrol()
    await page.goto(f"{house.url}/me")
    await page.fill("#id_no", ID_NO)
    await page.fill("#phone", PHONE)
    await keep(page, "me-enter")
    await page.click("button")
    await page.wait_for_selector("text=请看手机")
    assert "?" not in page.url
    await house.settled()
    await come_in(house, page, house.phone.last("PAGES_LINK")["link"])
    await page.wait_for_selector("text=退出，并忘记这台设备")
    await keep(page, "me-home")
