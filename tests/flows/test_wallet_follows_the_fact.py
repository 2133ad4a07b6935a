"""The whole way before a person's eyes: a real gateway on real departments, a browser, a card; then 流管办's record changes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.services.credentials.ports import CredentialState
from tests.browser.test_query_page import page  # noqa: F401  (the fixture)
from tests.browser.test_wallet_receiving import SCREEN
from tests.flows.test_credential_follows import Office, office, opened  # noqa: F401  (fixtures)

pytestmark = pytest.mark.anyio


async def test_the_card_on_the_screen_dies_when_the_record_changes(office: Office, page: Any) -> None:  # noqa: F811
    page.set_default_timeout(30_000)  # ms
    await page.set_viewport_size(SCREEN)
    await page.goto((await office.offered()).link)
    await page.click("#take")
    await page.wait_for_selector("[data-state=VALID]")
    assert "居住证明" in await page.inner_text("#page")
    await office.flip(left_on="2026-11-20")
    await office.issued.hasten(office.subject_id, ["residence"])
    await page.wait_for_selector("[data-state=REVOKED]", timeout=60_000)
    await page.wait_for_selector("[data-code=REVOKED_WHY]")
    assert {one.state for one in await office.issued.of_person(office.subject_id)} == {CredentialState.REVOKED}
