"""The wallet's page and files as they are sent: small, the same for everybody, held to a policy, readable by an old WebView."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from gateway.web.wallet.files import PARTS, WORKER, joined, wallet_files
from gateway.web.wallet.routes import POLICY, wallet_routes
from tests.gateway.web.conftest import Start

pytestmark = pytest.mark.anyio
SMALL = 100_000  # bytes, the page with its scripts and styles as an old phone fetches them
SOURCE = resources.files("gateway.web").joinpath("static", "wallet")
LATER = {
    "ES2018 object spread": r"[{,]\s*\.\.\.\w+[^\])]*\}",
    "ES2018 rest in a catch": r"catch\s*\{",
    "ES2018 async iteration": r"for await|async \*|async function\s*\*",
    "ES2018 finally": r"\.finally\(",
    "ES2019 flat": r"\.flat(Map)?\(|fromEntries|trimStart|trimEnd",
    "ES2020 operators": r"\?\?|\?\.[A-Za-z_\[(]|\d+n\b|globalThis|allSettled|matchAll",
    "ES2021": r"\.replaceAll\(|\|\|=|&&=|Promise\.any",
    "modules": r"^\s*(import|export)\b",
    "look-behind and named groups": r"\(\?<",
    "elements as markup": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
}


@dataclass
class Got:
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Browser:
    """Asks as it is told to, and unpacks nothing."""

    url: str
    client: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Got:
        given = {"accept-encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.get(URL(self.url + path, encoded=True), headers=given) as reply:
            return Got(reply.status, await reply.read(), reply.headers)


@pytest.fixture
async def browser(start: Start) -> AsyncIterator[Browser]:
    async with start(pages=wallet_routes()) as running, aiohttp.ClientSession(auto_decompress=False) as client:
        yield Browser(f"http://127.0.0.1:{running.port}", client)


def test_the_whole_page_is_small() -> None:
    needed = [file for name, file in wallet_files().items() if name in ("index.html", "app.js", "wallet.css")]
    assert sum(len(file.packed or file.body) for file in needed) < SMALL // 2
    assert sum(len(file.body) for file in needed) < SMALL  # unpacked, both languages and all


@pytest.mark.parametrize("feature", LATER)
def test_nothing_in_it_is_younger_than_an_old_webview(feature: str) -> None:
    for name in (*PARTS, WORKER):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", SOURCE.joinpath(name).read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"'(?:\\.|[^'\\\n])*'", "''", text)
        found = re.search(LATER[feature], text, re.MULTILINE)
        assert found is None, (name, found)


@pytest.mark.parametrize(
    "sample", ["a = {...b}", "catch {", "a?.b", "a ?? b", "x.flat()", "p.finally(", "import a", "e.innerHTML = x"]
)
def test_the_patterns_find_what_they_look_for(sample: str) -> None:
    assert any(re.search(pattern, sample, re.MULTILINE) for pattern in LATER.values())


def test_joining_leaves_out_nothing_but_comments_and_indentation(tmp_path: Path) -> None:
    script = joined().decode()
    bare, texts = script.replace(" ", ""), set(re.findall(r"'(?:\\.|[^'\\\n])*'", script))
    for name in PARTS:
        source = re.sub(r"/\*.*?\*/", "", SOURCE.joinpath(name).read_text("utf-8"), flags=re.DOTALL)
        code = [line.strip() for line in source.splitlines()]
        assert all(line.replace(" ", "") in bare for line in code if line and not line.startswith("//"))
        assert all(
            text in texts for line in code for text in re.findall(r"'(?:\\.|[^'\\])*'", line) if line.count("'") == 2
        )
    if shutil.which("node") is None:
        pytest.skip("there is no node here")
    (tmp_path / "app.js").write_text(script, encoding="utf-8")
    assert subprocess.run(["node", "--check", tmp_path / "app.js"], check=False).returncode == 0


def test_every_text_has_both_languages_and_is_used() -> None:
    source = SOURCE.joinpath("texts.js").read_text("utf-8")
    entries = re.findall(r"^    ([A-Z_]+): \['((?:\\.|[^'\\])*)', '((?:\\.|[^'\\])*)'\],$", source, re.MULTILINE)
    assert len(entries) > 100
    assert len(entries) == len(re.findall(r"^    [A-Z_]+: ", source, re.MULTILINE))
    script = joined([name for name in PARTS if name != "texts.js"]).decode()
    made = ("DID_", "CONSENT_")  # put together from a part
    for code, zh, en in entries:
        assert zh
        assert en
        assert re.search(r"[\u4e00-\u9fff{]", zh), code
        assert f"'{code}'" in script or code.startswith(made), code
    said = set(
        re.findall(r"(?:W\.say|W\.fail|W\.notice|W\.both|W\.button|W\.link|new W\.Trouble)\('([A-Z_]+)'", script)
    )
    assert said - set(made) <= {code for code, _, _ in entries}


async def test_whatever_stands_in_the_link_the_page_is_the_same(browser: Browser) -> None:
    bare = await browser.get("/wallet")
    offered = await browser.get("/wallet?credential_offer_uri=https%3A%2F%2Fyimen.example%2Fopenid4vci%2Foffers%2Fx")
    assert bare.status == offered.status == 200
    assert bare.body == offered.body
    assert bare.headers["content-security-policy"].encode() == POLICY
    assert "unsafe" not in bare.headers["content-security-policy"]
    assert (bare.headers["x-frame-options"], bare.headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert b"<script>" not in bare.body
    assert b"style=" not in bare.body
    assert b"http" not in bare.body


@pytest.mark.parametrize("name", sorted(set(wallet_files()) - {"index.html"}))
async def test_each_file_has_a_tag_and_is_sent_once(browser: Browser, name: str) -> None:
    plain = await browser.get(f"/wallet/{name}")
    assert (plain.status, plain.body) == (200, wallet_files()[name].body)
    again = await browser.get(f"/wallet/{name}", if_none_match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    packed = await browser.get(f"/wallet/{name}", accept_encoding="gzip")
    if wallet_files()[name].packed is None:
        assert packed.body == plain.body
    else:
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["etag"] != plain.headers["etag"]
        assert gzip.decompress(packed.body) == plain.body


async def test_the_worker_stands_over_the_page_and_may_fetch_what_it_keeps(browser: Browser) -> None:
    worker = await browser.get(f"/wallet/{WORKER}")
    text = worker.body.decode()
    assert worker.headers["service-worker-allowed"] == "../wallet"
    assert "connect-src 'self'" in worker.headers["content-security-policy"]
    assert "{{" not in text
    kept = re.findall(r"'([a-z0-9.-]+)'", text.partition("FILES = [")[2].partition("]")[0])
    assert len(kept) == 5
    assert set(kept) <= set(wallet_files())


@pytest.mark.parametrize("name", ["index.html", "base.js", "..%2Fpages%2Fme.css", "nothing.js"])
async def test_nothing_else_is_served(browser: Browser, name: str) -> None:
    assert (await browser.get(f"/wallet/{name}")).status == 404
