"""Yesterday's database, two histories for two agencies, a record edited behind the log: caught from three sides."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.store.tables import access_event
from gateway.store.tables.ledger import ledger_shard
from ledger.policy import parse_policy
from tests.fakes.witnesses import blind, hanging
from tests.flows.faults_ledger.administrator import Administrator, another
from tests.flows.faults_ledger.scene import (
    ASKED,
    WHOM,
    Scene,
    alarms,
    answers_nothing,
    covered,
    fill,
    refuses,
    store_of,
    trusted,
    until,
)
from tests.flows.house import House

pytestmark = pytest.mark.anyio


def operator(scene: Any, *words: str) -> subprocess.CompletedProcess[str]:
    """`yimen ledger ...` on this database."""
    environ = {f"YIMEN_{name.upper()}": str(value) for name, value in scene.settings().items()}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "ledger", *words], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "", "YIMEN_DEMO": "true", **environ},
    )  # fmt: skip


async def asked(house: House) -> str:
    answer = await house.ask(ASKED, WHOM)
    return str(answer["extensions"]["receipt"]["id"])


async def test_yesterdays_database_stops_is_named_and_a_new_shard_is_the_way_on(scene: Scene, tmp_path: Path) -> None:
    """The auditor has seen today's tree; the shard that follows begins with what the witnesses still hold of it."""
    whole, auditor, (before, today) = scene.copy(tmp_path), scene.auditor.another("auditor-of-restored"), scene.sizes
    async with whole.house() as house:
        assert (await auditor.audit(scene.url(house))).code == 0
        await covered(house.gateway.store)
    restored = scene.back(tmp_path)
    async with restored.house() as house:
        assert house.gateway.ledger.status.halted == "WITNESS_AHEAD"
        await answers_nothing(house)
        for alerts in (await alarms(house)).values():
            assert {one["detail"]["kind"] for one in alerts} == {"WITNESS_AHEAD"}
        ((_, _, exhibit),) = await house.gateway.store.ledger.exhibits(10)
        shown = exhibit.documents["shown"]
        said = await auditor.audit(scene.url(house))
        assert (said.code, said.faults[0][0]) == (1, "ROLLED_BACK")
        assert said.faults[0][1] == before
        assert f"{before}" in said.words
        assert "日志回退" in said.words
        notes = said.exhibit()["notes"]
        assert {"before", "now"} <= notes.keys()
        async with house.session.get(f"{house.url}/ledger/{scene.shard}/checkpoint") as reply:
            assert reply.status == 200

    refused = operator(restored, "status")
    assert (refused.returncode, "HALTED: WITNESS_AHEAD" in refused.stdout) == (1, True)
    file = tmp_path / "shown"
    file.write_text(shown, "utf-8")
    begun = operator(
        restored, "begin-shard", "--yes", "--reason", "restored yesterday's backup", "--checkpoint", str(file)
    )
    assert begun.returncode == 0, begun.stderr
    async with store_of(restored) as store:
        (new, old) = await store.ledger.shards()
        assert (new.shard, old.shard, new.active, old.active) == (f"{scene.shard}b", scene.shard, True, False)
        for one in restored.witnesses.values():
            one.trust(*await store.ledger.keys(new.shard))
        keys = [*await store.ledger.keys(new.shard)]
    async with restored.house() as house:
        receipt = await asked(house)
        kept = await covered(house.gateway.store)
        assert kept.shard == new.shard
        async with house.session.get(f"{house.url}/ledger/receipts/{receipt}") as reply:
            assert (await reply.json())["level"] == "SEALED"
        policy = tmp_path / "policy-of-new"
        policy.write_text(trusted(restored, keys), "utf-8")
        fresh = type(auditor)(tmp_path / "auditor-of-new", policy)
        fresh.folder.mkdir()
        said = await fresh.audit(f"{house.url}/ledger/{new.shard}")
        assert said.code == 0, said.report
        async with house.session.get(f"{house.url}/ledger/{new.shard}/entries/0/entry") as reply:
            previous = (await reply.json(content_type=None))["public"]["previous"]
        assert (previous["origin"], previous["note"]) == (f"ledger.example/log/{scene.shard}", shown)
        assert previous["size"] == today or previous["size"] > today
    checked = operator(restored, "fsck", "--full")
    assert checked.returncode == 0, checked.stdout


