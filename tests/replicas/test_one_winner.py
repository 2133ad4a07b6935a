"""What is good once is good once, however many replicas are handed it in the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from credentials.credential_type import SD_JWT, configuration_of
from credentials.type_files import load_types
from gateway.bootstrap.credential_offers import offer_room
from gateway.clock import SystemClock
from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.services.credentials.ports import OfferOrigin
from gateway.services.ledger.seals import Unsealed
from gateway.settings import Settings
from gateway.store import Store
from tests.fakes.authorization import REDIRECT, VERIFIER, Desk
from tests.fakes.issuing import ACTING, Wallet
from tests.fakes.tokens import Issuing, issuing, officer
from tests.flows.faults_ledger.scene import ASKED, WHOM
from tests.replicas.replicas import Replicas

pytestmark = pytest.mark.anyio
EACH = 4
CLOCK = SystemClock()


async def post(session: aiohttp.ClientSession, url: str, **given: Any) -> tuple[int, Any]:
    async with session.post(url, **given) as reply:
        return reply.status, await reply.json(content_type=None)


async def test_of_all_who_hand_it_in_at_three_replicas_one_wins(replicas: Replicas) -> None:
    await replicas.start_all(3)
    settings = replicas.settings()
    async with aiohttp.ClientSession(trust_env=False) as session, issuing(settings) as parts:
        await a_proof(replicas, session, parts)
        await an_assertion_and_a_code(replicas, session, parts.store)
        await an_offer_and_a_nonce(replicas, session, parts.store, settings)


async def a_proof(replicas: Replicas, session: aiohttp.ClientSession, parts: Issuing) -> None:
    """One DPoP proof (RFC 9449, section 11.1), with a nonce none of the three handed out."""
    asker = await officer(parts)
    headers = asker.headers("POST", f"{replicas.url}/graphql")
    body = {"query": ASKED, "variables": WHOM}
    urls = replicas.everywhere("/graphql", EACH)
    heard = await asyncio.gather(*(post(session, url, json=body, headers=headers) for url in urls))
    assert sorted(status for status, _ in heard) == [200] + [401] * (len(urls) - 1), heard


async def an_assertion_and_a_code(replicas: Replicas, session: aiohttp.ClientSession, store: Store) -> None:
    """One client assertion (RFC 7523, section 3), then one authorization code (RFC 6749, section 10.5)."""
    desk = Desk(store, CLOCK, base=replicas.url)
    await desk.register_all()
    urls = replicas.everywhere("/oauth/token", EACH)

    async def ask(form: dict[str, str], assertion: Callable[[], dict[str, str]]) -> list[int]:
        heard = await asyncio.gather(
            *(
                post(session, url, data=form | assertion(), headers={"DPoP": desk.proof("/oauth/token", nonce=nonce)})
                for url in urls
            )
        )
        return sorted(status for status, _ in heard)

    first = {"grant_type": "client_credentials"} | said("shunde", desk)
    async with session.post(urls[0], data=first, headers={"DPoP": desk.proof("/oauth/token")}) as reply:
        nonce = reply.headers.get("dpop-nonce")
    assert nonce is not None, "one replica's nonce is good at all of them"

    the_same = said("shunde", desk)
    statuses = await ask({"grant_type": "client_credentials"}, lambda: the_same)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 401}

    def code(text: str) -> dict[str, str]:
        return {"grant_type": "authorization_code", "code": text, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}

    for url in urls[: len(replicas.running)]:
        form = code(await desk.code())
        once = {"data": form | said("desk", desk), "headers": {"DPoP": desk.proof("/oauth/token", nonce=nonce)}}
        assert (await post(session, url, **once))[0] == 200
        assert await ask(form, lambda: said("desk", desk)) == [400] * len(urls), "whoever comes later gets nothing"
    # All at once: a code that comes back while it is being redeemed ends its grant, so it may be that nobody wins.
    statuses = await ask(code(await desk.code()), lambda: said("desk", desk))
    assert statuses in ([200] + [400] * (len(urls) - 1), [400] * len(urls))


def said(client_id: str, desk: Desk) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": desk.assertion(client_id)}


async def an_offer_and_a_nonce(
    replicas: Replicas, session: aiohttp.ClientSession, store: Store, settings: Settings
) -> None:
    """One pre-authorized code, then one `c_nonce` in as many good proofs as there are requests (OpenID4VCI 1.0, 6 and 7)."""
    known = [configuration_of(one, SD_JWT) for one in load_types()]
    offers = offer_room(settings, store, store.inbox, Unsealed(), CLOCK, lambda: known)
    (subject_id,) = await store.subjects.intern([WHOM["idNo"]])
    offered = await offers.offer(
        acting=ACTING, actor_user="u-1", origin=OfferOrigin.OFFICER, subject_id=subject_id,
        configuration_ids=("residence",), tx_code=False,
    )  # fmt: skip
    wallets = [Wallet(url, session, CLOCK) for url in replicas.everywhere("", EACH)]
    offer = await wallets[0].open(offered.link)
    heard = await asyncio.gather(*(wallet.redeem(offer) for wallet in wallets))
    assert sorted(one.status for one in heard) == [200] + [400] * (len(wallets) - 1)

    (winner,) = [wallet for wallet in wallets if wallet.token]
    nonce = await winner.nonce()
    for wallet in wallets:
        wallet.token = winner.token
    heard = await asyncio.gather(
        *(wallet.credential(proofs={"jwt": [wallet.proof(nonce, aud=replicas.url)]}) for wallet in wallets)
    )
    errors = sorted(one.body["error"] for one in heard)
    assert errors == ["credential_request_denied"] + ["invalid_nonce"] * (len(wallets) - 1), (
        "past the nonce: no ground here"
    )
