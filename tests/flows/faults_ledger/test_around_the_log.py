"""What an administrator may try beside the log: keep an entry out of it, sign with another key, make up witnesses; and what
a person can still do when the log has stopped."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from gateway.bootstrap.composition import stored_facts
from gateway.services.ledger.ports import Exhibit
from gateway.store.ids import to_us
from gateway.store.ledger.signing import new_signer
from gateway.store.tables.ledger import ledger_key, ledger_outbox
from tests.fakes.person_house import ID_NO, PHONE, hidden, put_organisations
from tests.fakes.witnesses import witness
from tests.flows.faults_ledger.administrator import Administrator
from tests.flows.faults_ledger.scene import ASKED, WHOM, Scene, covered, store_of, until
from tests.flows.faults_ledger.test_restored import operator
from tests.flows.sealed_house import NAMES, Five, five
from tests.flows.test_consent import Bank, OwnFacts, Person, path_in

pytestmark = pytest.mark.anyio


async def test_an_entry_that_is_kept_out_of_the_log_is_missed_by_who_has_its_receipt_and_by_fsck(
    scene: Scene, tmp_path: Path
) -> None:
    copy = scene.copy(tmp_path)
    trigger = (
        "CREATE TRIGGER hides AFTER INSERT ON ledger_outbox BEGIN DELETE FROM ledger_outbox WHERE id = NEW.id; END"
    )
    async with store_of(copy) as store, store.database.write() as connection:
        await connection.exec_driver_sql(trigger)
    async with copy.house() as house:
        receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]
        await covered(house.gateway.store)
        async with house.session.get(f"{house.url}/ledger/receipts/{receipt['id']}") as reply:
            assert (reply.status, (await reply.json())["errors"][0]["extensions"]["code"]) == (404, "RECEIPT_UNKNOWN")
    checked = operator(copy, "fsck", "--full", "--json")
    found = [json.loads(line) for line in checked.stdout.splitlines()]
    assert checked.returncode == 1
    assert ("UNLOGGED_RECORD", receipt["id"]) in {(one["fault"], one["entry_id"]) for one in found}


async def test_a_log_that_is_signed_with_another_key_is_believed_by_nobody(scene: Scene, tmp_path: Path) -> None:
    copy, auditor = scene.copy(tmp_path), scene.auditor.another("auditor-of-key")
    async with store_of(copy) as store:
        (held,) = await store.ledger.keys(scene.shard)
        row = await store.log.keys.sealed(scene.shard, new_signer(held.name))
        row |= {"at_us": to_us(scene.five.clock.now())}
        await Administrator(store, scene.shard).run(sa.delete(ledger_key), sa.insert(ledger_key).values(row))
    async with copy.house() as house:
        assert house.gateway.ledger.status.halted == "STORE_DAMAGED"  # what it signed before is not by this key
    async with store_of(copy) as store:  # he signs all of it anew, and says there was no halt
        one = Administrator(store, scene.shard)
        await one.run(sa.text("UPDATE ledger_shard SET halted = NULL"))
        await one.rewrite(lambda rows: rows)
    async with copy.house() as house:
        await house.ask(ASKED, WHOM)

        async def refused() -> bool:
            return set(house.gateway.ledger.status.faults.values()) == {"NOT_TRUSTED"}

        await until(refused)
        kinds = {(one.about, one.kind) for _, _, one in await house.gateway.store.ledger.exhibits(10)}
        assert kinds >= {(name, "WITNESS_NOT_TRUSTED") for name in NAMES}
        said = await auditor.audit(scene.url(house))
    assert (said.code, [fault for fault, _ in said.faults]) == (1, ["BAD_SIGNATURE"])
    assert "签名无效" in said.words


async def test_witnesses_an_operator_makes_up_seal_nothing_for_an_auditor(scene: Scene, tmp_path: Path) -> None:
    auditor = scene.auditor.another("auditor-of-puppets")
    async with AsyncExitStack() as stack:
        puppets = {name: await stack.enter_async_context(witness(name)) for name in NAMES}
        target = scene.copy(tmp_path).folder
        copy = Five(puppets, target, scene.five.clock)
        (target / "witnesses.txt").write_text(copy.policy)
        await copy.introduce()
        async with store_of(copy) as store:
            one = Administrator(store, scene.shard)
            await one.rewrite(lambda rows: rows[:7] + rows[8:])
        async with copy.house() as house:
            await house.ask(ASKED, WHOM)
            sealed = await covered(house.gateway.store)
            assert sealed.sealed_at is not None  # so the gateway says
            said = await auditor.audit(scene.url(house))
            assert said.code == 1
            assert {fault for fault, _ in said.faults} >= {"MISSING_COSIGNATURES"} or said.faults[0][
                0
            ] == "BAD_SIGNATURE"
            assert said.report["witnesses"] == {}
            first = [at for fault, at in said.faults if fault in ("REWRITTEN_HISTORY", "BAD_SIGNATURE")]
            assert first == [7], said.report


async def test_a_halted_log_grants_nothing_and_takes_back_everything(tmp_path: Path) -> None:
    facts = OwnFacts()
    async with (
        five(tmp_path) as witnesses,
        witnesses.house() as house,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False) as browser,
    ):
        store = house.gateway.store
        facts.store = stored_facts(store, house.gateway.clock)
        await put_organisations(store)
        (subject,) = await store.subjects.intern([ID_NO])
        await store.phones.enrol(subject, PHONE, by="lin", org="office", at=house.gateway.clock.now())
        bank, person = Bank(house), Person(house, browser)
        await bank.registered()
        asking, request_id = await bank.request()
        page = await person.come_in()
        given = path_in(page)
        await person.post(f"{given}/give", page, seen=hidden(page, "seen"))
        other, other_id = await bank.request()
        page = await person.get((await person.message("CONSENT_ASKED")).link.removeprefix(house.url))
        wanted = path_in(page)

        shard = str(house.gateway.ledger.status.shard)
        await store.log.halt("WITNESS_AHEAD", Exhibit(shard, "WITNESS_AHEAD", "GA", {"shown": "a test's"}))

        async def halted() -> bool:
            return house.gateway.ledger.status.halted is not None

        await until(halted)
        form = {"csrf": hidden(page, "csrf"), "seen": hidden(page, "seen")}
        async with browser.post(f"{house.url}{wanted}/give", data=form) as reply:
            assert reply.status == 503
            assert "存证日志已停止" in await reply.text()
        assert (await bank.state(other, other_id))["state"] != "GIVEN"
        await person.post(f"{given}/withdraw", await person.get(given))
        assert (await bank.state(asking, request_id))["state"] == "ENDED"
        async with store.database.read() as connection:
            entries = (await connection.scalars(sa.select(ledger_outbox.c.entry))).all()
        assert any(b'"kind":"consent"' in bytes(one) for one in entries)  # it waits for the shard that comes
