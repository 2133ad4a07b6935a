"""From the wallet on a phone to the verifier at a counter, with no network between them and none at the counter."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from credentials.kit import read_kit
from gateway.cli import main
from gateway.services.credentials.ports import CredentialState
from tests.browser.test_wallet_receiving import browser_page, house, page, receive  # noqa: F401  (fixtures)
from tests.fakes.wallet_house import WalletHouse

pytestmark = pytest.mark.anyio


async def _verifier(house: WalletHouse, page: Any, folder: Path) -> Any:  # noqa: F811
    """The downloaded page in a browser of its own that has no network."""
    async with house.client.get(f"{house.url}/verify?kit=with") as reply:
        assert reply.status == 200
        file = folder / "yimen-verify.html"
        file.write_bytes(await reply.read())
    context = await page.context.browser.new_context(offline=True)
    counter = await context.new_page()
    counter.faults = []
    counter.on("pageerror", lambda error: counter.faults.append(str(error)))
    await counter.goto(file.as_uri())
    await counter.wait_for_selector("#kit :text('核验包：')")
    return counter


async def _kit_after(house: WalletHouse, moment: datetime) -> None:  # noqa: F811
    """A kit is given out for as long as this house's lists may be cached: a second."""
    async with asyncio.timeout(20):
        while True:
            async with house.client.get(f"{house.url}/credentials/kit") as reply:
                if read_kit(await reply.text()).made_at >= moment:
                    return
            await asyncio.sleep(0.1)


async def _shown(page: Any, code: str) -> str:  # noqa: F811
    await page.goto(page.url.split("#")[0])
    await page.click("a[href^='#offline']")
    await page.wait_for_selector("#make")
    await page.click("text=姓名")
    await page.fill("#check_code", code)
    await page.click("#make")
    await page.wait_for_selector("canvas.qr")
    return str(await page.input_value("#presentation"))


async def _verdict(counter: Any, text: str, code: str) -> str:
    await counter.evaluate("document.getElementById('out').replaceChildren()")
    await counter.fill("#code", code)
    await counter.fill("#text", text)
    await counter.click("#check")
    await counter.wait_for_selector("#verdict")
    return str(await counter.get_attribute("#verdict", "class"))


async def test_shown_with_the_counters_code_and_dead_when_it_is_revoked(
    house: WalletHouse,  # noqa: F811
    page: Any,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await receive(house, page)
    await page.goto(f"{house.url}/wallet")
    await page.wait_for_selector("[data-state=VALID]")
    counter = await _verifier(house, page, tmp_path)
    code = await counter.input_value("#code")
    text = await _shown(page, code)
    assert await _verdict(counter, text, code) == "good"
    said = await counter.inner_text("#out")
    for words in ("居住证明", "张三", "有效", "已用本次核对码"):
        assert words in said
    assert "祖庙街道" not in said  # not chosen, not shown
    assert await _verdict(counter, text, "000000") == "bad"

    (tmp_path / "shown.txt").write_text(text)
    async with house.client.get(f"{house.url}/credentials/kit") as reply:
        (tmp_path / "yimen-kit.jwt").write_text(await reply.text())
    command = ["verify", str(tmp_path / "shown.txt"), "--kit", str(tmp_path), "--nonce", code]
    assert await asyncio.to_thread(main, command) == 0
    assert "居住证明" in capsys.readouterr().out

    await house.set_state(CredentialState.REVOKED)
    assert await _verdict(counter, text, code) == "good"  # what it does not know, it says the age of
    await _kit_after(house, datetime.now(UTC))
    again = await _verifier(house, page, tmp_path)
    assert await _verdict(again, text, code) == "bad"
    assert "已被签发者撤销" in await again.inner_text("#out")
    assert [*counter.faults, *again.faults] == []
