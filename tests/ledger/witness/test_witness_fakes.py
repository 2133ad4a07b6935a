"""The fakes keep the promises other tests build on."""

from __future__ import annotations

import aiohttp
import pytest

from ledger.note import parse_signature, verify_signature
from tests.fakes import witnesses
from tests.fakes.witnesses import witness
from tests.ledger.witness.logs import LOG, Tree


@pytest.mark.anyio
async def test_an_honest_one_cosigns_remembers_and_forgets() -> None:
    tree = Tree()
    async with witness("GA") as ga, aiohttp.ClientSession() as client:
        ga.trust(LOG.key)
        async with client.post(f"{ga.url}/add-checkpoint", data=tree.request(0, 5)) as answer:
            assert answer.status == 200
            line = parse_signature(await answer.text())
        verify_signature(tree.checkpoint(5).text, line, ga.signer.key)
        async with client.post(f"{ga.url}/add-checkpoint", data=tree.request(0, 5)) as answer:
            assert (answer.status, answer.content_type, await answer.text()) == (409, "text/x.tlog.size", "5\n")
        ga.forget()
        async with client.post(f"{ga.url}/add-checkpoint", data=tree.request(5, 6)) as answer:
            assert (answer.status, await answer.text()) == (409, "0\n")
        ga.behave = witnesses.status(500)
        async with client.post(f"{ga.url}/add-checkpoint", data=tree.request(0, 6)) as answer:
            assert answer.status == 500
        assert len(ga.requests) == 4


@pytest.mark.anyio
@pytest.mark.parametrize(
    "behave",
    [witnesses.blind, witnesses.signs_another_root, witnesses.wrong_key, witnesses.forged, witnesses.garbage,
     witnesses.empty, witnesses.redirecting, witnesses.odd_conflict, witnesses.conflict_without_end,
     witnesses.sizes_of_nonsense, witnesses.claims_ahead(10), witnesses.ahead_with_proof(bytes(Tree().note(9))),
     witnesses.slow(0.01)],
)  # fmt: skip
async def test_each_kind_answers_something(behave: witnesses.Behaviour) -> None:
    async with witness("GA", behave=behave) as ga, aiohttp.ClientSession() as client:
        ga.trust(LOG.key)
        async with client.post(f"{ga.url}/add-checkpoint", data=Tree().request(0, 5), allow_redirects=False) as answer:
            await answer.read()
            assert answer.status in (200, 307, 409)
