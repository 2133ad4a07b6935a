"""The way from a client and back, and by way of a provider, in a real browser: what its policy lets a form's answer lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest

from demo.oidc_provider import OidcClientEntry, OidcProvider, OidcUser
from demo.serving import serving_app
from gateway.clock import SystemClock
from tests.browser.test_query_page import here, page  # noqa: F401  (fixtures)
from tests.fakes.authorization import OFFICER, Desk, answer_of
from tests.fakes.login_house import LOGIN, PASSWORD, TOTP, House, house

pytestmark = pytest.mark.anyio


async def test_a_client_sends_an_officer_and_gets_the_code(page: Any, here: House) -> None:  # noqa: F811
    desk = Desk(here.store, SystemClock(), base=here.base_url)
    await desk.register_all(OFFICER)
    back: list[str] = []

    async def client(route: Any) -> None:
        back.append(route.request.url)
        await route.fulfill(status=200, content_type="text/html", body="<p>back at the client</p>")

    await page.route("https://desk.example/**", client)
    asked = {"client_id": "desk", "request_uri": await desk.push()}
    await page.goto(f"{here.base_url}/oauth/authorize?{urlencode(asked)}")
    await page.fill("#login", LOGIN)
    await page.fill("#password", PASSWORD)
    await page.click("button[type=submit]")
    await page.fill("#code", pyotp.TOTP(TOTP).now())
    await page.click("button[type=submit]")
    await page.click("button[value=approve]")
    await page.wait_for_selector("text=back at the client")
    said = answer_of(back[0])
    assert said["iss"] == here.base_url
    assert (await desk.redeem(said["code"]))["token_type"] == "DPoP"


async def test_a_provider_takes_the_officer_in_and_sends_them_back(page: Any, tmp_path: Path) -> None:  # noqa: F811
    provider = OidcProvider("", {}, {LOGIN: OidcUser(LOGIN, "sub-1", "周凯", "pw")})
    async with serving_app(provider.app()) as issuer:
        provider.issuer = provider.answer_iss = issuer
        (tmp_path / "secret").write_text("s" * 40)
        file = tmp_path / "providers.toml"
        file.write_text(
            f'[[providers]]\nname = "gov"\nissuer = "{issuer}"\nclient_id = "yimen"\nsecret_file = "secret"\n'
            'title_zh = "统一认证"\n'
        )
        async with house(tmp_path, host="localhost", oidc_providers_file=file) as opened:
            callback = f"{opened.base_url}/login/oidc/gov/callback"
            provider.clients = {"yimen": OidcClientEntry("yimen", (callback,), "s" * 40)}
            await opened.store.login.accounts.link_external(
                await opened.user_id(), "CC-JUSTICE", issuer, "sub-1", "operator"
            )
            await page.goto(f"{opened.base_url}/graphql")
            await page.click("#yimen-login")
            await page.click("text=统一认证")
            await page.fill("[name=login]", LOGIN)
            await page.fill("[name=password]", "pw")
            await page.click("button")
            await page.wait_for_selector("#yimen-who")
            assert await page.inner_text("#yimen-who") == "周凯"
