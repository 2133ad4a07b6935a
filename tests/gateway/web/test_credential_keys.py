"""Keys and status lists over real HTTP: what programs of any site read, and what they may keep."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.key_files import KeyFiles
from credentials.keys import KeyUse
from credentials.ring import FolderRing
from credentials.ring_changes import compromise
from credentials.status_list import MEDIA_TYPE
from gateway.web.credential_keys import did_of
from gateway.web.credential_routes import key_routes, status_routes
from tests.gateway.web.conftest import Running, running

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 26, tzinfo=UTC)
GOV = "https://sj.example.gov.cn/gov"


class Lists:
    """Implements `StatusLists` as far as the endpoints ask."""

    def __init__(self) -> None:
        self.held = {"a": "eyJ.payload.sig" * 100}

    async def token(self, list_id: str) -> tuple[str, str] | None:
        found = self.held.get(list_id)
        return None if found is None else (found, f'"{hash(found)}"')

    async def history(self, list_id: str, at: datetime) -> str | None:
        return f"as of {at:%Y}" if list_id in self.held and at <= NOW else None

    async def lists(self) -> list[str]:
        return list(self.held)


@asynccontextmanager
async def served(folder: Path, issuer: str = GOV) -> AsyncIterator[tuple[Running, dict[KeyUse, FolderRing], Lists]]:
    rings = {
        use: FolderRing(folder / use, KeyFiles(folder / use, bytes(32)), use, issuer, lambda: NOW, look_s=0.0)
        for use in KeyUse
    }
    for ring in rings.values():
        await ring.keys()
    issuing, asking = rings[KeyUse.ISSUER], rings[KeyUse.VERIFIER]
    anchors = [("issuer", issuing, lambda: issuing.roots), ("verifier", asking, lambda: asking.roots)]
    lists = Lists()
    pages = [*key_routes(issuer, issuing, anchors), *status_routes(lists, lambda one: f"{issuer}/s/{one}", 30)]  # type: ignore[arg-type]  # allots nothing
    async with running(pages=pages) as web:
        yield web, rings, lists


async def get(web: Running, path: str, **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await web.client.get(
        f"http://127.0.0.1:{web.port}{path}", headers={"accept-encoding": "identity", **given}, auto_decompress=False
    )
    response.body = await response.read()
    return response


async def json(web: Running, path: str) -> Any:
    return await (await get(web, path)).json()


async def test_the_issuers_keys_by_iss_in_every_place_a_wallet_looks(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, rings, _):
        for path in ("/.well-known/jwt-vc-issuer/gov", "/gov/.well-known/jwt-vc-issuer", "/.well-known/jwt-vc-issuer"):
            said = await json(web, path)
            assert said["issuer"] == GOV
            assert [one["kid"] for one in said["jwks"]["keys"]] == [
                one.kid for one in await rings[KeyUse.ISSUER].keys()
            ]
            assert all("d" not in one and one["use"] == "sig" for one in said["jwks"]["keys"])
        assert (await get(web, "/.well-known/jwt-vc-issuer/other")).status == 404
        found = await get(web, "/.well-known/jwt-vc-issuer/gov", origin="https://wallet.example")
        assert found.headers["access-control-allow-origin"] == "*"
        assert found.headers["cache-control"] == "public, max-age=300"
        tag = found.headers["etag"]
        assert (await get(web, "/.well-known/jwt-vc-issuer/gov", if_none_match=tag)).status == 304


@pytest.mark.parametrize(
    ("issuer", "did", "path"),
    [
        (GOV, "did:web:sj.example.gov.cn:gov", "/gov/did.json"),
        ("https://sj.example.gov.cn", "did:web:sj.example.gov.cn", "/.well-known/did.json"),
        ("http://127.0.0.1:8443", "did:web:127.0.0.1%3A8443", "/.well-known/did.json"),
    ],
)
async def test_the_same_keys_by_did(tmp_path: Path, issuer: str, did: str, path: str) -> None:
    assert did_of(issuer) == did
    async with served(tmp_path, issuer) as (web, rings, _):
        said = await json(web, path)
    assert said["id"] == did
    keys = await rings[KeyUse.ISSUER].keys()
    assert said["assertionMethod"] == [f"{did}#{key.kid}" for key in keys]
    assert [one["publicKeyJwk"]["x"] for one in said["verificationMethod"]] == [key.public.jwk["x"] for key in keys]


async def test_a_key_given_up_is_in_no_jwks_and_says_since_when_where_there_is_a_word_for_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, rings, _):
        stolen = (await rings[KeyUse.ISSUER].signer()).kid
        await compromise(rings[KeyUse.ISSUER], stolen, NOW, "op")
        said = await json(web, "/.well-known/jwt-vc-issuer/gov")
        assert stolen not in [one["kid"] for one in said["jwks"]["keys"]]
        document = await json(web, "/gov/did.json")
        (method,) = [one for one in document["verificationMethod"] if one["id"].endswith(stolen)]
        assert method["revoked"] == "2026-11-26T00:00:00Z"
        assert method["id"] not in document["assertionMethod"]
        told = await json(web, "/credentials/trust-anchors")
        (key,) = [one for one in told["keys"] if one["kid"] == stolen]
        assert (key["state"], key["cut_off"], key["use"]) == ("COMPROMISED", "2026-11-26T00:00:00+00:00", "issuer")


async def test_anchors_as_json_of_both_uses_and_as_pem_of_the_issuer(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, rings, _):
        told = await json(web, "/credentials/trust-anchors")
        assert [one["use"] for one in told["anchors"]] == ["issuer", "verifier"]
        for ask in ("?format=pem", ""):
            found = await get(web, f"/credentials/trust-anchors{ask}", accept="application/pem-certificate-chain")
            (root,) = x509.load_pem_x509_certificates(found.body)
            assert found.content_type == "application/pem-certificate-chain"
            assert found.headers["x-content-type-options"] == "nosniff"
        der = root.public_bytes(Encoding.DER)
        assert (der,) == rings[KeyUse.ISSUER].roots


async def test_keys_that_cannot_be_read_are_a_503(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, rings, _):
        (rings[KeyUse.ISSUER].folder / "ring.json").unlink()
        for path in ("/.well-known/jwt-vc-issuer/gov", "/gov/did.json", "/credentials/trust-anchors"):
            assert (await get(web, path)).status == 503


async def test_a_lists_token_is_static_bytes_with_a_tag_and_packed_where_asked(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, _, lists):
        plain = await get(web, "/credentials/status/a", accept=MEDIA_TYPE, origin="https://bank.example")
        assert (plain.status, plain.content_type, plain.body.decode()) == (200, MEDIA_TYPE, lists.held["a"])
        assert plain.headers["access-control-allow-origin"] == "*"
        assert plain.headers["cache-control"] == "public, max-age=30"
        assert plain.headers["x-content-type-options"] == "nosniff"
        assert "etag" in plain.headers["access-control-expose-headers"].lower()
        packed = await get(web, "/credentials/status/a", accept_encoding="br, gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["etag"] != plain.headers["etag"]
        for found, encoding in ((plain, "identity"), (packed, "gzip")):
            tag = f'"other", W/{found.headers["etag"]}'
            again = await get(web, "/credentials/status/a", if_none_match=tag, accept_encoding=encoding)
            assert (again.status, again.body) == (304, b"")
        lists.held["a"] = "eyJ.another.sig"
        changed = await get(web, "/credentials/status/a", if_none_match=plain.headers["etag"])
        assert (changed.status, changed.body) == (200, b"eyJ.another.sig")


async def test_what_else_may_be_asked_of_a_list(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, _, _):
        url = f"http://127.0.0.1:{web.port}/credentials/status/a"
        async with web.client.head(url) as found:
            assert (found.status, await found.read()) == (200, b"")
            assert found.headers["etag"]
        asked = {"origin": "https://bank.example", "access-control-request-method": "GET"}
        async with web.client.options(url, headers=asked) as found:
            assert found.status == 200
            assert found.headers["access-control-allow-origin"] == "*"
        async with web.client.post(url) as found:
            assert (found.status, found.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        for path in ("/credentials/status/b", "/credentials/status/b?time=1", "/credentials/status/"):
            assert (await get(web, path)).status == 404
        assert await json(web, "/credentials/status-lists") == {"status_lists": [f"{GOV}/s/a"]}


async def test_the_past_of_a_list(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, _, _):
        found = await get(web, "/credentials/status/a?time=1577836800")
        assert (found.status, found.content_type, found.body) == (200, MEDIA_TYPE, b"as of 2020")
        assert (await get(web, "/credentials/status/a?time=4102444800")).status == 406
        for bad in ("", "-1", "1e3", "x", "1&time=2", "9" * 12, "%00", "１"):
            assert (await get(web, f"/credentials/status/a?time={bad}")).status == 400
        many = await asyncio.gather(*(get(web, "/credentials/status/a?" + "x=1&" * n) for n in (1, 19, 25)))
        assert [one.status for one in many] == [200, 200, 400]


async def test_few_may_look_back_at_once_and_the_present_is_not_kept_waiting(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, _, lists):
        held = asyncio.Event()

        async def slow(list_id: str, at: datetime) -> str:
            await held.wait()
            return "past"

        lists.history = slow  # type: ignore[method-assign]  # a store that takes its time
        asking = [asyncio.create_task(get(web, "/credentials/status/a?time=1")) for _ in range(12)]
        done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert {one.result().status for one in done} == {503}
        assert (await get(web, "/credentials/status/a")).status == 200
        held.set()
        assert sorted(one.status for one in await asyncio.gather(*asking)) == [200] * 4 + [503] * 8
