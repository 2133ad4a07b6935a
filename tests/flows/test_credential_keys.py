"""A verifier who knows nothing but our address: anchors, keys and status over HTTP, and a revocation before its eyes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.jose import parse, read_key, verify
from credentials.ring import LOOK_S
from credentials.ring_changes import compromise
from credentials.status_list import INVALID, VALID, read_token
from credentials.x5c import ISSUER_PURPOSE, check_chain
from gateway.bootstrap.credential_keys import open_rings
from gateway.bootstrap.credential_status import status_lists, status_uri
from gateway.services.credentials.ports import Place
from gateway.store.credentials.flips import flip
from tests.flows.house import House, house

pytestmark = pytest.mark.anyio


async def status(here: House, place: Place) -> int:
    """As an offline verifier does it, from the beginning."""
    async with aiohttp.ClientSession(trust_env=False) as outside:
        async with outside.get(f"{here.url}/credentials/trust-anchors?format=pem") as answer:
            roots = x509.load_pem_x509_certificates(await answer.read())
        async with outside.get(f"{here.url}/credentials/status-lists") as answer:
            assert f"{here.url}/credentials/status/{place.list_id}" in (await answer.json())["status_lists"]
        uri = status_uri(here.gateway.settings, place.list_id)
        async with outside.get(uri, headers={"accept": "application/statuslist+jwt"}) as answer:
            assert answer.content_type == "application/statuslist+jwt"
            token = await answer.text()
        async with outside.get(f"{here.url}/.well-known/jwt-vc-issuer") as answer:
            published = {one["kid"]: one for one in (await answer.json())["jwks"]["keys"]}
    now = datetime.now(UTC)
    jws = parse(token)
    anchors = [one.public_bytes(Encoding.DER) for one in roots]
    key = check_chain(jws.header["x5c"], anchors, now, purpose=ISSUER_PURPOSE)
    verify(jws, read_key({name: value for name, value in published[jws.header["kid"]].items() if name != "x5c"}))
    return read_token(token, key, uri, now=now).at(place.index)


async def _is_given_up(outside: aiohttp.ClientSession, url: str) -> bool:
    async with outside.get(f"{url}/.well-known/did.json") as answer:
        return any("revoked" in method for method in (await answer.json())["verificationMethod"])


async def test_a_status_turns_before_a_verifiers_eyes_and_goes_on_when_a_key_is_stolen(tmp_path: Path) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    async with house(manifests, tmp_path) as here:
        gateway = here.gateway
        rings = await open_rings(gateway.settings, gateway.store.keys, gateway.clock)
        lists = status_lists(gateway.settings, gateway.store, rings, gateway.clock)
        one, other = await lists.allot(2)
        assert await status(here, one) == VALID
        async with gateway.store.database.write() as connection:
            await flip(connection, [one], INVALID, gateway.clock.now())
        assert (await status(here, one), await status(here, other)) == (INVALID, VALID)

        # Another process gives the key up; the gateway's own ring looks again by itself.
        stolen = (await rings.issuer.signer()).kid
        await compromise(rings.issuer, stolen, gateway.clock.now(), "op")
        async with aiohttp.ClientSession(trust_env=False) as outside:
            async with asyncio.timeout(3 * LOOK_S):
                while not await _is_given_up(outside, here.url):
                    await asyncio.sleep(0.05)
        assert await status(here, one) == INVALID
