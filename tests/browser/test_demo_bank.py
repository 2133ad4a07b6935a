"""The demo as a newcomer has it: the printed link, a card, the bank's page, an account; then 流管办's record changes.

Everything is real: `python -m demo`, its departments, the gateway, the bank's own website; a browser context is a phone.
With YIMEN_SCREENSHOTS set to a folder, the pages are kept there.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest

from demo import wallet_link
from demo.places import Places
from tests.browser.accessible import faults_of
from tests.browser.test_consent_page import keep
from tests.browser.test_query_page import page  # noqa: F401  (the fixture)
from tests.demo.running import running_demo
from tests.flows.node_modules_of import installed

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]  # seconds; the demo starts within
PHONE, TWO_MINUTES, ONE_MINUTE = {"width": 390, "height": 844}, 120, 60  # pixels; seconds
SCANNER = "jsqr@1.4.0"
SCAN = """async (png) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + png;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
  const pen = canvas.getContext('2d');
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, image.width, image.height);
  const found = jsQR(data, image.width, image.height);
  return found && found.data;
}"""


class Town:
    def __init__(self, card: dict[str, Any], var: Path) -> None:
        self.card, self.places = card, Places(var)
        self.gateway, self.bank = card["gateway"], card["bank"]

    async def link(self, *, tx_code: bool = False) -> str:
        text = await asyncio.to_thread(wallet_link.another, self.places, self.card, tx_code=tx_code)
        return text.split("\n", 1)[0]

    async def move(self, *, away: bool) -> str:
        return await asyncio.to_thread(wallet_link.move, self.places, self.card, away=away)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    var = tmp_path_factory.mktemp("demo")
    with running_demo(var, within_s=180) as (_, card, _processes):
        yield Town(card, var)


@pytest.fixture
async def phone(page: Any) -> AsyncIterator[Any]:  # noqa: F811
    """张三's, with whatever its pages complained of."""
    async with _device(page) as opened:
        yield opened
        assert opened.complaints == []


@asynccontextmanager
async def _device(page: Any) -> AsyncIterator[Any]:  # noqa: F811
    """A browser that shares nothing with any other."""
    context = await page.context.browser.new_context(viewport=PHONE, locale="zh-CN")
    opened = await context.new_page()
    opened.set_default_timeout(30_000)  # ms
    opened.complaints = []
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    await context.close()


async def receive(device: Any, link: str) -> None:
    await device.goto(link)
    await device.click("#take")
    await device.wait_for_selector("section.card[data-state=VALID], [data-code=RECEIVED]")


async def ask_here(device: Any, town: Town) -> None:
    """The bank's first button: to the wallet on the same device."""
    await device.goto(town.bank)
    await device.click("button >> nth=0")
    await device.wait_for_selector(".choice, h1:has-text('您没有')")


async def test_from_the_link_to_an_account_in_two_minutes_and_dead_before_ones_eyes(town: Town, phone: Any) -> None:
    began = time.monotonic()
    await phone.goto(town.card["wallet"])
    await phone.wait_for_selector("#take")
    text = await phone.inner_text("#page")
    for words in ("佛山市禅城区司法局", "居住证明", "张*"):
        assert words in text
    assert "张三" not in text
    assert await phone.locator("button").count() == 1
    await phone.click("#take")  # the second tap, after the one on the link
    await phone.wait_for_selector("section.card[data-state=VALID] >> nth=1")
    await phone.goto(town.bank)
    await keep(phone, "bank-start")
    assert await faults_of(phone) == []
    await phone.click("button >> nth=0")
    await phone.wait_for_selector(".choice")
    asked = await phone.inner_text("#page")
    for words in ("惠民银行", "核实您现在住在哪个区", "现居住地", "姓名", "对方看不到：居住地址"):
        assert words in asked
    await phone.click(".choice button >> nth=0")
    await phone.wait_for_url("**/account")
    said = await phone.inner_text("main")
    for words in ("账户已开立", "广东省佛山市禅城区", "张三", "佛山市禅城区司法局", "少跑一趟"):
        assert words in said
    assert "祖庙街道" not in said  # the address was not asked for
    assert time.monotonic() - began < TWO_MINUTES
    await keep(phone, "bank-account")
    assert await faults_of(phone) == []

    await phone.goto(f"{town.gateway}/wallet")
    await phone.wait_for_selector("section.card[data-state=VALID] >> nth=1")
    await town.move(away=True)
    await phone.wait_for_selector("section.card[data-state=REVOKED]", timeout=ONE_MINUTE * 1000)
    assert "居住证明" in await phone.inner_text("section.card[data-state=REVOKED]")
    assert await phone.get_attribute("section.card[data-state=REVOKED] a[href*='/me/']", "href")  # again: one tap
    await ask_here(phone, town)
    assert "已撤销，不能出示" in await phone.inner_text("#page")
    await phone.click("text=告诉对方我没有")
    await phone.wait_for_url("**/account")
    assert "您没有出示，这没有关系" in await phone.inner_text("main")

    await town.move(away=False)
    await phone.goto(town.card["inbox"])  # the newest message first
    await phone.click("a.button >> nth=0")
    await phone.click("#take")
    await phone.wait_for_selector("[data-code=RECEIVED]")
    await ask_here(phone, town)
    await phone.click(".choice button >> nth=0")
    await phone.wait_for_selector("text=账户已开立")


