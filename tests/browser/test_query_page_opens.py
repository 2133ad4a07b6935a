"""The query page as it opens: nobody is greeted by a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_query_page import here, log_in, page  # noqa: F401  (fixtures)
from tests.fakes.login_house import House

pytestmark = pytest.mark.anyio


async def test_nothing_is_asked_before_there_is_a_login(page: Any, here: House) -> None:  # noqa: F811
    asked: list[int] = []
    page.on("response", lambda response: asked.append(response.status) if response.request.method == "POST" else None)
    await page.goto(f"{here.base_url}/graphql", wait_until="networkidle")
    await page.wait_for_selector(".graphiql-query-editor >> text=@purpose")
    await page.wait_for_selector("#yimen-login")
    assert asked == []
    assert "UNAUTHENTICATED" not in await page.inner_text("body")
    await log_in(page, here)
    async with page.expect_response(
        lambda response: response.request.method == "POST" and response.url.endswith("/graphql") and response.ok
    ):
        await page.reload()  # the schema is asked for again, under a new key
