"""The query page as it opens: nobody is greeted by a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.web.settings import WebSettings
from tests.browser.test_query_page import page  # noqa: F401  (the fixture)
from tests.fakes.execute import TOKEN
from tests.gateway.web.conftest import running

pytestmark = pytest.mark.anyio


async def test_nothing_is_asked_before_there_is_a_token(page: Any) -> None:  # noqa: F811
    asked: list[int] = []
    page.on("response", lambda response: asked.append(response.status) if response.request.method == "POST" else None)
    async with running(WebSettings(graphiql=True)) as web:
        await page.goto(web.url, wait_until="networkidle")
        await page.wait_for_selector(".graphiql-query-editor >> text=@purpose")
        assert asked == []
        assert "UNAUTHENTICATED" not in await page.inner_text("body")
        await page.fill("#yimen-token", TOKEN)
        async with page.expect_response(lambda response: response.request.method == "POST"):
            await page.click("header button[type=submit]")  # now the schema is asked for, and given
        assert asked[0] == 200
        async with page.expect_response(lambda response: response.request.method == "POST"):
            await page.reload()