async def test_of_two_gateways_on_one_copied_database_the_second_stops_at_its_start(
    scene: Scene, tmp_path: Path
) -> None:
    first, second = scene.copy(tmp_path, "first"), scene.copy(tmp_path, "second")
    async with first.house() as one:
        await asked(one)
        await covered(one.gateway.store)
        async with second.house() as other:
            assert other.gateway.ledger.status.halted == "WITNESS_AHEAD"
            await answers_nothing(other)
            assert (await one.ask(ASKED, WHOM))["data"] is not None


async def test_two_gateways_that_start_alike_and_part_are_parted_by_witnesses(scene: Scene, tmp_path: Path) -> None:
    first, second = scene.copy(tmp_path, "first"), scene.copy(tmp_path, "second")
    # Each writes down at its start the certificate it made for its own address; seldom rounds leave that unseen for a while.
    seldom = {"ledger_witness_s": 5}
    async with first.house(**seldom) as one, second.house(**seldom) as other:
        assert other.gateway.ledger.status.halted is None
        await asked(one)
        sealed = await covered(one.gateway.store)
        await other.ask(ASKED, WHOM)

        async def halted() -> Any:
            return other.gateway.ledger.status.halted

        assert await until(halted) in ("TREE_DIFFERS", "WITNESS_AHEAD")
        await until(lambda: refuses(other))
        await answers_nothing(other)
        for alerts in (await alarms(other)).values():
            assert {"TREE_DIFFERS", "WITNESS_AHEAD"} & {one["detail"]["kind"] for one in alerts}
        exhibits = [found for _, _, found in await other.gateway.store.ledger.exhibits(10)]
        assert all({"shown", "ours"} <= one.documents.keys() for one in exhibits)
        for one_ in scene.five.witnesses.values():
            state = one_.states.last(f"ledger.example/log/{scene.shard}")
            assert state is not None
            assert state.checkpoint.size <= sealed.size
        newest = await other.gateway.store.ledger.published(scene.shard)
        assert newest is not None
        assert (newest.size <= scene.sizes[1]) or newest.sealed_at is None


async def test_different_histories_for_two_agencies_are_a_split_view(scene: Scene, tmp_path: Path) -> None:
    """The second gateway asks no witness, so that none can refuse; two more witnesses collude with it and it is still no
    seal. The agency that compares with another one names the entry in which the two part."""
    first, second = scene.copy(tmp_path, "first"), scene.copy(tmp_path, "second")
    one_sees, other_sees = scene.auditor.another("auditor-one"), scene.auditor.another("auditor-other")
    async with first.house() as one, second.house(ledger_witness_policy=None) as other:
        await fill(one.gateway.store, 3)
        await fill(other.gateway.store, 5)
        await covered(one.gateway.store)
        await covered(other.gateway.store, sealed=False)
        said = await one_sees.audit(scene.url(one))
        assert said.code == 0
        said = await other_sees.audit(scene.url(other))
        assert (said.code, [fault for fault, _ in said.faults]) == (1, ["MISSING_COSIGNATURES"])
        assert "见证联署不足" in said.words
        for also in (str(one_sees.state), f"{scene.url(one)}/checkpoint"):
            said = await other_sees.audit(scene.url(other), "--also", also)
            assert said.code == 1
            (split,) = [first for fault, first in said.faults if fault == "SPLIT_VIEW"]
            assert split == (scene.sizes[1] if also == str(one_sees.state) else None)
            assert "对外两套账" in said.words
            assert {"ours", also} <= said.exhibit()["notes"].keys()
        witness = scene.five.witnesses["FY"]
        said = await other_sees.audit(scene.url(other), "--also", witness.url)
        assert "SPLIT_VIEW" in {fault for fault, _ in said.faults}

        async with store_of(second) as store:
            (newest,) = await store.ledger.checkpoints(scene.shard, before=None, limit=1)
            lines = {
                name: str(scene.five.witnesses[name].signer.sign(newest.note.text, 1_900_000_000))
                for name in ("SFJ", "JY")
            }
            await store.log.keep_cosignatures(scene.shard, newest.size, lines, sealed=True)
        said = await other_sees.audit(scene.url(other))
        assert (said.code, "MISSING_COSIGNATURES" in {fault for fault, _ in said.faults}) == (1, True)
        assert said.report["witnesses"].keys() == {"SFJ", "JY"}
    assert parse_policy(other_sees.policy.read_text()).groups["Q"][0] == 4


