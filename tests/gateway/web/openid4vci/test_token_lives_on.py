"""What somebody with a wallet's token may not do with it: get back what was ended, or keep departments busy."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.services.credentials.issue_credential import MOST_ASKED, MOST_WAITING
from gateway.services.credentials.ports import CredentialState, FactsState, Fetched
from tests.fakes.issuing import READY, IssuerHouse, Wallet

pytestmark = pytest.mark.anyio
AWAY = Fetched(FactsState.UNAVAILABLE)


async def got(house: IssuerHouse, *types: str) -> Wallet:
    wallet = house.wallet()
    heard = await wallet.redeem(await wallet.open((await house.offer(*types)).link))
    assert heard.status == 200, heard
    return wallet


async def live(house: IssuerHouse) -> int:
    issued = await house.offers.issued.of_person(await house.person())
    return sum(one.state is CredentialState.VALID for one in issued)


async def test_who_got_it_again_elsewhere_is_not_thrown_out_by_the_old_wallet(house: IssuerHouse) -> None:
    """A telephone that was lost still has its token; the new one's document must not die of it."""
    old = await got(house)
    assert (await old.credential()).status == 200
    new = await got(house)
    assert (await new.credential()).status == 200
    heard = await old.credential()
    assert (heard.status, heard.body["error"]) == (400, "credential_request_denied")
    assert (await new.credential()).status == 200
    assert await live(house) == 2  # both of the new wallet


@pytest.mark.parametrize("reason", ["BY_PERSON", "BY_OFFICER", "DATA_SPACE_CLOSED"])
async def test_what_somebody_ended_does_not_come_back_by_the_same_token(house: IssuerHouse, reason: str) -> None:
    wallet = await got(house, "residence", "business")
    assert (await wallet.credential()).status == 200
    (one,) = await house.offers.issued.of_person(await house.person())
    await house.offers.issued.set_state(one.batch_id, CredentialState.REVOKED, reason)
    heard = await wallet.credential()
    assert (heard.status, heard.body["error"]) == (400, "credential_request_denied")
    assert await live(house) == 0
    assert (await wallet.credential("business")).status == 200  # nobody ended that one


async def test_what_waits_does_not_come_either_once_it_was_ended(house: IssuerHouse) -> None:
    wallet = await got(house)
    assert (await wallet.credential()).status == 200
    house.facts.says = AWAY
    waits = (await wallet.credential()).body["transaction_id"]
    house.facts.says = READY
    (one,) = await house.offers.issued.of_person(await house.person())
    await house.offers.issued.set_state(one.batch_id, CredentialState.REVOKED, "BY_PERSON")
    house.clock.forward(120)  # type: ignore[attr-defined]  # a clock that moves by hand
    heard = await wallet.deferred(waits)
    assert (heard.status, heard.body["error"]) == (400, "credential_request_denied")
    assert await live(house) == 0


async def test_a_fact_that_changed_is_no_reason_to_refuse_the_fresh_one(house: IssuerHouse) -> None:
    wallet = await got(house)
    assert (await wallet.credential()).status == 200
    (one,) = await house.offers.issued.of_person(await house.person())
    await house.offers.issued.set_state(one.batch_id, CredentialState.REVOKED, "FACT_CHANGED")
    assert (await wallet.credential()).status == 200


async def test_one_token_does_not_use_up_what_a_department_answers_all(house: IssuerHouse) -> None:
    wallet = await got(house)
    house.facts.says = replace(READY, state=FactsState.NOT_MET)
    heard = [await wallet.credential() for _ in range(MOST_ASKED + 3)]
    assert [one.status for one in heard[-3:]] == [429] * 3
    assert heard[-1].body["error"] == "temporarily_unavailable"
    assert len(house.facts.asked) == MOST_ASKED
    other = await got(house)
    house.facts.says = READY
    assert (await other.credential()).status == 200


async def test_one_document_has_a_handful_of_requests_that_wait(house: IssuerHouse) -> None:
    """Each would be asked about every minute, and told to the person's telephone at the end."""
    wallet = await got(house)
    house.facts.says = AWAY
    heard = [await wallet.credential() for _ in range(MOST_WAITING + 2)]
    assert [one.status for one in heard] == [202] * MOST_WAITING + [429] * 2


async def test_a_certificate_with_a_key_nobody_knows_is_a_bad_proof_and_no_fault_of_ours(house: IssuerHouse) -> None:
    wallet = await got(house)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    )
    der = made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    for known, unknown in (("2a8648ce3d0201", "2a8648ce3d0207"), ("2a8648ce3d030107", "2a8648ce3d030177")):
        spoilt = der.replace(bytes.fromhex(known), bytes.fromhex(unknown))
        assert spoilt != der
        header = {"jwk": None, "x5c": [base64.b64encode(spoilt).decode()]}
        heard = await wallet.credential(proofs={"jwt": [wallet.proof(await wallet.nonce(), header=header)]})
        assert (heard.status, heard.body["error"]) == (400, "invalid_proof")
