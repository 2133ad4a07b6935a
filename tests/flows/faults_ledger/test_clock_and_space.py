"""Clocks that jump, disks that are full: nothing forks, nothing is answered without its record, and it goes on by itself."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import psutil
import pytest

from gateway.store import Store
from ledger.note import parse_signature
from tests.fakes.tokens import Asker
from tests.flows.faults_ledger.scene import ASKED, WHOM, covered, until
from tests.flows.faults_ledger.serving import askers, auditor_of, proven
from tests.flows.faults_ledger.test_killed import environment, free_port, one_history, store_beside
from tests.flows.house import House
from tests.flows.sealed_house import ORIGIN, Five, five
from tests.gateway.bootstrap.conftest import Serve
from tests.gateway.bootstrap.test_ledger_serving import sound

pytestmark = pytest.mark.anyio


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


async def asked(house: House) -> dict[str, str]:
    """The receipt, and the hash it was told with; another token where the clock went past or before this one's."""
    house.asker = await house.again()
    receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]
    return {receipt["id"]: receipt["leafHash"]}


async def active(store: Store) -> str:
    return next(one.shard for one in await store.ledger.shards() if one.active)


async def test_a_clock_goes_back_a_day_on_a_year_and_back_again(witnesses: Five, tmp_path: Path) -> None:
    """Forward over the turn of the year: the old shard is sealed and closed, the new one begins with it, and no clock that
    goes back afterwards opens it again."""
    async with witnesses.house() as house:
        store = house.gateway.store
        first = await active(store)
        receipts = await asked(house)
        await covered(store)
        witnesses.clock.ahead = timedelta(days=-1)
        receipts |= await asked(house)
        last = await covered(store)
        auditor = await auditor_of(witnesses, await store.ledger.keys(first), tmp_path / "auditor")
        said = await auditor.audit(f"{house.url}/ledger/{first}")
        assert said.code == 0, said.report
        await proven(house.url, auditor, receipts)

        now = datetime.now(UTC)
        witnesses.clock.ahead = datetime(int(first) + 1, 7, 1, tzinfo=UTC) - now

        async def turned() -> bool:
            house.gateway.store.ledger_news.set()
            return await active(store) != first

        await until(turned, 30)
        second = await active(store)
        assert int(second) == int(first) + 1
        for one in witnesses.witnesses.values():  # they were not told of the next year's key ahead
            one.trust(*await store.ledger.keys(second))
        later = await asked(house)
        assert (await covered(store)).shard == second
        async with house.session.get(f"{house.url}/ledger/{second}/entries/0/entry") as reply:
            previous = (await reply.json(content_type=None))["public"]["previous"]
        closed = await store.ledger.published(first)
        assert closed is not None
        assert closed.sealed_at is not None
        assert (previous["origin"], previous["size"]) == (f"{ORIGIN}/{first}", closed.size)
        assert closed.size >= last.size

        witnesses.clock.ahead = timedelta()
        back = await asked(house)
        assert (await covered(store)).shard == second
        assert house.gateway.ledger.status.halted is None
        for shard, wanted in ((first, receipts), (second, later | back)):
            own = await auditor_of(witnesses, await store.ledger.keys(shard), tmp_path / f"auditor-{shard}")
            said = await own.audit(f"{house.url}/ledger/{shard}")
            assert said.code == 0, said.report
            await proven(house.url, own, wanted)
    async with witnesses.house() as house:  # and a new start with the clock right again
        assert await active(house.gateway.store) == second
        await asked(house)
        assert (await covered(house.gateway.store)).shard == second
    one_history(witnesses)


async def test_a_witness_whose_clock_goes_back_still_cosigns_and_says_no_earlier_time(witnesses: Five) -> None:
    async with witnesses.house() as house:
        await asked(house)
        first = await cosigned(house)
        witnesses.witnesses["GA"].core._now = lambda: 1_577_836_800  # in 2020
        await asked(house)
        assert await cosigned(house) >= first
        assert house.gateway.ledger.status.faults["GA"] is None
        assert house.gateway.ledger.status.halted is None


async def cosigned(house: House) -> int:
    """POSIX seconds, as GA says of the newest checkpoint."""
    kept = await covered(house.gateway.store)

    async def line() -> str | None:
        found = await house.gateway.store.ledger.checkpoint(kept.shard, at_least=kept.size)
        return None if found is None else found.cosignatures.get("GA")

    return int.from_bytes(parse_signature(await until(line)).value[:8], "big")


async def post(session: aiohttp.ClientSession, url: str, asker: Asker) -> tuple[int, dict[str, object]]:
    body, target = {"query": ASKED.replace("CC_RECEPTION", "LOAN_SERVICE"), "variables": WHOM}, f"{url}/graphql"
    async with session.post(target, json=body, headers=asker.headers("POST", target)) as reply:
        return reply.status, await reply.json(content_type=None)


async def test_a_gateway_without_space_answers_nothing_and_goes_on_when_there_is_some(
    serve: Serve, witnesses: Five, tmp_path: Path
) -> None:
    """The process may not make any file larger: what a full disk is to it."""
    port = free_port()
    async with serve(**environment(witnesses, port)) as serving, aiohttp.ClientSession(trust_env=False) as session:
        (asker,) = await askers(serving, 1)
        url, receipts = f"http://127.0.0.1:{port}", {}

        async def one() -> str:
            _, answer = await post(session, url, asker)
            receipt = answer.get("extensions", {}).get("receipt")  # type: ignore[attr-defined]
            if receipt is None:
                assert answer.get("data") is None
                return str(answer["errors"][0]["extensions"]["code"])  # type: ignore[index]
            receipts[receipt["id"]] = receipt["leafHash"]
            return ""

        assert await one() == ""
        process, files = psutil.Process(serving.process.pid), list(witnesses.folder.glob("yimen.db*"))
        before = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(
            psutil.RLIMIT_FSIZE, (min(file.stat().st_size for file in files if file.stat().st_size), before[1])
        )
        refused = []
        async with asyncio.timeout(60):
            while len(refused) < 5:
                if code := await one():
                    refused.append(code)
        assert set(refused) <= {"EVIDENCE_UNAVAILABLE", "STORE_UNAVAILABLE"}, refused
        assert serving.process.returncode is None
        process.rlimit(psutil.RLIMIT_FSIZE, before)

        async def again() -> bool:
            return await one() == ""

        await until(again)
        store = await store_beside(serving)
        try:
            await covered(store)
            await sound(store)
            auditor = await auditor_of(witnesses, await store.ledger.keys(await active(store)), tmp_path / "auditor")
            said = await auditor.audit(f"{url}/ledger/{await active(store)}")
            assert said.code == 0, said.report
            await proven(url, auditor, receipts)
        finally:
            await store.close()
    one_history(witnesses)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
