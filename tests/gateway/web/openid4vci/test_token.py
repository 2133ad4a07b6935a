"""The token endpoint for offers (OpenID4VCI 1.0, section 6): who gets in, what each refusal is called, what is bounded."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.oauth.jose import PrivateKey
from gateway.services.credentials.ports import OfferState
from gateway.services.credentials.redeem_code import Guesses
from gateway.settings import Settings
from gateway.store.tables.oauth_keys import spent_once
from tests.fakes.issuing import PRE_AUTHORIZED, IssuerHouse, credentials_in, issuer_house
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio


async def kinds(house: IssuerHouse, offer_id: str) -> list[str]:
    return [one.kind for one in await house.offers.offers.timeline(offer_id)]


async def state(house: IssuerHouse, offer_id: str) -> OfferState:
    offer = await house.offers.offers.find(offer_id)
    assert offer is not None
    return offer.state


async def test_a_code_is_good_once_and_the_second_ends_nothing(house: IssuerHouse) -> None:
    offered = await house.offer()
    wallet, thief = house.wallet(), house.wallet()
    offer = await wallet.open(offered.link)
    assert (await wallet.redeem(offer)).status == 200
    late = await thief.redeem(offer)
    assert (late.status, late.body["error"]) == (400, "invalid_grant")
    assert (await wallet.credential()).status == 200, "whoever was first keeps what they have"


async def test_of_many_at_once_one_wins(house: IssuerHouse) -> None:
    wallets = [house.wallet() for _ in range(20)]
    offer = await wallets[0].open((await house.offer()).link)
    heard = await asyncio.gather(*(wallet.redeem(offer) for wallet in wallets))
    assert sorted(one.status for one in heard) == [200] + [400] * 19
    (winner,) = [wallet for wallet in wallets if wallet.token]
    assert (await winner.credential()).status == 200


async def test_the_transaction_code_is_looked_at_before_the_code_is_spent(house: IssuerHouse, clock: HandClock) -> None:
    offered = await house.offer(tx_code=True)
    wallet = house.wallet()
    offer = await wallet.open(offered.link)
    asked = offer["grants"][PRE_AUTHORIZED]["tx_code"]
    assert asked["input_mode"] == "numeric"
    assert asked["length"] == 6
    wrong = str((int(offered.tx_code or "") + 1) % 10**6).zfill(6)
    missing = await wallet.redeem(offer)
    assert (missing.status, missing.body["error"]) == (400, "invalid_request")
    heard = await wallet.redeem(offer, tx_code=wrong)
    assert (heard.status, heard.body["error"]) == (400, "invalid_grant")
    clock.forward(1)
    assert (await wallet.redeem(offer, tx_code=str(offered.tx_code))).status == 200
    assert await kinds(house, offered.offer.offer_id) == ["CREATED", "OPENED", "CODE_WRONG", "REDEEMED"]


async def test_guessing_burns_the_offer_also_all_at_once(house: IssuerHouse) -> None:
    offered = await house.offer(tx_code=True)
    wallet = house.wallet()
    offer = await wallet.open(offered.link)
    right = str(offered.tx_code)
    wrong = [str((int(right) + n) % 10**6).zfill(6) for n in range(1, 13)]
    heard = await asyncio.gather(*(house.wallet().redeem(offer, tx_code=one) for one in wrong))
    assert {one.body["error"] for one in heard} == {"invalid_grant"}
    assert await state(house, offered.offer.offer_id) is OfferState.BURNT
    assert (await wallet.redeem(offer, tx_code=right)).body["error"] == "invalid_grant"
    seen = await kinds(house, offered.offer.offer_id)
    assert seen.count("CODE_WRONG") == 5
    assert seen.count("BURNT") == 1


async def test_a_transaction_code_nobody_asked_for_is_refused(house: IssuerHouse) -> None:
    wallet = house.wallet()
    offer = await wallet.open((await house.offer()).link)
    heard = await wallet.redeem(offer, tx_code="123456")
    assert (heard.status, heard.body["error"]) == (400, "invalid_request")
    assert (await wallet.redeem(offer)).status == 200


async def test_no_code_and_another_code(house: IssuerHouse) -> None:
    wallet = house.wallet()
    assert (await wallet.ask_token("A" * 43)).body["error"] == "invalid_grant"
    async with house.session.post(f"{house.url}/oauth/token", data={"grant_type": PRE_AUTHORIZED}) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")


async def test_an_offer_has_its_time_and_may_be_cancelled(house: IssuerHouse, clock: HandClock) -> None:
    late, cancelled = await house.offer(), await house.offer()
    wallet = house.wallet()
    offers = [await wallet.open(one.link) for one in (late, cancelled)]
    await house.offers.offers.cancel(cancelled.offer.offer_id, actor_org="agency-1", actor_user="u-1")
    assert (await wallet.redeem(offers[1])).body["error"] == "invalid_grant"
    clock.forward(7 * 86_400 + 1)
    assert (await wallet.redeem(offers[0])).body["error"] == "invalid_grant"


async def test_details_are_answered_with_identifiers_and_then_they_are_needed(house: IssuerHouse) -> None:
    wallet = house.wallet()
    offer = await wallet.open((await house.offer("residence", "stable-income")).link)
    asked = '[{"type":"openid_credential","credential_configuration_id":"residence"}]'
    heard = await wallet.redeem(offer, authorization_details=asked)
    (detail,) = heard.body["authorization_details"]
    assert detail["type"] == "openid_credential"
    assert detail["credential_configuration_id"] == "residence"
    (identifier,) = detail["credential_identifiers"]
    assert (await wallet.credential("residence")).body["error"] == "invalid_credential_request"
    good = await wallet.credential(credential_configuration_id=None, credential_identifier=identifier)
    assert good.status == 200
    assert len(credentials_in(good)) == 1
    assert (await wallet.credential("stable-income")).body["error"] == "invalid_credential_request"
    other = house.wallet()
    await other.redeem(await other.open((await house.offer()).link))
    stolen = await other.credential(credential_configuration_id=None, credential_identifier=identifier)
    assert stolen.body["error"] == "unknown_credential_identifier", "another grant's"


@pytest.mark.parametrize(
    "details",
    [
        "nonsense", "{}", "[]", '[{"type":"openid_credential"}]', '[{"type":"urn:yimen:data-sharing:v1"}]',
        '[{"type":"openid_credential","credential_configuration_id":"passport"}]',
        '[{"type":"openid_credential","credential_configuration_id":"residence","locations":["https://x.example"]}]',
        '[{"type":"openid_credential","credential_configuration_id":"residence"},'
        '{"type":"openid_credential","credential_configuration_id":"residence"}]',
    ],
)  # fmt: skip
async def test_other_details_are_refused_and_the_code_is_good_still(house: IssuerHouse, details: str) -> None:
    wallet = house.wallet()
    offer = await wallet.open((await house.offer()).link)
    heard = await wallet.redeem(offer, authorization_details=details)
    assert (heard.status, heard.body["error"]) == (400, "invalid_authorization_details")
    assert (await wallet.redeem(offer)).status == 200


async def test_a_dpop_proof_binds_and_is_good_once(house: IssuerHouse) -> None:
    wallet = house.wallet(dpop=PrivateKey.generate())
    offers = [await wallet.open((await house.offer()).link) for _ in range(2)]
    proof = wallet.proof_of_key("POST", "/oauth/token")
    told = [{"grant_type": PRE_AUTHORIZED, "pre-authorized_code": one["grants"][PRE_AUTHORIZED]["pre-authorized_code"]}
            for one in offers]  # fmt: skip
    for number, form in enumerate(told):
        async with house.session.post(f"{house.url}/oauth/token", data=form, headers={"DPoP": proof}) as response:
            body = await response.json()
            assert response.status == (200 if number == 0 else 400)
            assert body.get("token_type", body.get("error")) == ("DPoP" if number == 0 else "invalid_dpop_proof")
    assert (await wallet.redeem(offers[1])).status == 200, "a proof that was spent spends no code"


async def test_where_only_haip_is_on_nobody_is_anonymous(settings: Settings, clock: HandClock) -> None:
    given = replace(settings.credentials, profile="haip")
    async with issuer_house(settings, clock, credentials=given) as house:
        wallet = house.wallet()
        heard = await wallet.redeem(await wallet.open((await house.offer()).link))
        assert (heard.status, heard.body["error"]) == (401, "invalid_client")
        async with house.session.get(f"{house.url}/.well-known/oauth-authorization-server") as response:
            assert (await response.json())["pre-authorized_grant_anonymous_access_supported"] is False


async def test_the_server_says_what_it_does(house: IssuerHouse) -> None:
    async with house.session.get(f"{house.url}/.well-known/oauth-authorization-server") as response:
        said = await response.json()
    assert said["issuer"] == house.url
    assert PRE_AUTHORIZED in said["grant_types_supported"]
    assert said["pre-authorized_grant_anonymous_access_supported"] is True
    assert "openid_credential" in said["authorization_details_types_supported"]


async def test_a_browser_of_another_origin_may_ask(house: IssuerHouse) -> None:
    asking = {
        "Origin": "https://wallet.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "dpop, content-type",
    }  # fmt: skip
    for path in ("/oauth/token", "/openid4vci/credential", "/openid4vci/nonce"):
        async with house.session.options(house.url + path, headers=asking) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_no_code_and_no_token_stands_in_a_log(house: IssuerHouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    offered = await house.offer(tx_code=True)
    wallet = house.wallet()
    offer = await wallet.open(offered.link)
    await wallet.redeem(offer, tx_code="000000")
    await wallet.redeem(offer, tx_code=str(offered.tx_code))
    await wallet.credential(proof={"proof_type": "jwt", "jwt": wallet.proof(await wallet.nonce())}, proofs=None)
    code = offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
    for secret in (code, str(offered.tx_code), wallet.token, offered.offer.reference):
        assert secret
        assert secret not in caplog.text
    assert "older draft" in caplog.text


async def test_a_stranger_with_good_proofs_and_no_code_has_nothing_written(house: IssuerHouse) -> None:
    """A key and a proof by it cost nothing to make; each would be remembered."""
    async with house.store.database.read() as connection:
        before = await connection.scalar(sa.select(sa.func.count()).select_from(spent_once))
    for _ in range(5):
        wallet = house.wallet(dpop=PrivateKey.generate())
        heard = await wallet.ask_token("A" * 43)
        assert (heard.status, heard.body["error"]) == (400, "invalid_grant")
    async with house.store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(spent_once)) == before


def test_wrong_codes_of_a_network_are_bounded() -> None:
    now = 0.0
    guesses = Guesses(3, 10.0, now=lambda: now, networks=2)
    for _ in range(3):
        assert not guesses.too_many("a")
        guesses.count("a")
    assert guesses.too_many("a")
    assert not guesses.too_many("b")
    now = 10.0
    assert not guesses.too_many("a")
    guesses.count("a")
    assert not guesses.too_many("a")
    for other in ("b", "c"):
        guesses.count(other)
    assert len(guesses._seen) == 2, "strangers do not fill the memory"


async def test_a_network_that_guesses_is_told_to_wait_and_a_right_code_of_it_is_taken(house: IssuerHouse) -> None:
    """Thousands of telephones share an operator's network: one of them must not shut the others out."""
    house.room.codes._guesses = Guesses(2, 600.0)
    wallet = house.wallet()
    offer = await wallet.open((await house.offer()).link)
    for _ in range(2):
        assert (await wallet.ask_token("A" * 43)).status == 400
    heard = await wallet.ask_token("B" * 43)
    assert (heard.status, heard.body["error"]) == (429, "temporarily_unavailable")
    assert (await wallet.redeem(offer)).status == 200
    heard = await wallet.redeem(offer)
    assert (heard.status, heard.body["error"]) == (429, "temporarily_unavailable")
