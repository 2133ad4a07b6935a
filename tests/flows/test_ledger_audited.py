"""An auditor with nothing but `python -m ledger` and witnesses' keys, against a gateway that is being asked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from demo.queries import RECEPTION
from gateway.services.ledger.mirror import Export
from tests.flows.house import House
from tests.flows.sealed_house import Five, five
from tests.flows.test_ledger_seals import ASKED, WHOM, until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


async def auditor(*words: Any) -> tuple[int, str]:
    """Its exit code and what it prints; a process of its own, since the gateway answers it from this loop."""
    command = (sys.executable, "-m", "ledger", *map(str, words))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def audited(*words: Any) -> dict[str, Any]:
    code, said = await auditor("audit", *words, "--json")
    found: dict[str, Any] = json.loads(said)
    assert code == found["exit"], said
    return found


async def get(house: House, path: str, *, token: bool = False, **headers: str) -> bytes:
    url = f"{house.url}{path}"
    given = (house.asker.headers("GET", url) if token else {}) | headers
    async with house.session.get(url, headers=given) as reply:
        body = await reply.read()
        assert reply.status == 200, (path, body)
        return body


async def sealed(house: House, receipt: dict[str, Any]) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(await get(house, f"/ledger/receipts/{receipt['id']}"))
        return found if found["level"] == "SEALED" else None

    found: dict[str, Any] = await until(look, 10.0)
    return found


async def policy_in(folder: Path, house: House, witnesses: Five, name: str = "policy") -> Path:
    """The log's keys as it says they are, the witnesses' as the agencies say."""
    said = (await get(house, "/ledger/policy?format=text")).decode()
    logs = [line for line in said.splitlines() if line.startswith("log ")]
    file = folder / name
    file.write_text("\n".join([*logs, witnesses.policy]))
    return file


def shard_url(house: House, shard: str) -> str:
    return f"{house.url}/ledger/{shard}"


def recorded(answer: dict[str, Any]) -> bytes:
    """The bytes of an answer of which there is a digest on record, as docs/guides/ask.md says."""
    if "errors" not in answer:
        return orjson.dumps({"data": answer["data"]})
    errors = []
    for one in answer["errors"]:
        extensions = {name: value for name, value in one["extensions"].items() if name != "requestId"}
        errors.append(one | {"message": extensions["code"], "extensions": extensions})
    return orjson.dumps({"data": answer.get("data"), "errors": errors})


async def test_a_log_that_grows_is_audited_proven_and_compared_with_what_witnesses_saw(
    witnesses: Five, tmp_path: Path
) -> None:
    async with witnesses.house() as house:
        answers = [
            await house.ask(RECEPTION, WHOM),
            await house.ask(ASKED.replace("CC_RECEPTION", "LOAN_SERVICE"), WHOM),
        ]
        receipts = [await sealed(house, one["extensions"]["receipt"]) for one in answers]
        policy, state = await policy_in(tmp_path, house, witnesses), tmp_path / "auditor.state"
        url = shard_url(house, receipts[0]["shard"])
        also = [one.url for one in witnesses.witnesses.values()]
        asked = [url, "--policy", policy, "--state", state, "--also", *also]
        first = await audited(*asked)
        assert (first["outcome"], first["findings"], first["others"], len(first["witnesses"])) == ("FINE", [], 5, 5)
        assert {"query", "refusal"} <= first["kinds"].keys()
        receipts += [await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"]) for _ in range(3)]
        second = await audited(*asked)
        assert (second["outcome"], second["before"]) == ("FINE", first["size"])
        assert second["size"] >= first["size"] + 3

        for at, (answer, receipt) in enumerate(zip(answers, receipts, strict=False)):
            proof, entry, kept = (tmp_path / f"{at}.{kind}" for kind in ("tlog-proof", "entry", "proof-of-receipt"))
            made = ("prove", url, receipt["index"], "--policy", policy, "--out", proof, "--entry-out", entry)
            assert (await auditor(*made))[0] == 0
            assert entry.read_text() == receipt["entry"]
            kept.write_bytes(await get(house, receipt["proof"]))
            for file in (proof, kept):
                assert (await auditor("verify", file, "--entry", entry, "--policy", policy))[0] == 0
            bundle, page, said = (tmp_path / f"{at}.{kind}" for kind in ("json", "html", "answer"))
            path = f"/ledger/receipts/{receipt['id']}/evidence"
            bundle.write_bytes(await get(house, path, token=True))
            page.write_bytes(await get(house, f"{path}?format=html", token=True))
            said.write_bytes(recorded(answer))
            for file in (bundle, page):
                code, told = await auditor("verify", file, "--policy", policy, "--answer", said)
                assert "the answer given is the one recorded" in told
                assert code == 0, told
                cosigned = told.partition("witnesses cosigned it: ")[2].partition(".")[0].split(", ")
                assert len(cosigned) >= 4


async def test_a_year_turns_and_the_next_log_is_held_against_the_one_before(witnesses: Five, tmp_path: Path) -> None:
    async with witnesses.house() as house:
        receipt = await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        old, new = await turned(house, witnesses, receipt["shard"])
        policy, state = await policy_in(tmp_path, house, witnesses), tmp_path / "old.state"
        assert (await audited(shard_url(house, old), "--policy", policy, "--state", state))["outcome"] == "FINE"
        asked = (shard_url(house, new), "--policy", policy)
        alone = await audited(*asked)
        assert (alone["outcome"], alone["previous"]["checked"]) == ("FINE", False)
        assert "PREVIOUS_UNCHECKED" in {one["fault"] for one in alone["findings"]}
        for previous in (state, shard_url(house, old)):
            found = await audited(*asked, "--previous", previous)
            assert (found["outcome"], found["previous"]["checked"]) == ("FINE", True), found
        shards = house.gateway.store.log.shards
        begun = await shards.begin_shard("ledger.example/log", reason="a restored database", actor_user="op")
        await until(lambda: published(house, begun.shard), 10.0)
        for one in witnesses.witnesses.values():
            one.trust(*await house.gateway.store.ledger.keys(begun.shard))
        await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        policy = await policy_in(tmp_path, house, witnesses)
        found = await audited(shard_url(house, begun.shard), "--policy", policy, "--previous", shard_url(house, new))
        assert (found["outcome"], found["previous"]["checked"]) == ("FINE", True), found


async def published(house: House, shard: str) -> Any:
    return await house.gateway.store.ledger.published(shard)


async def turned(house: House, witnesses: Five, old: str) -> tuple[str, str]:
    """The new year has come, witnesses were told of its key, and something is sealed in its log."""
    new = str(int(old) + 1)
    reader = house.gateway.store.ledger
    await house.gateway.store.log.shards.announce("ledger.example/log", new)
    for one in witnesses.witnesses.values():
        one.trust(*await reader.keys(new))
    witnesses.clock.ahead = timedelta(days=60)
    await until(lambda: published(house, new), 20.0)
    receipt = await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
    assert receipt["shard"] == new
    return old, new


async def test_evidence_outlives_its_keys_its_log_and_its_database(witnesses: Five, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    async with witnesses.house() as house:
        reader, rotation = house.gateway.store.ledger, house.gateway.store.log.keys
        receipt = await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        path, shard = f"/ledger/receipts/{receipt['id']}/evidence", receipt["shard"]
        then = await policy_in(keys, house, witnesses, "then")
        bundle = keys / "then.json"
        bundle.write_bytes(await get(house, path, token=True))
        for _ in range(2):
            await rotation.begin_rotation()
            for one in witnesses.witnesses.values():
                one.trust(*await reader.keys(shard))
            await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
            await until(lambda: retired(rotation), 10.0)
        last = await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        await turned(house, witnesses, shard)
        today = await policy_in(keys, house, witnesses, "today")
        assert sum(line.startswith("log ") for line in today.read_text().splitlines()) == 4
        again, later = keys / "again.html", keys / "later.json"
        house.asker = await house.again()
        again.write_bytes(await get(house, f"{path}?format=html", token=True))
        later.write_bytes(await get(house, f"/ledger/receipts/{last['id']}/evidence", token=True))
    for file in witnesses.folder.iterdir():  # the gateway, its database and all its keys are gone
        if file != keys:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    for file in (bundle, again):
        for policy in (then, today):
            code, said = await auditor("verify", file, "--policy", policy)
            assert code == 0, (file.name, policy.name, said)
    assert (await auditor("verify", later, "--policy", today))[0] == 0
    assert (await auditor("verify", later, "--policy", then))[0] == 1  # signed by a key nobody had then


async def retired(rotation: Any) -> Any:
    """The old key, once the new one was given out under both."""
    from gateway.store.errors import StoreRefused

    try:
        return await rotation.finish_rotation()
    except StoreRefused:
        return None


@asynccontextmanager
async def static_server(folder: Path) -> AsyncIterator[str]:
    """Python's own, as anybody may put it before a mirror."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(listens, 10.0)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def test_a_mirror_behind_any_static_server_is_audited_while_the_log_grows(
    witnesses: Five, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    async with witnesses.house() as house, static_server(tmp_path) as static:
        receipt = await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        export = Export(house.gateway.store.ledger, mirror)
        (shard,) = await house.gateway.store.ledger.shards()
        policy, state = await policy_in(tmp_path, house, witnesses), tmp_path / "state"
        sizes = []
        for _ in range(3):
            asking = [asyncio.create_task(house.ask(ASKED, WHOM)) for _ in range(5)]
            size, _ = await asyncio.gather(export(shard), asyncio.gather(*asking))  # exporting blocks nobody's record
            found = await audited(f"{static}/mirror/{receipt['shard']}", "--policy", policy, "--state", state)
            assert (found["outcome"], found["size"]) == ("FINE", size), found
            sizes.append(size)
            await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        assert sizes == sorted(sizes)
        assert sizes[-1] > sizes[0]
        live = await audited(
            shard_url(house, receipt["shard"]), "--policy", policy, "--also", f"{static}/mirror/{shard.shard}"
        )
        assert (live["outcome"], live["others"]) == ("FINE", 1)


