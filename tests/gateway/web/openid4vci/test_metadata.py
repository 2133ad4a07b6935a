"""The issuer's metadata over HTTP: where it stands, in which language, signed, and how it is cached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from credentials.jose import parse
from gateway.web.openid4vci.metadata import preferred
from gateway.web.openid4vci.routes import issuer_routes
from tests.fakes.issuing import IssuerHouse

pytestmark = pytest.mark.anyio
WELL_KNOWN = "/.well-known/openid-credential-issuer"


async def test_it_is_the_issuers_own(house: IssuerHouse) -> None:
    async with house.session.get(house.url + WELL_KNOWN) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        said = await response.json()
        assert said["credential_issuer"] == house.url
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert said["status_list_aggregation_endpoint"] == f"{house.url}/credentials/status-lists"
        assert "Content-Language" not in response.headers
        etag = response.headers["ETag"]
    headers = {"If-None-Match": etag, "Origin": "https://wallet.example"}
    async with house.session.get(house.url + WELL_KNOWN, headers=headers) as response:
        assert response.status == 304
        assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("asked", "locale"),
    [
        ("en", "en"), ("en-GB,en;q=0.9", "en"), ("zh", "zh-CN"), ("zh-TW;q=0.5, en;q=0.4", "zh-CN"), ("fr", None), ("*", None),
        ("en;q=0", None), ("en;q=x", None), ("", None), ("fr, en;q=0.1", "en"), ("x" * 5000, None),
    ],
)  # fmt: skip
async def test_a_language_is_chosen_where_one_is_wanted(house: IssuerHouse, asked: str, locale: str | None) -> None:
    assert preferred(asked) == locale
    async with house.session.get(house.url + WELL_KNOWN, headers={"Accept-Language": asked}) as response:
        said = await response.json()
        assert response.headers.get("Content-Language") == locale
        locales = {one["locale"] for one in said["display"]}
        assert locales == ({"zh-CN", "en"} if locale is None else {locale})


async def test_it_may_be_had_signed(house: IssuerHouse) -> None:
    async with house.session.get(house.url + WELL_KNOWN, headers={"Accept": "application/jwt"}) as response:
        assert response.content_type == "application/jwt"
        jwt = parse(await response.text(), typ="openidvci-issuer-metadata+jwt")
    assert jwt.header["x5c"]
    assert (jwt.claims["sub"], jwt.claims["credential_issuer"]) == (house.url, house.url)
    async with house.session.get(house.url + WELL_KNOWN, headers={"Accept": "application/jwt;q=0.1, */*"}) as response:
        assert response.content_type == "application/json"


async def test_another_path_is_another_issuer(house: IssuerHouse) -> None:
    async with house.session.get(house.url + WELL_KNOWN + "/gov") as response:
        assert response.status == 404


async def test_the_authorization_server_names_where_all_status_lists_are_too(house: IssuerHouse) -> None:
    wallet = house.wallet()
    await wallet.redeem(await wallet.open((await house.offer()).link))
    assert (await wallet.credential()).status == 200
    async with house.session.get(f"{house.url}/.well-known/oauth-authorization-server") as response:
        said = await response.json()
    async with house.session.get(said["status_list_aggregation_endpoint"]) as response:
        (uri,) = (await response.json())["status_lists"]
    async with house.session.get(uri) as response:
        assert response.content_type == "application/statuslist+jwt"


async def test_both_ways_of_writing_the_address_of_an_issuer_with_a_path(house: IssuerHouse) -> None:
    parts = replace(house.room.parts, issuer="https://gw.example/gov")
    paths = {getattr(one, "path", "") for one in issuer_routes(parts)}
    assert {WELL_KNOWN, WELL_KNOWN + "/{issuer_path:path}", "/gov" + WELL_KNOWN} <= paths
