"""The query page in a real browser: it asks, it listens, it obeys its policy, and it forgets."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.gateway.web.conftest import running

pytestmark = pytest.mark.anyio
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
async def page() -> AsyncIterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium here")
        pytest.skip("there is no chromium here (apt-get install chromium)")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield await browser.new_page()
        await browser.close()


async def ask(page: Any, question: str) -> None:
    """Types `question`, whose brackets the editor closes, and runs it."""
    await page.locator(".graphiql-query-editor .CodeMirror").click()
    await page.keyboard.press("Control+A")
    await page.keyboard.type(question)
    await page.keyboard.press("Escape")
    await page.click("button.graphiql-execute-button")


async def test_a_question_and_a_subscription_from_the_page(page: Any) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if "401" not in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    async with running(WebSettings(graphiql=True)) as web:
        await page.goto(web.url)
        await page.fill("#yimen-token", f'{{"Authorization": "Bearer {TOKEN}"}}')  # the whole header will do
        await page.click("header button[type=submit]")
        await page.wait_for_selector(".graphiql-query-editor >> text=@purpose")
        await ask(page, "{ __typename")
        await page.wait_for_selector(".result-window >> text=__typename")
        await ask(page, "subscription { count(to: 3")
        await page.wait_for_selector(".result-window >> text=count")
        await page.wait_for_function("document.querySelector('.result-window').innerText.includes('2')")
        kept = await page.evaluate(
            "[Object.keys(sessionStorage), Object.entries(localStorage), document.cookie, (location.search + location.hash)]"
        )
        assert kept == [["yimen.token"], [], "", ""]
        assert all(url.startswith(f"http://127.0.0.1:{web.port}/") for url in asked)
        assert all("?" not in url for url in asked)
    assert complaints == []
