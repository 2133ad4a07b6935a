"""Showing over real HTTP: a partner asks, a wallet answers, and the result is there once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from credentials.openid4vp.request_object import AUDIENCE
from credentials.x5c import VERIFIER_PURPOSE, check_chain, x509_hash
from tests.fakes.show_house import BACK, BEFORE, ShowHouse, show_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[ShowHouse]:
    async with show_house() as opened:
        yield opened


async def test_a_bank_asks_a_wallet_answers_and_the_bank_reads_it_once(house: ShowHouse) -> None:
    bank, holder = await house.bank(), await house.wallet()
    status, made = await house.create(bank)
    assert status == 201, made
    assert (await house.result(bank, made["id"]))[0] == 202
    request = await holder.fetch(house.client, made["links"]["openid4vp"], wallet_nonce="n-0S6_WzA2Mj")
    assert request.claims["wallet_nonce"] == "n-0S6_WzA2Mj"
    assert await holder.send(house.client, request, holder.answer(request)) == (200, {})
    status, said = await house.result(bank, made["id"])
    assert (status, said["state"]) == (200, "ANSWERED"), said
    shown = said["credentials"][0]
    assert shown["id"] == "residence"
    assert {claim["name"] for claim in shown["claims"]} == {
        one["path"][0] for one in request.claims["dcql_query"]["credentials"][0]["claims"]
    }
    assert "further" not in str(said)
    assert shown["status"] == "VALID"
    assert shown["issued_here"]
    assert shown["issuer"] == house.settings.credentials.issuer_zh  # a body's name, not a host's
    assert (await house.result(bank, made["id"]))[0] == 404


@pytest.mark.parametrize(("version", "state"), [(BEFORE, "ANSWERED"), ("77", "FAILED")])
async def test_a_version_that_people_still_hold_is_as_good(house: ShowHouse, version: str, state: str) -> None:
    bank, holder = await house.bank(), await house.wallet()
    vct = house.types["residence"].vct(house.url).rpartition("/")[0] + f"/{version}"
    claims = {"districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "name": "张*"}
    holder.credentials["residence"], _ = await house.issue(holder, "residence", claims, vct=vct)
    _, made = await house.create(bank)
    request = await holder.fetch(house.client, made["links"]["openid4vp"])
    asked = request.claims["dcql_query"]["credentials"][0]["meta"]["vct_values"]
    assert (vct in asked) == (state == "ANSWERED")
    await holder.send(house.client, request, holder.answer(request))
    _, said = await house.result(bank, made["id"])
    assert said["state"] == state, said
    if state == "ANSWERED":
        shown = said["credentials"][0]
        assert (shown["type"], shown["name"]["zh"]) == (vct, "居住证明")


async def test_the_request_object_is_signed_as_haip_wants_it(house: ShowHouse) -> None:
    _, made = await house.create(await house.bank())
    request = await (await house.wallet()).fetch(house.client, made["links"]["haip"])
    header, claims = request.header, request.claims
    check_chain(header["x5c"], house.rings.reader_anchors(), house.clock.now(), purpose=VERIFIER_PURPOSE)
    assert claims["client_id"] == "x509_hash:" + x509_hash(header["x5c"][0])
    assert parse_qs(urlsplit(made["links"]["haip"]).query)["client_id"] == [claims["client_id"]]
    assert (claims["aud"], claims["response_mode"], claims["response_type"]) == (
        AUDIENCE,
        "direct_post.jwt",
        "vp_token",
    )
    assert "redirect_uri" not in claims
    assert "wallet_nonce" not in claims
    assert claims["client_metadata"]["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
    (key,) = claims["client_metadata"]["jwks"]["keys"]
    assert (key["alg"], key["use"], key["crv"]) == ("ECDH-ES", "enc", "P-256")
    assert key["kid"]
    assert "d" not in key
    said = claims["verifier_info"][0]["data"]
    assert said["purpose"]["zh"]
    assert said["purpose"]["en"]
    assert said["reference"] == "acc-2026-118"
    assert claims["client_metadata"]["client_name"] == "禅城示范银行"


async def test_on_the_same_device_only_the_browser_that_was_sent_back_opens_the_result(house: ShowHouse) -> None:
    bank, holder = await house.bank(), await house.wallet()
    _, made = await house.create(bank, same_device=True, return_to=BACK)
    request = await holder.fetch(house.client, made["links"]["openid4vp"])
    status, said = await holder.send(house.client, request, holder.answer(request))
    where, _, code = said["redirect_uri"].partition("#response_code=")
    assert status == 200
    assert where == BACK
    assert len(code) >= 43
    assert (await house.result(bank, made["id"]))[0] == 403
    assert (await house.result(bank, made["id"], "x" * 43))[0] == 403
    assert (await house.result(bank, made["id"], code))[1]["state"] == "ANSWERED"
    assert (await house.result(bank, made["id"], code))[0] == 404
