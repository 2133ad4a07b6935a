"""The query page in a real browser: an officer logs in, asks, listens; it obeys its policy, and it forgets."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from tests.fakes.login_house import LOGIN, PASSWORD, TOTP, House, house

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


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, host="localhost") as opened:
        await opened.enrol()
        yield opened


EDITOR = ".graphiql-query-editor .CodeMirror"


async def ask(page: Any, question: str) -> None:
    """Types `question`, whose brackets the editor closes, in the place of what stands there, and runs it.

    The editor is built anew at a login: what was typed into the old one is typed again.
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


async def log_in(page: Any, here: House) -> None:
    """From the query page to the login pages and back, as a person does it."""
    await page.goto(f"{here.base_url}/graphql")
    await page.click("#yimen-login")
    await page.fill("#login", LOGIN)
    await page.fill("#password", PASSWORD)
    await page.click("button[type=submit]")
    await page.fill("#code", pyotp.TOTP(TOTP).now())
    await page.click("button[type=submit]")
    await page.wait_for_selector("#yimen-who")


async def test_a_login_a_question_a_subscription_and_the_way_out(page: Any, here: House) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    schemes: set[str] = set()
    page.on("request", lambda request: asked.append(request.url))
    page.on("request", lambda request: schemes.add(request.headers.get("authorization", "").split(" ")[0]))
    nonce_asked = ("401", "400")  # Chromium notes a refusal that asks for a nonce, and the page then brings it
    page.on(
        "console", lambda one: None if any(code in one.text for code in nonce_asked) else complaints.append(one.text)
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await log_in(page, here)
    assert await page.inner_text("#yimen-who") == "周凯"
    await page.wait_for_selector(".graphiql-query-editor >> text=@purpose")
    await ask(page, "{ __typename")
    await page.wait_for_selector(".result-window >> text=__typename")
    await ask(page, "subscription { count(to: 3")
    await page.wait_for_selector(".result-window >> text=count")
    await page.wait_for_function("document.querySelector('.result-window').innerText.includes('2')")
    kept = await page.evaluate(
        "[Object.keys(sessionStorage), Object.entries(localStorage), document.cookie, (location.search + location.hash)]"
    )
    assert kept == [[], [], "", ""]
    assert schemes == {"", "DPoP"}
    assert all(url.startswith(f"{here.base_url}/") for url in asked)
    assert [url for url in asked if "?" in url] == [f"{here.base_url}/login?continue=%2Fgraphql"]
    await page.click("#yimen-logout")
    await page.wait_for_selector("#yimen-login")
    await page.reload()
    await page.wait_for_selector("#yimen-login")
    assert complaints == []


async def test_the_pages_key_cannot_be_read_out_and_a_stolen_token_is_worth_nothing(page: Any, here: House) -> None:
    tokens: list[str] = []
    page.on("request", lambda request: tokens.append(request.headers.get("authorization", "")))
    await log_in(page, here)
    async with page.expect_response(lambda response: response.url.endswith("/graphql") and response.status == 200):
        await ask(page, "{ __typename")
    stolen = next(token for token in tokens if token)
    answer = await page.request.post(
        f"{here.base_url}/graphql", headers={"authorization": stolen}, data={"query": "{ __typename }"}
    )
    assert answer.status == 401
    assert "error=" in answer.headers["www-authenticate"]
    await page.click("#yimen-logout")
    await page.wait_for_selector("#yimen-login")
