"""Invited, enrolled and logged in with a passkey, in a real browser with a virtual authenticator (CDP, WebAuthn domain)."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from gateway.store.tables.login import login_passkey, login_session
from tests.browser.test_query_page import here, page  # noqa: F401  (fixtures)
from tests.fakes.login_house import LOGIN, House

pytestmark = pytest.mark.anyio
PASSWORD = "an 长 enough password"


async def authenticator(page: Any, *, verifies: bool = True) -> tuple[Any, str]:  # noqa: F811
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": verifies, "automaticPresenceSimulation": True,
    }  # fmt: skip
    added = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return cdp, added["authenticatorId"]


async def invited(page: Any, here: House) -> None:  # noqa: F811
    link = await here.parts.set_up.invite(LOGIN)
    await page.goto(link)
    await page.fill("#password", PASSWORD)
    await page.fill("#again", PASSWORD)
    await page.click("button[type=submit]")
    await page.wait_for_selector("text=设置第二步验证")


async def first_step(page: Any, here: House) -> None:  # noqa: F811
    await page.goto(f"{here.base_url}/login")
    await page.fill("#login", LOGIN)
    await page.fill("#password", PASSWORD)
    await page.click("button[type=submit]")
    await page.wait_for_selector("text=第二步验证")


async def test_a_passkey_is_registered_and_logs_in_at_level_three(page: Any, here: House) -> None:  # noqa: F811
    cdp, held = await authenticator(page)
    await invited(page, here)
    await page.click("form[data-passkey=create] button")
    await page.wait_for_url(f"{here.base_url}/login")
    await first_step(page, here)
    assert await page.locator("#code").count() == 0  # the code of before went with the invitation
    await page.click("form[data-passkey=get] button")
    await page.wait_for_selector("text=认证级别 3")
    async with here.store.database.read() as connection:
        key = (await connection.execute(sa.select(login_passkey))).one()
        session = (await connection.execute(sa.select(login_session))).one()
    assert key.sign_count >= 1
    assert session.level == 3
    assert session.amr == '["pwd","hwk","user"]'
    await cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": held})


async def test_a_passkey_that_verifies_nobody_is_not_enough(page: Any, here: House) -> None:  # noqa: F811
    cdp, held = await authenticator(page)
    await invited(page, here)
    await page.click("form[data-passkey=create] button")
    await page.wait_for_url(f"{here.base_url}/login")
    await first_step(page, here)
    await cdp.send("WebAuthn.setUserVerified", {"authenticatorId": held, "isUserVerified": False})
    await page.click("form[data-passkey=get] button")
    await page.wait_for_selector("form[data-passkey=get] .notice:visible")
    async with here.store.database.read() as connection:
        assert (await connection.execute(sa.select(login_session))).one_or_none() is None


async def test_a_code_from_the_shown_secret_enrols_too_and_the_link_is_spent(page: Any, here: House) -> None:  # noqa: F811
    link = await here.parts.set_up.invite(LOGIN)
    await page.goto(link)
    await page.fill("#password", "1234567890")
    await page.fill("#again", "1234567890")
    await page.click("button[type=submit]")
    await page.wait_for_selector("text=过于常见")
    await page.fill("#password", PASSWORD)
    await page.fill("#again", PASSWORD)
    await page.click("button[type=submit]")
    secret = (await page.inner_text("code")).replace(" ", "")
    assert await page.evaluate("document.querySelector('img').naturalWidth") > 100  # the square code is drawn
    await page.fill("#code", pyotp.TOTP(secret).now())
    await page.click("form[action='/login/enrol'] button")
    await page.wait_for_url(f"{here.base_url}/login")
    await page.goto(link)
    await page.wait_for_selector("text=此链接已使用或已过期")
