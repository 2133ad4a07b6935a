"""Wallets nobody here wrote: npm @openid4vc/openid4vci fetches what an officer offered, anonymously and by the code flow with
an attestation of its provider; PyPI sd-jwt verifies what it got.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from gateway.oauth.client import ATTESTED, WALLET, Client
from gateway.oauth.jose import PrivateKey
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry
from tests.fakes.person_house import ID_NO, NAME, PHONE, put_organisations
from tests.flows.house import CASE, House
from tests.flows.node_modules_of import installed
from tests.flows.node_script import run_script
from tests.flows.test_wallet_client import LOOK, OFFER, REDIRECT, Browser, ask, says_yes
from tests.flows.town import Town, gateway_of, unhurried

PACKAGES = ("@openid4vc/openid4vci@0.4.6", "@openid4vc/oauth2@0.4.6", "jose@6.2.18")
SCRIPT = Path(__file__).parent / "node" / "openid4vci.mjs"
PROVIDER = PrivateKey.generate()

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def packages() -> Path:
    return installed("openid4vci", *PACKAGES)


@pytest.fixture(scope="module")
async def house(wide_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    await wide_town.heal()
    home = tmp_path_factory.mktemp("openid4vci")
    providers = home / "providers.json"
    entry = {"name": "某厂商", "clients": ["attested-wallet"], "jwks": {"keys": [PROVIDER.public_jwk()]}}
    providers.write_text(json.dumps({"providers": [entry]}))
    async with gateway_of(wide_town, home, unhurried, credential_wallet_providers_file=providers) as opened:
        store, now = opened.gateway.store, opened.gateway.clock.now()
        await put_organisations(store)
        (subject,) = await store.subjects.intern([ID_NO])
        await store.subjects.remember(subject, ID_NO, NAME)
        await store.phones.enrol(subject, PHONE, by="lin", org="office", at=now)
        since = now - timedelta(days=1)
        await store.cases.declare([CaseEntry(CASE, subject), PartyEntry(CASE, "office", Part.SUPERVISING, since)])
        client = Client(
            "attested-wallet", "某钱包", WALLET, "vendor", "WALLET_PROVIDER", "", {"keys": []},
            grant_types=frozenset({"authorization_code"}), redirect_uris=(REDIRECT,),
            token_endpoint_auth_method=ATTESTED,
        )  # fmt: skip
        await store.clients.put([client], actor_org="operator", actor_user="operator")
        yield opened


@pytest.fixture
async def browser(house: House) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False) as session:
        yield Browser(house, session)


async def verified(house: House, credential: str) -> dict[str, Any]:
    """By PyPI sd-jwt, with the key our metadata publishes: what is always shown and what was disclosed to the holder."""
    async with house.session.get(f"{house.url}/.well-known/jwt-vc-issuer") as reply:
        keys = (await reply.json())["jwks"]["keys"]

    def key_of(_issuer: str, header: dict[str, Any] | None = None) -> JWK:
        assert header is not None
        return JWK.from_json(json.dumps(next(one for one in keys if one["kid"] == header["kid"])))

    found: dict[str, Any] = SDJWTVerifier(credential, key_of, None, None).get_verified_payload()
    return found


@pytest.mark.parametrize("dpop", [False, True])
async def test_an_anonymous_wallet_gets_what_was_offered(house: House, packages: Path, dpop: bool) -> None:
    variables = {"idNo": ID_NO, "name": NAME, "flow": "PRE_AUTHORIZED_CODE"}
    made = (await ask(house, OFFER.replace("txCode: false", "txCode: true"), variables))["offerCredential"]
    steps = await run_script(
        SCRIPT, packages, {"link": made["otherLink"], "tx_code": made["txCode"], "dpop": dpop, "copies": 3}
    )
    assert steps["offer"]["issuer"] == house.url
    assert "residence" in steps["offer"]["known"]
    assert steps["token"]["token_type"].lower() == ("dpop" if dpop else "bearer")
    credentials = steps["credentials"]["credentials"]
    assert len(set(credentials)) == 3
    shown = [await verified(house, one) for one in credentials]
    assert {one["iss"] for one in shown} == {house.url}
    assert {one["vct"] for one in shown} == {f"{house.url}/credentials/types/residence/2"}
    assert len({one["cnf"]["jwk"]["x"] for one in shown}) == 3, "each has a key of its own"
    assert len({one["status"]["status_list"]["idx"] for one in shown}) == 3
    seen = (await ask(house, LOOK, {"id": made["offer"]["id"]}))["credentialOffer"]
    assert [one["step"] for one in seen["timeline"]] == ["CREATED", "OPENED", "REDEEMED", "ISSUED", "STORED"]


async def test_a_wallet_its_provider_vouches_for_takes_the_code_flow(
    house: House, packages: Path, browser: Browser
) -> None:
    variables = {"idNo": ID_NO, "name": NAME, "flow": "AUTHORIZATION_CODE"}
    made = (await ask(house, OFFER, variables))["offerCredential"]
    instance, now = PrivateKey.generate(), int(house.gateway.clock.now().timestamp())
    public = {name: instance.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
    attestation = PROVIDER.sign(
        {"typ": "oauth-client-attestation+jwt", "kid": PROVIDER.public_jwk()["kid"]},
        {
            "iss": "https://vendor.example", "sub": "attested-wallet", "iat": now, "exp": now + 3600,
            "cnf": {"jwk": public},
        },
    )  # fmt: skip
    said = {
        "link": made["otherLink"], "copies": 1, "attestation": attestation, "instance": instance.private_jwk(),
        "client_id": "attested-wallet", "redirect_uri": REDIRECT,
    }  # fmt: skip
    steps = await run_script(SCRIPT, packages, said, lambda url: says_yes(browser, url))
    assert steps["token"]["token_type"].lower() == "dpop"
    (credential,) = steps["credentials"]["credentials"]
    assert (await verified(house, credential))["iss"] == house.url
