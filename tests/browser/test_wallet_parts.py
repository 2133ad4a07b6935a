"""The wallet's own bricks held against others': QR codes against segno's, zlib against Python's, JWE and chains against ours."""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import segno
from segno import encoder

from credentials.jose import base64url, decrypt, generate_private_jwk
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (the fixture)
from tests.fakes.wallet_house import WalletHouse, wallet_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def page(browser_page: Any) -> AsyncIterator[Any]:  # noqa: F811
    browser_page.set_default_timeout(20_000)  # ms
    async with wallet_house() as house:
        browser_page.house = house
        await browser_page.goto(f"{house.url}/wallet")
        await browser_page.wait_for_selector("[data-code=EMPTY]")
        yield browser_page


async def test_every_version_of_a_qr_code_is_the_standards(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # segno pads with a whole zero byte where the data ends on a byte; the standard wants none, and readers take both.
    padding: Any = encoder.write_padding_bits
    monkeypatch.setattr(encoder, "write_padding_bits", lambda *given: padding(*given) if given[2] % 8 else None)
    chance = random.Random(5)
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~."
    seen = set()
    for length in (
        1,
        17,
        18,
        53,
        100,
        134,
        150,
        230,
        271,
        300,
        480,
        586,
        644,
        718,
        858,
        1000,
        1300,
        1500,
        1800,
        2100,
        2500,
        2953,
    ):
        text = "".join(chance.choices(alphabet, k=length))
        made = await page.evaluate("(text) => W.qr(text)", text)
        theirs = segno.make(text, error="l", mode="byte", version=made["version"], mask=made["mask"], boost_error=False)
        assert made["rows"] == [list(row) for row in theirs.matrix], (length, made["version"])
        assert made["version"] == segno.make(text, error="l", mode="byte", micro=False, boost_error=False).version
        seen.add(made["version"])
    assert {1, 2, 6, 7, 10, 15, 17, 40} <= seen
    too_long = await page.evaluate(
        "(text) => { try { W.qr(text); return 'made' } catch (error) { return error.message } }", "x" * 2954
    )
    assert too_long == "long"


@pytest.mark.parametrize("level", [0, 1, 9])
async def test_whatever_zlib_packed_is_unpacked(page: Any, level: int) -> None:
    chance = random.Random(level)
    for size in (0, 1, 300, 40_000):
        for dense in (0.0, 0.01, 1.0):
            raw = bytes(chance.randrange(256) if chance.random() < dense else 0 for _ in range(size))
            packed = base64url(zlib.compress(raw, level))
            back = await page.evaluate("(text) => W.b64(W.inflate(W.unb64u(text), 65536))", packed)
            assert base64url(raw) == back.replace("+", "-").replace("/", "_").rstrip("=")


async def test_a_list_that_unpacks_to_too_much_is_refused(page: Any) -> None:
    bomb = base64url(zlib.compress(bytes(1_000_000), 9))
    ask = "([text, most]) => { try { return W.inflate(W.unb64u(text), most).length } catch (error) { return error.message } }"
    assert await page.evaluate(ask, [bomb, 999_999]) == "zlib"
    assert await page.evaluate(ask, [bomb, 1_000_000]) == 1_000_000
    for spoilt in (bomb[:-40], "AAAA", ""):
        assert await page.evaluate(ask, [spoilt, 1_000_000]) == "zlib"


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
async def test_what_is_encrypted_here_opens_there(page: Any, enc: str) -> None:
    private = generate_private_jwk()
    public = {name: private[name] for name in ("kty", "crv", "x", "y")} | {"kid": "k-1", "alg": "ECDH-ES"}
    jwe = await page.evaluate("([jwk, enc]) => W.encrypt({ vp_token: { a: ['一'] } }, jwk, enc)", [public, enc])
    header, plain = decrypt(jwe, private)
    assert (header["enc"], header["kid"]) == (enc, "k-1")
    assert plain.decode() == '{"vp_token":{"a":["一"]}}'


async def test_a_chain_leads_to_the_anchor_of_its_own_use_and_within_its_time(page: Any) -> None:
    house: WalletHouse = page.house
    async with house.client.get(f"{house.url}/.well-known/jwt-vc-issuer") as reply:
        x5c = (await reply.json())["jwks"]["keys"][0]["x5c"]
    believe = (
        "async ([x5c, use, ahead]) => { const clock = W.nowMs; W.nowMs = () => clock() + ahead; try {"
        " const leaf = await W.signerOf({ header: { x5c }, claims: { iat: W.now() } }, use); return leaf.dns.join() || 'believed' }"
        " catch (error) { return 'refused: ' + error.message } finally { W.nowMs = clock } }"
    )
    assert not (await page.evaluate(believe, [x5c, "issuer", 0])).startswith("refused")
    assert await page.evaluate(believe, [x5c, "verifier", 0]) == "refused: anchor"
    forty_years = timedelta(days=365 * 40) / timedelta(milliseconds=1)
    assert await page.evaluate(believe, [x5c, "issuer", forty_years]) == "refused: certificate"
    assert (await page.evaluate(believe, [[], "issuer", 0])).startswith("refused")


async def test_a_credential_with_a_loose_a_doubled_or_a_foreign_disclosure_is_refused(page: Any) -> None:
    await page.goto((await page.house.offer()).link)
    await page.click("#take")
    await page.wait_for_selector("[data-code=RECEIVED]")
    outcome = await page.evaluate(
        "async () => { const [card] = await W.all('cards'); const text = card.copies[0].text; const parts = text.split('~');"
        " const other = card.copies[1].text.split('~')[1]; const tried = {"
        "   good: text, orphan: text + other + '~', doubled: text + parts[1] + '~', none: parts[0] + '.x~',"
        "   signature: text.replace(parts[0], parts[0].slice(0, -6) + 'AAAAAA') };"
        " const found = {}; for (const name of Object.keys(tried)) {"
        "   try { const read = await W.readSdJwt(tried[name]); await W.checkJws(read.jws, await W.issuerKey(read.jws, read.claims.iss)); found[name] = 'held' }"
        "   catch (error) { found[name] = error.message } } return found }"
    )
    assert outcome == {
        "good": "held",
        "orphan": "orphan",
        "doubled": "doubled",
        "none": "jws",
        "signature": "signature",
    }


async def test_what_a_card_says_is_never_markup(page: Any) -> None:
    """A claim with markup in it, drawn by the template: it stands there as text, and nothing runs."""
    drawn = await page.evaluate(
        "() => { const type = { svg: '<svg xmlns=\"http://www.w3.org/2000/svg\"><text>{{a}}{{b}}</text></svg>', name: ['n', ''], claims:"
        " [{ path: ['a'], label: ['a', ''], svgId: 'a' }] };"
        " const face = W.face({ type, claims: { a: '</text><script>window.bad = 1</script>&\"' }, department: ['d', ''] });"
        " document.body.appendChild(face);"
        " return [face.tagName, W.text(W.unb64(face.src.split(',')[1])), typeof window.bad] }"
    )
    assert drawn[0] == "IMG"
    assert drawn[2] == "undefined"
    assert "<script" not in drawn[1]
    assert "&#60;script&#62;" in drawn[1]
    assert "{{b}}" not in drawn[1]
