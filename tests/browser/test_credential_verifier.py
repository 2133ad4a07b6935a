"""The verifier's page as a clerk uses it: one file, no network, and the verdicts of our own verifier on the same table."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from credentials import sd_jwt
from credentials.kit import read_kit
from credentials.verifying import verify
from gateway.web.verifying import verifier_page
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (fixture)
from tests.credentials.spoilings import CODE, REVOKED, Town, town

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def issuer() -> Town:
    return town()


@pytest.fixture
async def page(browser_page: Any, issuer: Town, tmp_path: Path) -> AsyncIterator[Any]:  # noqa: F811
    """Offline, with a kit in the file; whoever tries the network all the same is caught."""
    file = tmp_path / "yimen-verify.html"
    file.write_bytes(verifier_page(issuer.kit)[0])
    tried: list[str] = []
    faults: list[str] = []
    await browser_page.context.set_offline(True)
    browser_page.on("request", lambda request: tried.append(request.url))
    browser_page.on("pageerror", lambda error: faults.append(str(error)))
    browser_page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await browser_page.goto(file.as_uri())
    await browser_page.wait_for_selector("#kit :text('核验包：')")
    yield browser_page
    assert [one for one in tried if not one.startswith("data:")] == [file.as_uri()]
    assert faults == []


async def _check(page: Any, text: str, code: str) -> str:
    await page.evaluate("document.getElementById('out').replaceChildren()")
    await page.fill("#code", code)
    await page.fill("#text", text)
    await page.click("#check")
    await page.wait_for_selector("#verdict")
    return str(await page.get_attribute("#verdict", "class"))


async def _keep(page: Any, name: str) -> None:
    """Nothing stands outside the screen's width; and the picture, where somebody wants it."""
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    folder = os.environ.get("YIMEN_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def test_its_verdicts_are_those_of_the_table(page: Any, issuer: Town) -> None:
    cases = issuer.cases()
    script = """async ([kitText, now, aud, cases]) => {
      const kit = await W.readKit(kitText);
      const found = [];
      for (const one of cases) {
        const seen = await W.verify(one.text, kit, now, one.bound ? { aud, nonce: one.nonce } : null);
        found.push([seen.verdict, seen.reasons[0] || '']);
      }
      return found;
    }"""
    given = [{"text": case.text, "nonce": case.nonce, "bound": case.bound} for case in cases]
    found = await page.evaluate(script, [issuer.kit, issuer.at, "https://yimen.example/verify", given])
    wrong = [
        (case.name, case.verdict, case.reason, seen)
        for case, seen in zip(cases, found, strict=True)
        if seen[0] != case.verdict or not seen[1].startswith(case.reason) or bool(seen[1]) is not bool(case.reason)
    ]
    assert wrong == []


async def test_its_verdicts_are_those_of_our_verifier_on_whatever_an_issuer_might_sign(page: Any, issuer: Town) -> None:
    texts = [_anything(issuer, Random(seed)) for seed in range(400)]
    kit = read_kit(issuer.kit)
    ours = [verify(text, trust=kit.trust, now=issuer.now, status=kit.statuses) for text in texts]
    script = """async ([kitText, now, texts]) => {
      const kit = await W.readKit(kitText);
      const found = [];
      for (const one of texts) found.push((await W.verify(one, kit, now, null)).reasons);
      return found;
    }"""
    theirs = await page.evaluate(script, [issuer.kit, issuer.at, texts])
    wrong = [
        (list(mine.reasons), seen, text.split(".")[1])
        for mine, seen, text in zip(ours, theirs, texts, strict=True)
        if list(mine.reasons) != seen
    ]
    assert wrong == []
    assert len({reason for mine in ours for reason in mine.reasons}) > 12


def _anything(issuer: Town, random: Random) -> str:
    """A signed payload with a few members of any kind, disclosures among them that fit or do not."""
    names = ("iat", "nbf", "exp", "vct", "cnf", "status", "_sd", "_sd_alg", "...", "a", "iss", "aud", "__proto__")
    scalars = (None, True, False, 0, -1, 1.5, 1e300, -1e300, issuer.at, issuer.at + 100, "", "x", "sha-256", issuer.vct)

    def value(depth: int) -> Any:
        kind = random.randrange(5 if depth else 3)
        if kind == 3:
            return [value(depth - 1) for _ in range(random.randrange(3))]
        if kind == 4:
            return {random.choice(names): value(depth - 1) for _ in range(random.randrange(3))}
        return random.choice(scalars)

    texts = [sd_jwt.disclosure(random.choice(names), value(2), f"salt-{n}") for n in range(random.randrange(3))]
    said = issuer.claims()
    if random.random() < 0.6:
        said |= {random.choice(names): value(3)}
    if texts and random.random() < 0.8:
        hidden = [sd_jwt.digest(text) for text in texts]
        said |= {"_sd": hidden} if random.random() < 0.7 else {"b": [{"...": one} for one in hidden]}
    if random.random() < 0.2:
        said |= {"vct#integrity": value(1)}
    return issuer.payload(said, *texts)


async def test_a_clerk_sees_what_it_is_by_whom_and_how_old_the_knowledge_is(page: Any, issuer: Town) -> None:
    assert await _check(page, issuer.shown(age_s=0), CODE) == "good"
    said = await page.inner_text("#out")
    for words in (
        issuer.ctype.name.zh,
        issuer.ctype.name.en,
        "https://yimen.example",
        "云溪县",
        "2024年3月1日",
        "有效",
        "核对码",
        "前）",
    ):
        assert words in said
    await _keep(page, "verify-good")
    assert await _check(page, issuer.shown(issuer.issued(**issuer.listed(REVOKED)), age_s=0), CODE) == "bad"
    await _keep(page, "verify-revoked")
    assert "已被签发者撤销" in await page.inner_text("#out")


async def test_without_a_code_it_says_what_that_means(page: Any, issuer: Town) -> None:
    assert await _check(page, issuer.shown(nonce="offline-x", age_s=0), "") == "good"
    assert "未用核对码" in await page.inner_text("#out")
    assert await _check(page, issuer.shown(nonce="offline-x", age_s=0), CODE) == "bad"


async def test_codes_shown_one_after_another_become_the_text(page: Any, issuer: Town) -> None:
    text = issuer.shown(age_s=0)
    parts = [text[at : at + 480] for at in range(0, len(text), 480)]
    frames = [f"yimen-vp:Ab_1:{n}/{len(parts)}:{part}" for n, part in enumerate(parts, 1)]
    given = [frames[-1], *frames[:-1]]  # a camera begins anywhere
    found = await page.evaluate("(frames) => frames.map((one) => W.framed(one))", given)
    assert [one for one in found if one] == [text]


async def test_a_kit_from_a_file_is_read_and_a_spoilt_one_is_refused(page: Any, issuer: Town) -> None:
    async def give(kit: str) -> str:
        await page.evaluate("document.getElementById('kit').replaceChildren()")
        await page.set_input_files(
            "#kitInput", {"name": "yimen-kit.jwt", "mimeType": "application/jwt", "buffer": kit.encode()}
        )
        await page.wait_for_selector("#kit > *")
        return str(await page.inner_text("#kit"))

    assert "不是可用的核验包" in await give(issuer.kit[:-8] + "AAAAAAAA")
    assert "不是可用的核验包" in await give("hello")
    older = Town(issuer.now - timedelta(days=3))
    assert "已超过一天" in await give(older.kit)
    assert "核验包：" in await give(issuer.kit)
