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


EDITOR = ".graphiql-query-editor .CodeMirror"


async def ask(page: Any, question: str) -> None:
    """Types `question`, whose brackets the editor closes, in the place of what stands there, and runs it.

    The editor is built anew when a token is entered: what was typed into the old one is typed again.
    """
    for _ in range(10):
        await page.locator(EDITOR).click()
        await page.keyboard.press("Control+A")
        await page.keyboard.type(question)
        await page.keyboard.press("Escape")
        typed = await page.evaluate(f"document.querySelector('{EDITOR}')?.CodeMirror?.getValue() ?? ''")
        if typed.startswith(question) and len(typed) < len(question) + 5:
            break
    # GraphiQL reads what was typed a moment later; until then it would send the name of the operation that stood there.
    await page.get_by_text("<untitled>").first.wait_for()
    await page.keyboard.press("Control+Enter")


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
