"""From a link to a credential in a wallet, over HTTP, and what is remembered of it."""

from __future__ import annotations

import pytest

from credentials import sd_jwt
from tests.fakes.issuing import IssuerHouse, credentials_in

pytestmark = pytest.mark.anyio


async def test_a_link_becomes_a_credential(house: IssuerHouse) -> None:
    offered = await house.offer()
    wallet = house.wallet()
    offer = await wallet.open(offered.link)
    assert offer["credential_issuer"] == house.url
    heard = await wallet.redeem(offer)
    assert heard.status == 200, heard
    assert heard.body["token_type"] == "Bearer"
    assert heard.headers["Cache-Control"] == "no-store"
    heard = await wallet.credential()
    assert heard.status == 200, heard
    (text,) = credentials_in(heard)
    read = sd_jwt.read(text)
    assert read.jwt.claims["cnf"]["jwk"] == dict(wallet.keys[0].public.jwk)
    again = await wallet.notify(heard.body["notification_id"])
    assert again.status == 204
    kinds = [one.kind for one in await house.offers.offers.timeline(offered.offer.offer_id)]
    assert kinds == ["CREATED", "OPENED", "REDEEMED", "ISSUED", "STORED"]
