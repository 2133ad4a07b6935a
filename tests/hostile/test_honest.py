"""Every request that is spoiled elsewhere is let in when nobody spoils it: a refusal is the spoiling's alone."""

from __future__ import annotations

import pytest

from tests.hostile.attacker import Attacker, loan, question
from tests.hostile.odd_jws import compact, ps256, rsa_jwk, rsa_key

pytestmark = pytest.mark.anyio


async def test_a_system_gets_its_token_and_is_answered(attacker: Attacker) -> None:
    token = await attacker.system()
    said = await attacker.good(attacker.ask(token, question("CC_TRANSFER")))
    assert "errors" not in said, said
    assert said["data"]["person"]["identity"]["state"] == "UNAVAILABLE"  # allowed; there is no source behind this house


async def test_an_officer_gets_a_code_a_token_and_another_and_is_answered(attacker: Attacker) -> None:
    for client in ("desk", "other-desk"):
        token = await attacker.officer(client)
        renewed = await attacker.good(attacker.renew(token.refresh, client))
        assert ("refresh_token" in renewed) == (client == "other-desk")
        said = await attacker.good(attacker.ask(token))
        assert said["data"]["person"]["identity"]["state"] == "UNAVAILABLE"


async def test_a_bank_gets_what_was_consented(attacker: Attacker) -> None:
    token = await attacker.bank()
    said = await attacker.good(attacker.ask(token, loan()))
    assert said.get("data", said)["person"]["conductStatements"]["state"] == "UNAVAILABLE", said


async def test_a_resource_server_sees_a_token_and_its_client_ends_it(attacker: Attacker) -> None:
    token = await attacker.officer()
    assert (await attacker.good(attacker.introspect(token.access)))["active"] is True
    assert (await attacker.good(attacker.introspect(token.refresh, "desk")))["active"] is True
    await attacker.good(attacker.revoke(token.refresh))
    assert (await attacker.good(attacker.introspect(token.access))) == {"active": False}


async def test_a_bank_registers_itself_once(attacker: Attacker) -> None:
    initial = await attacker.invited()
    made = await attacker.good(attacker.register(initial, attacker.proposed()), 201)
    path = f"/oauth/register/{made['client_id']}"
    got = await attacker.good(attacker.register(made["registration_access_token"], b"", "GET", path))
    assert got["client_name"] == "新来的银行"


async def test_a_desk_registers_itself_where_it_is_invited(attacker: Attacker) -> None:
    proposed = attacker.proposed(redirect_uris=["https://new.example/callback"])
    made = await attacker.good(attacker.register(await attacker.invited(desk=True), proposed), 201)
    assert made["redirect_uris"] == proposed["redirect_uris"]


async def test_any_kind_of_key_that_we_take_proves_itself(attacker: Attacker) -> None:
    header = {"typ": "dpop+jwt", "alg": "PS256", "jwk": rsa_jwk()}
    proof = compact(header, attacker.proof_claims("/oauth/token"), ps256(rsa_key()))
    assert (await attacker.good(attacker.token(proof=proof)))["token_type"] == "DPoP"