async def scanned(page: Any, code: str) -> str:  # noqa: F811
    """What somebody else's scanner (npm jsqr) reads from a picture of the code on the screen."""
    picture = base64.b64encode(await page.locator(code).screenshot()).decode()
    context = await page.context.browser.new_context()
    camera = await context.new_page()
    await camera.add_script_tag(path=installed("jsqr", SCANNER) / "node_modules" / "jsqr" / "dist" / "jsQR.js")
    text = await camera.evaluate(SCAN, picture)
    await context.close()
    assert text, "no code could be read"
    return str(text)


async def test_a_phone_scans_what_another_browser_shows_refuses_and_then_agrees(
    town: Town,
    phone: Any,
    page: Any,  # noqa: F811
) -> None:
    await receive(phone, await town.link())
    for tap, words in ((1, "您没有出示，这没有关系"), (0, "账户已开立")):
        await page.goto(town.bank)
        await page.click("button >> nth=1")
        await page.wait_for_selector("section svg")
        await keep(page, "bank-waiting")
        assert await faults_of(page, renews=True) == []
        link = await scanned(page, "section svg")
        assert link == await page.get_attribute("main a.button", "href")
        await phone.goto(link)
        await phone.click(f".choice button >> nth={tap}")
        await page.wait_for_selector(f"text={words}")
    await keep(page, "bank-account-desk")


async def test_the_answer_comes_back_to_the_browser_that_began_and_to_no_other(
    town: Town,
    phone: Any,
    page: Any,  # noqa: F811
) -> None:
    await receive(phone, await town.link())
    await ask_here(phone, town)
    gone: list[str] = []

    async def caught(route: Any) -> None:
        gone.append(route.request.url)
        await route.fulfill(status=200, body="<p id=caught>bank</p>", content_type="text/html")

    await phone.route(f"{town.bank}/back**", caught)
    await phone.click(".choice button >> nth=0")
    await phone.wait_for_selector("#caught")
    back = phone.url  # with the response code in its fragment
    assert "response_code=" in back
    assert all("response_code" not in one for one in gone)  # which no server is sent
    await page.goto(back)
    await page.wait_for_url("**/lost")
    assert "在您开始办理的那个浏览器里" in await page.inner_text("main")
    await page.goto(town.bank)  # also not one that has begun something of its own
    await page.click("button >> nth=1")
    await page.wait_for_selector("section svg")
    await page.goto(back)
    await page.wait_for_url("**/lost")
    await phone.unroute(f"{town.bank}/back**")
    await phone.goto("about:blank")
    await phone.goto(back)
    await phone.wait_for_selector("text=账户已开立")


async def test_a_clerk_asks_at_the_counter_and_reads_it_once(town: Town, phone: Any, page: Any) -> None:  # noqa: F811
    await receive(phone, await town.link())
    lin = town.card["accounts"][0]
    await page.goto(f"{town.gateway}/counter")
    await page.fill("[name=login]", lin["login"])
    await page.fill("[name=password]", lin["password"])
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[name=code]")
    await page.fill("[name=code]", pyotp.TOTP(lin["totp"]).now())
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=柜台：居住情况")
    await keep(page, "counter")
    assert await faults_of(page) == []
    await page.fill("#reference-counter-residence", "2026-118")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".qr svg")
    await keep(page, "counter-waiting")
    assert await faults_of(page, renews=True) == []
    await phone.goto(await scanned(page, ".qr svg"))
    await phone.wait_for_selector(".choice")
    assert "2026-118" in await phone.inner_text("#page")
    await phone.click(".choice button >> nth=0")
    await page.click("text=查看结果")
    said = await page.inner_text("main")
    for words in ("核验通过", "居住证明", "佛山市禅城区司法局", "事实截至"):
        assert words in said
    await keep(page, "counter-result")
    assert await faults_of(page) == []
    await page.goto(f"{town.gateway}/counter")
    await page.fill("#reference-counter-residence", "2026-119")
    await page.keyboard.press("Enter")
    await phone.goto(await scanned(page, ".qr svg"))
    await phone.click(".choice button >> nth=1")
    await page.click("text=查看结果")
    assert "不出示没有不利后果" in await page.inner_text("main")


async def test_a_transaction_code_told_at_the_counter(town: Town, phone: Any) -> None:
    text = await asyncio.to_thread(wallet_link.another, town.places, town.card, tx_code=True)
    link, _, told = text.partition("\n")
    await phone.goto(link)
    await phone.fill("#tx_code", told.rpartition(": ")[2])
    await phone.click("#take")
    await phone.wait_for_selector("section.card[data-state=VALID] >> nth=1")