async def test_the_operators_export_runs_beside_a_gateway_and_blocks_nobody(witnesses: Five, tmp_path: Path) -> None:
    """On SQLite, where one writer at a time is let in: who mirrors only reads."""
    mirror = tmp_path / "mirror"
    given = {f"YIMEN_{name.upper()}": str(value) for name, value in witnesses.settings().items()}
    async with witnesses.house() as house:
        receipt = await sealed(house, (await house.ask(ASKED, WHOM))["extensions"]["receipt"])
        command = (sys.executable, "-m", "gateway.cli", "ledger", "export", str(mirror))
        asked, slowest = 0, 0.0
        for _ in range(2):  # and again: it goes on
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env=os.environ | {"YIMEN_DEMO": "true"} | given, stdout=asyncio.subprocess.DEVNULL
            )
            done = asyncio.create_task(process.wait())
            while not done.done():
                began = time.monotonic()
                answer = await house.ask(ASKED, WHOM)
                assert "receipt" in answer["extensions"], answer
                slowest, asked = max(slowest, time.monotonic() - began), asked + 1
            assert done.result() == 0
        assert asked > 2
        assert slowest < 2  # a database that was locked would answer after five seconds, or not at all
        policy = await policy_in(tmp_path, house, witnesses)
        found = await audited(
            shard_url(house, receipt["shard"]), "--policy", policy, "--also", mirror / receipt["shard"]
        )
        assert (found["outcome"], found["others"]) == ("FINE", 1), found
