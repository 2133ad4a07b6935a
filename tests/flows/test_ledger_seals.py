"""From an answer to its seal, with witnesses that come and go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.bootstrap.composition import stored_facts
from gateway.bootstrap.ledger import seals_of, witness_policy
from gateway.caller import Change
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import open_store
from gateway.store.changes import record_change
from ledger.encoding import unb64
from ledger.note import parse_signature
from ledger.policy import KnownLog, parse_policy, require, verify_checkpoint
from ledger.proof import TlogProof, verify_proof
from tests.fakes.person_house import ID_NO, PHONE, hidden, put_organisations
from tests.flows.house import House
from tests.flows.questions import person as question
from tests.flows.sealed_house import Five, five
from tests.flows.test_consent import Bank, OwnFacts, Person, path_in
from tests.gateway.bootstrap.conftest import postgresql, server  # noqa: F401  (fixtures)

pytestmark = pytest.mark.anyio
ASKED = question("residence { state }")
WHOM = {"idNo": ID_NO, "name": "张三"}


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.01)
    return found


async def enrolled(house: House, facts: OwnFacts) -> None:
    store = house.gateway.store
    facts.store = stored_facts(store, house.gateway.clock)
    await put_organisations(store)
    (subject,) = await store.subjects.intern([ID_NO])
    await store.phones.enrol(subject, PHONE, by="lin", org="office", at=house.gateway.clock.now())


async def placed(house: House, entry_id: str) -> Any:
    found = await house.gateway.store.ledger.find(entry_id)
    return found if found is not None and found.number is not None else None


async def sealed(house: House, entry_id: str) -> Any:
    found = await placed(house, entry_id)
    if found is None:
        return None
    return await house.gateway.store.ledger.checkpoint(found.shard, at_least=found.number + 1, sealed=True)


async def test_an_answer_is_durable_at_once_included_within_a_second_and_sealed(witnesses: Five) -> None:
    async with witnesses.house() as house:
        answer = await house.ask(ASKED, WHOM)
        receipt = answer["extensions"]["receipt"]
        assert receipt["level"] == "DURABLE"
        found = await house.gateway.store.ledger.find(receipt["id"])
        assert found is not None
        assert found.leaf_hash == unb64(receipt["leafHash"])
        began = time.monotonic()
        found = await until(lambda: placed(house, receipt["id"]), 1.0)
        reader = house.gateway.store.ledger
        await until(lambda: reader.checkpoint(found.shard, at_least=found.number + 1), 1.0)
        assert time.monotonic() - began < 1.0
        checkpoint = await until(lambda: sealed(house, receipt["id"]))
        policy = parse_policy(witnesses.policy)
        policy = type(policy)(
            tuple(KnownLog(key) for key in await reader.keys(found.shard)),
            policy.witnesses,
            policy.groups,
            policy.quorum,
        )
        note = checkpoint.note.with_signatures(map(parse_signature, checkpoint.cosignatures.values()))
        require(verify_checkpoint(note, policy))
        path = await reader.inclusion(found.shard, found.number, checkpoint.size)
        verify_proof(TlogProof(found.number, tuple(path), note), found.leaf_hash, policy)
        refused = await house.ask(ASKED.replace("CC_RECEPTION", "LOAN_SERVICE"), WHOM)
        assert refused["errors"]
        assert (await until(lambda: sealed(house, refused["extensions"]["receipt"]["id"]))) is not None


async def test_consents_with_witnesses_that_come_and_go(witnesses: Five) -> None:
    facts = OwnFacts()
    async with (
        witnesses.house(ledger_seal_wait_s=0.5) as house,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False) as browser,
    ):
        await enrolled(house, facts)
        bank, person = Bank(house), Person(house, browser)
        await bank.registered()
        await bank.request()
        page = await person.come_in()
        path = path_in(page)
        page = await person.post(f"{path}/give", page, seen=hidden(page, "seen"))
        assert "Several agencies have witnessed" in page

        witnesses.kill("SFJ", "JY")
        await bank.request()
        page = await next_consent(person)
        second = path_in(page)
        page = await person.post(f"{second}/give", page, seen=hidden(page, "seen"))
        assert "witnessing follows" in page  # given, with three of five

        async def provisional() -> bool:
            (newest,) = await house.gateway.store.ledger.checkpoints(
                str(house.gateway.ledger.status.shard), before=None, limit=1
            )
            return newest.sealed_at is None and set(newest.cosignatures) == {"GA", "JCY", "FY"}

        await until(provisional)
        async with house.session.get(f"{house.url}/readyz") as reply:
            assert reply.status == 200

        witnesses.clock.ahead = timedelta(seconds=11)
        await bank.request()
        page = await next_consent(person)
        third = path_in(page)
        form = {"csrf": hidden(page, "csrf"), "seen": hidden(page, "seen")}
        async with browser.post(f"{house.url}{third}/give", data=form) as reply:
            assert reply.status == 503
            assert "too few witnesses" in await reply.text()
        page = await person.get(second)
        page = await person.post(f"{second}/withdraw", page)  # a no never waits
        assert (await house.ask(ASKED, WHOM))["data"] is not None  # nor does a question

        witnesses.revive()
        await until(allowed(house), 20)
        page = await person.get(third)
        page = await person.post(f"{third}/give", page, seen=hidden(page, "seen"))
        assert "Several agencies have witnessed" in page


def allowed(house: House) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        try:
            await house.gateway.ledger.seals.allow()
        except Exception:
            return False
        return True

    return look


async def next_consent(person: Person) -> str:
    """The page of what was asked last; the browser is known by now."""
    link = (await person.message("CONSENT_ASKED")).link.removeprefix(person.house.url)
    return await person.get(link)


async def test_a_restart_goes_on_where_it_was_and_seals_what_is_left(witnesses: Five) -> None:
    async with witnesses.house() as house:
        witnesses.kill("GA", "JCY")
        receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]["id"]
        await until(lambda: placed(house, receipt))
        assert await sealed(house, receipt) is None
    witnesses.revive()
    async with witnesses.house() as house:
        assert await until(lambda: sealed(house, receipt)) is not None
        assert house.gateway.ledger.status.halted is None
        assert await house.gateway.store.ledger.exhibits(10) == []


async def test_a_database_of_yesterday_answers_nothing(witnesses: Five) -> None:
    async with witnesses.house() as house:
        receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]["id"]
        await until(lambda: sealed(house, receipt))
    copies = {file: file.read_bytes() for file in witnesses.folder.glob("*.db*")}
    async with witnesses.house() as house:
        receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]["id"]
        await until(lambda: sealed(house, receipt))
    for file in witnesses.folder.glob("*.db*"):
        file.unlink()
    for file, content in copies.items():
        file.write_bytes(content)
    async with witnesses.house() as house:
        answer = await house.ask(ASKED, WHOM)
        assert answer["errors"][0]["extensions"]["code"] == "EVIDENCE_UNAVAILABLE"
        assert answer.get("data") is None
        async with house.session.get(f"{house.url}/readyz") as reply:
            assert reply.status == 503
            assert (await reply.json())["failing"] == ["ledger"]
        async with house.session.get(f"{house.url}/metrics") as reply:
            assert "yimen_ledger_halted 1.0" in await reply.text()
        ((_, _, exhibit),) = await house.gateway.store.ledger.exhibits(10)
        assert exhibit.kind == "WITNESS_AHEAD"


async def test_without_a_policy_everything_is_answered_and_nothing_sealed(witnesses: Five, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    apart.mkdir()
    settings = {"ledger_witness_policy": None, "database_url": f"sqlite:///{apart / 'yimen.db'}", "state_dir": apart}
    async with witnesses.house(**settings) as house:
        receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]["id"]
        await until(lambda: placed(house, receipt))
        assert await sealed(house, receipt) is None
        assert not house.gateway.ledger.status.witnessed
        published = await until(lambda: house.gateway.store.ledger.published(str(house.gateway.ledger.status.shard)))
        assert published.size >= 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_who_waits_in_another_process_hurries_the_witnesses_of_the_leader(
    witnesses: Five, request: pytest.FixtureRequest, database: str
) -> None:
    """As a command does that stands beside a gateway, or another replica: the next round would be due in half a minute."""
    more = {"ledger_witness_s": 30, "ledger_seal_wait_s": 10}
    if database == "postgresql":
        more["database_url"] = request.getfixturevalue("postgresql")
        await witnesses.introduce(**more)
    async with witnesses.house(**more) as house:
        await house.ask(ASKED, WHOM)

        async def first_round() -> bool:
            return house.gateway.ledger.status.sealed_size > 0

        await until(first_round)
        given = {f"YIMEN_{name.upper()}": str(value) for name, value in witnesses.settings(**more).items()}
        settings = Settings.load({"YIMEN_DEMO": "true", **given}, None)
        store = await open_store(settings, SystemClock())
        try:
            seals = seals_of(settings, store, witness_policy(settings), SystemClock())
            await seals.allow()
            async with store.database.write() as connection:
                change = Change("POLICY_APPROVED", "proposal-1", "JCY", "officer-1")
                await record_change(connection, SystemClock().now(), change)
            assert await seals.sealed("proposal-1", wait=False) is False
            assert await seals.sealed("proposal-1") is True
        finally:
            await store.close()
