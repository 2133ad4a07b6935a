"""The log in a real browser on a phone's screen: walked, filtered, one entry down to its proof, with nothing but HTML.

With YIMEN_SCREENSHOTS set to a folder, the pages are kept there as a reader of the guide will see them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledger.evidence import parse_evidence, verify_evidence
from ledger.merkle import leaf_hash
from ledger.policy import parse_policy
from ledger.proof import parse_proof, verify_proof
from tests.browser.test_consent_page import PHONE_SCREEN, keep
from tests.browser.test_query_page import page  # noqa: F401  (the fixture)
from tests.gateway.web.ledger_house import PERSON, LedgerHouse, ledger_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[LedgerHouse]:
    async with ledger_house() as opened:
        yield opened


async def test_the_log_is_walked_on_a_phone_down_to_one_proof(house: LedgerHouse, page: Any) -> None:  # noqa: F811
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    await page.set_viewport_size(PHONE_SCREEN)
    for at in range(26):
        house.ledger.grow(1, "refusal" if at % 5 == 0 else "query", "bank" if at % 2 else "office")
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    await page.goto(house.url("/ledger"))
    await keep(page, "ledger")
    await page.click("text=更早的")
    assert await page.locator(".card").count() == 6
    await page.select_option("#kind", "refusal")
    await page.click("button >> text=查看")
    assert await page.locator(".card").count() == 6
    await page.click(".card >> nth=1 >> text=祖庙司法所")
    assert await page.locator(".card").count() == 3
    await page.click(".card >> nth=0 >> h2 a")
    await page.wait_for_selector("text=已封存")
    await keep(page, "ledger-entry")
    async with page.expect_download() as download:
        await page.click("text=下载证明")
    proof = parse_proof(Path(await (await download.value).path()).read_bytes())
    leaf = leaf_hash(house.ledger.placed[proof.index].entry)
    assert set(verify_proof(proof, leaf, parse_policy(await house.walk.policy_text())).witnesses) == {
        "GA", "JCY", "FY", "SFJ",
    }  # fmt: skip
    for link, name in (("检查点", "ledger-checkpoints"), ("见证方", "ledger-witnesses"), ("核验依据", "ledger-policy")):
        await page.click(f"nav >> text={link}")
        await page.wait_for_selector(f"h1 >> text={link}")
        await keep(page, name)
    assert all(url.startswith(house.url("/")) for url in asked)
    assert complaints == []


async def test_a_persons_proof_reads_well_and_is_kept_as_one_file(house: LedgerHouse, page: Any) -> None:  # noqa: F811
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    await page.set_viewport_size(PHONE_SCREEN)
    house.ledger.grow(5)
    entry_id = house.access(PERSON)
    house.person.append(PERSON)
    await page.goto(house.url(f"/me/history/{entry_id}/evidence"))
    await page.wait_for_selector("text=本文件能证明这次查询与您有关")
    assert (
        await page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"
    )  # its style counts
    await keep(page, "ledger-evidence")
    inside = await page.inner_text("#evidence") or await page.text_content("#evidence")
    found = verify_evidence(parse_evidence(inside.encode()), parse_policy(await house.walk.policy_text()))
    assert set(found.disclosed) == {"subjects/0"}
    assert asked == [house.url(f"/me/history/{entry_id}/evidence")]
    assert complaints == []


async def test_the_verifier_we_serve_judges_the_file_we_gave(house: LedgerHouse, page: Any) -> None:  # noqa: F811
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    entry_id = house.access(PERSON, client="</script>&")
    house.person.append(PERSON)
    reply = await house.get(f"/me/history/{entry_id}/evidence?format=html")
    await page.goto(house.url("/ledger/verifier"))
    await page.fill("#policy", await house.walk.policy_text())
    file = {"name": "evidence.html", "mimeType": "text/html", "buffer": await reply.read()}
    await page.set_input_files("#fileInput", file)
    await page.wait_for_selector("#verdict.good")
    assert complaints == []
