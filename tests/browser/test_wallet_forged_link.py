"""What somebody else wrote into a link is not said to a person as if the issuer had."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import pytest

from tests.browser.test_query_page import page as browser_page  # noqa: F401  (the fixture)
from tests.fakes.wallet_house import WalletHouse, wallet_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[WalletHouse]:
    async with wallet_house() as opened:
        yield opened


async def test_a_name_in_a_link_is_not_believed(house: WalletHouse, browser_page: Any) -> None:  # noqa: F811
    """Else whoever has an offer of their own could have somebody take it for theirs."""
    link = (await house.offer("residence")).link
    uri = parse_qs(urlsplit(link).query)["credential_offer_uri"][0]
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(uri) as answer:
        offer = await answer.json()
    offer["masked_name"] = "王*"
    await browser_page.goto(f"{link.partition('?')[0]}?credential_offer={quote(json.dumps(offer))}")
    await browser_page.wait_for_selector("#take")
    assert "王*" not in await browser_page.inner_text("#page")