async def test_two_that_collude_seal_nothing(scene: Scene, tmp_path: Path) -> None:
    """A copied gateway with two witnesses that sign whatever comes, one that hangs, and two that do their duty."""
    first, second = scene.copy(tmp_path, "first"), scene.copy(tmp_path, "second")
    async with first.house() as one:
        await asked(one)
        await covered(one.gateway.store)
    for name, behave in (("SFJ", blind), ("JY", blind), ("GA", hanging), ("JCY", hanging), ("FY", hanging)):
        scene.five.witnesses[name].behave = behave
    async with second.house() as other:  # those who could show something cannot be asked
        assert other.gateway.ledger.status.halted is None
        receipt = await asked(other)

        async def two() -> bool:
            (newest,) = await other.gateway.store.ledger.checkpoints(scene.shard, before=None, limit=1)
            return newest.size > scene.sizes[1] and newest.cosignatures.keys() == {"SFJ", "JY"}

        await until(two)
        async with other.session.get(f"{other.url}/ledger/receipts/{receipt}") as reply:
            assert (await reply.json())["level"] == "INCLUDED"
        scene.five.revive()

        async def halted() -> Any:
            return other.gateway.ledger.status.halted

        assert await until(halted, 40) in ("TREE_DIFFERS", "WITNESS_AHEAD")
        await until(lambda: refuses(other))
        await answers_nothing(other)


async def test_a_record_edited_behind_the_log_is_named_and_its_old_evidence_still_holds(
    scene: Scene, tmp_path: Path
) -> None:
    copy = scene.copy(tmp_path)
    async with store_of(copy) as store:
        edit = sa.update(access_event).where(access_event.c.id == scene.asked).values(purpose="CC_HELP")
        await Administrator(store, scene.shard).run(edit)
        placed = await store.ledger.find(scene.asked)
        assert placed is not None
    checked = operator(copy, "fsck", "--full", "--json")
    assert checked.returncode == 1, checked.stdout + checked.stderr
    (finding,) = [json.loads(line) for line in checked.stdout.splitlines()]
    assert (finding["fault"], finding["index"], finding["entry_id"]) == ("EDITED_RECORD", placed.number, scene.asked)
    words = operator(copy, "fsck", "--full")
    assert f"第 {placed.number} 条 entry {placed.number}" in words.stdout
    assert "记录与其条目的承诺不符" in words.stdout

    command = [sys.executable, "-m", "ledger", "verify", str(scene.evidence), "--policy", str(scene.auditor.policy)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(scene.evidence.read_text())["record"]["purpose"] == "CC_RECEPTION"
    async with copy.house() as house:  # what the gateway would give out now is not what was committed to
        url = f"{house.url}/ledger/receipts/{scene.asked}/evidence"
        asker = await house.again()
        async with house.session.get(url, headers=asker.headers("GET", url)) as reply:
            given = await reply.read()
            spoiled = tmp_path / "spoiled.json"
            spoiled.write_bytes(given)
            status = reply.status
    done = subprocess.run([*command[:4], str(spoiled), *command[5:]], capture_output=True, text=True, check=False)
    assert status != 200 or done.returncode == 1, (status, done.stdout)


async def test_whoever_clears_the_halt_by_hand_is_halted_again(scene: Scene, tmp_path: Path) -> None:
    copy = scene.copy(tmp_path)
    async with store_of(copy) as store:
        one = Administrator(store, scene.shard)
        await one.rewrite(lambda rows: [(rows[0][0], another(rows[0][1])), *rows[1:]])
    for _ in range(2):
        async with copy.house() as house:
            assert house.gateway.ledger.status.halted == "TREE_DIFFERS"
            await answers_nothing(house)
        async with store_of(copy) as store:
            await Administrator(store, scene.shard).run(sa.update(ledger_shard).values(halted=None))
