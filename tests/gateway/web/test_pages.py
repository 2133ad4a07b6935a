"""The query page: our own files, nobody else's hosts, and nothing kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.web.settings import WebSettings
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
STATIC = Path(__file__).parents[3] / "gateway" / "web" / "static" / "graphiql"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_a_browser_gets_the_page_without_a_token_and_a_program_does_not(start: Start) -> None:
    async with start(WebSettings(graphiql=True)) as web:
        response = await web.get(accept=BROWSER, authorization="")
        assert (response.status, response.content_type) == (200, "text/html")
        policy = response.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        page = await response.text()
        assert re.findall(r"https?://|//[a-z]", page) == []
        assert re.findall(r"<script(?![^>]* src=)|<style|\son[a-z]+=|style=", page) == []
        for address in re.findall(r'(?:src|href)="(/[^"]+)"', page):
            assert (await web.get(address, authorization="")).status == 200
        for accept in ("*/*", "application/json, text/html;q=0.9"):
            assert (await web.get(accept=accept, authorization="")).status == 401


async def test_without_the_switch_there_is_no_page(web: Running) -> None:
    assert (await web.get(accept=BROWSER, authorization="")).status == 401
    assert (await web.get(accept="text/html")).status == 406
    assert (await web.get("/graphiql/app.js")).status == 404


async def test_files_are_packed_and_remembered_and_no_other_file_is_there(start: Start) -> None:
    async with start(WebSettings(graphiql=True)) as web:
        response = await web.get("/graphiql/app.js")  # aiohttp accepts gzip
        assert response.headers["content-encoding"] == "gzip"
        assert await response.read() == (STATIC / "app.js").read_bytes()
        again = await web.get("/graphiql/app.js", if_none_match=response.headers["etag"])
        assert again.status == 304
        plain = await web.get("/graphiql/app.js", accept_encoding="identity")
        assert "content-encoding" not in plain.headers
        assert plain.headers["etag"] != response.headers["etag"]
        for name in ("index.html", "..%2f..%2fmessages.toml", "../settings.py", "app.js.map", "%2e%2e"):
            assert (await web.get(f"/graphiql/{name}")).status == 404


def test_the_bundle_is_small_and_names_every_licence() -> None:
    assert sum(file.stat().st_size for file in STATIC.iterdir()) < 1_500_000
    licences = (STATIC / "LICENSES.txt").read_text("utf-8")
    named = re.findall(r"^(\S+) \S+ \(([^)]+)\)$", licences, re.MULTILINE)
    assert {"graphiql", "react", "react-dom", "graphql", "codemirror"} <= {name for name, _ in named}
    assert {licence for _, licence in named} <= {"MIT", "Apache-2.0", "BSD-2-Clause", "0BSD"}
    assert "eval(" not in (STATIC / "app.js").read_text("utf-8").replace("retrieval(", "")


async def test_whoever_looks_with_a_browser_reads_a_page_where_there_is_none(start: Start) -> None:
    async with start(WebSettings()) as web:
        for path, onwards in (("/", "/login"), ("/me/nothing", "/me"), ("/<b>x", "/login")):
            response = await web.client.get(f"http://127.0.0.1:{web.port}{path}", headers={"accept": BROWSER})
            said = await response.text()
            assert response.status == 404
            assert response.headers["content-type"].startswith("text/html")
            assert "script-src 'none'" in response.headers["content-security-policy"]
            assert f'href="{onwards}"' in said
            assert "<b>" not in said
        program = await web.client.get(f"http://127.0.0.1:{web.port}/nothing", headers={"accept": "application/json"})
        assert (await program.json())["errors"][0]["extensions"]["code"] == "NOT_FOUND"
