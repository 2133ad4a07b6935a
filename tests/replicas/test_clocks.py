"""Replicas whose clocks differ: within ten seconds nobody notices, beyond that they refuse in words and do no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.clock import SystemClock
from gateway.oauth.client_assertion import ASSERTION_TYPE
from tests.fakes.authorization import DPOP_KEY, Desk
from tests.fakes.tokens import Asker
from tests.flows.faults_ledger.scene import ASKED, WHOM, until
from tests.flows.faults_ledger.serving import manifests
from tests.flows.sealed_house import Five, five
from tests.gateway.bootstrap.conftest import Serve, Serving
from tests.replicas.replicas import Replicas
from tests.replicas.test_one_winner import post, said
from tests.replicas.whole import whole

pytestmark = pytest.mark.anyio
CLOCK = SystemClock()


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


@pytest.fixture
async def apart(
    serve: Serve, postgresql: str, keys_database: str, witnesses: Five, request: pytest.FixtureRequest
) -> AsyncIterator[Replicas]:
    """One replica ahead by so many seconds, then one behind by as many."""
    async with AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Replicas.balancer())
        urls = {"database_url": postgresql, "subject_keys_url": keys_database}
        await witnesses.introduce(**urls)
        given = witnesses.settings(**urls) | {
            "manifests_dir": manifests(witnesses.folder), "public_url": balancer.url, "drain_s": 1,
        }  # fmt: skip
        found = Replicas(serve, given, balancer, stack)
        for seconds in (request.param, -request.param):
            await found.start(program=("tests.replicas.skewed", str(seconds)))
        await found.prepare()
        yield found


async def ask(session: aiohttp.ClientSession, one: Serving, asker: Asker, public_url: str) -> tuple[int, Any]:
    body = {"query": ASKED, "variables": WHOM}
    async with session.post(
        f"{one.url}/graphql", json=body, headers=asker.headers("POST", f"{public_url}/graphql")
    ) as reply:
        asker.heard(reply.headers)
        return reply.status, await reply.json(content_type=None)


async def answered(session: aiohttp.ClientSession, one: Serving, asker: Asker, public_url: str) -> Any:
    """With the nonce of whoever was asked last."""
    status, answer = await ask(session, one, asker, public_url)
    assert (status, answer["data"] is not None) == (200, True), answer
    return answer["extensions"]["receipt"]


async def token_of(session: aiohttp.ClientSession, one: Serving, desk: Desk) -> str:
    """A system's token, made by this replica by its own clock."""
    nonce: dict[str, Any] = {}
    for _ in range(2):
        headers = {"DPoP": desk.proof("/oauth/token", **nonce)}
        form = {"grant_type": "client_credentials"} | said("shunde", desk)
        async with session.post(f"{one.url}/oauth/token", data=form, headers=headers) as reply:
            nonce = {"nonce": reply.headers.get("dpop-nonce")}
            answer = await reply.json()
            if reply.status == 200:
                return str(answer["access_token"])
    raise AssertionError(answer)


async def offset(session: aiohttp.ClientSession, one: Serving) -> float:
    """What a replica says of its own clock."""
    async with session.get(f"{one.url}/metrics") as reply:
        lines = (await reply.text()).splitlines()
    (line,) = (line for line in lines if line.startswith("yimen_clock_offset_seconds "))
    return float(line.split()[1])


def held_by(token: str, nonce: str | None) -> Asker:
    return Asker(token, "", "", DPOP_KEY, CLOCK, CLOCK.now(), nonce=nonce)


@pytest.mark.parametrize("apart", [4], indirect=True)
async def test_eight_seconds_apart_each_takes_what_the_other_made(apart: Replicas, witnesses: Five) -> None:
    ahead, behind = apart.running
    load = await apart.load(2)
    (asker, other) = load.askers
    store = await apart.store()
    async with aiohttp.ClientSession(trust_env=False) as session:
        for one, seconds in ((ahead, 4), (behind, -4)):
            assert await offset(session, one) == pytest.approx(seconds, abs=1.5)

        # A proof by the true time, with a nonce the other handed out, and what is refused for want of one brings one.
        assert (await ask(session, ahead, asker, apart.url))[0] == 401
        for one in (behind, ahead, behind):
            await answered(session, one, asker, apart.url)

        desk = Desk(store, CLOCK, base=apart.url)
        await desk.register_all()
        token = await token_of(session, ahead, desk)
        status, answer = await ask(session, behind, held_by(token, asker.nonce), apart.url)
        assert status == 200, "the token was made by one that is ahead"
        await store.revocations.revoke_client("shunde")  # at once, though the token says it was granted later than this
        for one in (behind, ahead):
            status, answer = await ask(session, one, held_by(token, asker.nonce), apart.url)
            assert status == 401, answer

        other.nonce = asker.nonce
        load.begin(apart.direct())
        await load.more(50)
        await apart.kill(await until(apart.leader))
        await until(apart.leader)
        await load.more(50)
        await load.end()
    assert set(load.failed) <= {"ServerDisconnectedError", "ClientConnectorError", "ClientOSError"}, load.failed
    await whole(store, load, witnesses)


@pytest.mark.parametrize("apart", [90], indirect=True)
async def test_three_minutes_apart_they_refuse_in_words_and_the_log_stays_one(apart: Replicas, witnesses: Five) -> None:
    load = await apart.load(1)
    (asker,) = load.askers
    store = await apart.store()
    async with aiohttp.ClientSession(trust_env=False) as session:
        for one in apart.running * 2:
            status, answer = await ask(session, one, asker, apart.url)
            assert (status, answer.get("data")) == (401, None), "a proof by the true time is too old or too new"
        for one in apart.running:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": "x",
            }
            assert (await post(session, f"{one.url}/oauth/token", data=form))[0] in (400, 401)
    leader = await until(apart.leader)
    await apart.kill(leader)
    await until(apart.leader)
    await whole(store, load, witnesses)
