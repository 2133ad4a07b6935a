"""Type metadata over HTTP: for any wallet of any origin, cacheable, and a card that can do nothing."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from credentials.type_files import SHIPPED, load_types
from credentials.type_metadata import card_svg, integrity_of, type_metadata
from tests.flows.house import House, house

pytestmark = pytest.mark.anyio
TYPES = load_types()
WHERE = "/credentials/types/residence/2"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "manifests").mkdir()
    async with house(tmp_path / "manifests", tmp_path) as opened:
        yield opened


async def test_every_type_is_where_its_name_says_with_its_card(served: House) -> None:
    for ctype in TYPES.values():
        async with served.session.get(ctype.vct(served.url)) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert await answer.read() == type_metadata(ctype, served.url)
            card = (await answer.json())["display"][0]["rendering"]["svg_templates"][0]
        async with served.session.get(card["uri"]) as answer:
            drawn = await answer.read()
        assert drawn == card_svg(ctype)
        assert integrity_of(drawn) == card["uri#integrity"]


async def test_a_version_that_somebody_still_holds_is_read_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    folder = tmp_path / "types" / "older" / "1"
    folder.mkdir(parents=True)
    text = (SHIPPED / "residence.toml").read_text(encoding="utf-8")
    (folder / "residence.toml").write_text(text.replace('version = "2"', 'version = "1"'), encoding="utf-8")
    (folder / "residence.svg").write_bytes((SHIPPED / "residence.svg").read_bytes())
    async with house(tmp_path / "manifests", tmp_path, credential_types_dir=tmp_path / "types") as served:
        for version in ("1", "2"):
            async with served.session.get(f"{served.url}/credentials/types/residence/{version}") as answer:
                assert (await answer.json())["vct"].endswith(f"/residence/{version}")
        async with served.session.get(f"{served.url}/.well-known/openid-credential-issuer") as answer:
            offered = (await answer.json())["credential_configurations_supported"]["residence"]
        assert offered["vct"].endswith("/residence/2")
        async with served.session.get(f"{served.url}/credentials/kit") as answer:
            assert answer.status == 200


async def test_it_may_be_read_from_anywhere_and_kept(served: House) -> None:
    for path in (WHERE, f"{WHERE}/card.svg"):
        url, origin = served.url + path, {"origin": "https://wallet.example"}
        async with served.session.get(url, headers=origin) as answer:
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "public, max-age=86400"
            etag = answer.headers["etag"]
        async with served.session.get(url, headers={"if-none-match": etag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with served.session.get(url, headers={"if-none-match": '"else"'}) as answer:
            assert answer.status == 200
        async with served.session.options(url, headers={**origin, "access-control-request-method": "GET"}) as answer:
            assert answer.status == 200
        async with served.session.head(url) as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_a_card_is_put_in_a_sandbox(served: House) -> None:
    async with served.session.get(f"{served.url}{WHERE}/card.svg") as answer:
        assert answer.content_type == "image/svg+xml"
        policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy


async def test_it_is_packed_for_whoever_unpacks(served: House) -> None:
    whole = type_metadata(TYPES["residence"], served.url)
    async with aiohttp.ClientSession(trust_env=False, auto_decompress=False) as session:
        async with session.get(served.url + WHERE, headers={"accept-encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            assert gzip.decompress(await answer.read()) == whole
        async with session.get(served.url + WHERE, headers={"accept-encoding": "identity"}) as answer:
            assert "content-encoding" not in answer.headers
            assert await answer.read() == whole


async def test_nothing_else_is_there(served: House) -> None:
    for method, path, status in (
        ("GET", "/credentials/types/residence/1", 404),
        ("GET", "/credentials/types/nothing/1", 404),
        ("GET", "/credentials/types/residence/1/card.svg", 404),
        ("POST", WHERE, 405),
        ("DELETE", f"{WHERE}/card.svg", 405),
    ):
        async with served.session.request(method, served.url + path) as answer:
            assert answer.status == status, (method, path)
