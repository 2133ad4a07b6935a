"""Types that insist on keys a trusted wallet provider attests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from jwcrypto.jwk import JWK

from credentials.jose import LocalSigner, dumps, sign
from gateway.errors import SettingsInvalid
from gateway.settings import Settings
from tests.credentials.certificates import Made, Recipe, authority
from tests.fakes.issuing import IssuerHouse, issuer_house
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio


def signer_of(made: Made) -> LocalSigner:
    return LocalSigner(JWK.from_pyca(made.key).export(as_dict=True), x5c=(made.entry,))


def attestation(by: Made, clock: HandClock, *keys: LocalSigner, **claims: Any) -> str:
    now = int(clock.now().timestamp())
    said = {"iat": now, "exp": now + 600, "attested_keys": [dict(one.public.jwk) for one in keys], **claims}
    return sign(signer_of(by), {"typ": "key-attestation+jwt", "x5c": [by.entry]}, dumps(said))


@pytest.fixture
def chain(clock: HandClock) -> tuple[Made, Made]:
    """A provider's root, and the leaf it attests with."""
    life = {"begins": clock.now() - timedelta(days=1), "ends": clock.now() + timedelta(days=100)}
    root = authority("provider", **life).under()
    return root, Recipe(subject="attester", **life).under(root)


@pytest.fixture
def providers(chain: tuple[Made, Made], tmp_path: Path) -> Path:
    file = tmp_path / "providers.json"
    pem = chain[0].certificate.public_bytes(Encoding.PEM).decode()
    file.write_text(json.dumps({"providers": [{"name": "某厂商", "clients": ["some-wallet"], "anchors": [pem]}]}))
    return file


@pytest.fixture
async def strict(settings: Settings, clock: HandClock, providers: Path) -> AsyncIterator[IssuerHouse]:
    given = replace(settings.credentials, wallet_providers_file=providers, attested_types="residence")
    async with issuer_house(settings, clock, credentials=given) as found:
        yield found


async def test_an_attested_key_is_let_in_and_no_other(
    strict: IssuerHouse, clock: HandClock, chain: tuple[Made, Made]
) -> None:
    wallet = strict.wallet()
    offer = await wallet.open((await strict.offer("residence")).link)
    assert (await wallet.redeem(offer)).status == 200
    stranger = Recipe(subject="attester", begins=clock.now() - timedelta(days=1)).under(authority("other").under())
    for header in (
        {},
        {"key_attestation": attestation(stranger, clock, key := LocalSigner.generate())},
    ):
        proofs = {"jwt": [wallet.proof(await wallet.nonce(), key if header else None, header=header)]}
        heard = await wallet.credential(proofs=proofs)
        assert (heard.status, heard.body["error"]) == (400, "invalid_proof")
    key = LocalSigner.generate()
    other = {"key_attestation": attestation(chain[1], clock, LocalSigner.generate())}
    heard = await wallet.credential(proofs={"jwt": [wallet.proof(await wallet.nonce(), key, header=other)]})
    assert heard.body["error"] == "invalid_proof", "another key's attestation is none"
    good = {"key_attestation": attestation(chain[1], clock, key)}
    heard = await wallet.credential(proofs={"jwt": [wallet.proof(await wallet.nonce(), key, header=good)]})
    assert heard.status == 200, heard.body


async def test_the_metadata_says_so_for_that_type_alone(strict: IssuerHouse) -> None:
    async with strict.session.get(f"{strict.url}/.well-known/openid-credential-issuer") as reply:
        known = (await reply.json())["credential_configurations_supported"]
    for one in ("residence", "residence.w3c"):
        assert known[one]["proof_types_supported"]["jwt"]["key_attestations_required"] == {}
    assert "key_attestations_required" not in known["business"]["proof_types_supported"]["jwt"]


@pytest.mark.parametrize("types", ["residence", "passport"])
async def test_what_nobody_could_attest_is_no_setting(settings: Settings, clock: HandClock, types: str) -> None:
    given = replace(settings.credentials, attested_types=types)
    with pytest.raises(SettingsInvalid, match="attested_types"):
        async with issuer_house(settings, clock, credentials=given):
            pass
