"""Five `yimen witness serve` processes beside a gateway: killed with -9, without space, set back to an old copy."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from gateway.bootstrap.witness_command import add_log, initialize, new_key
from ledger.note import VerifierKey
from tests.flows.faults_ledger.scene import ASKED, WHOM, covered, until
from tests.flows.faults_ledger.serving import auditor_of
from tests.flows.faults_ledger.test_killed import free_port
from tests.flows.house import House
from tests.flows.sealed_house import NAMES, Five, ForwardClock

pytestmark = pytest.mark.anyio


@dataclass
class Agency:
    """A witness on its own machine."""

    name: str
    home: Path
    port: int = field(default_factory=free_port)
    vkey: str = ""
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.vkey = new_key(f"{self.name.lower()}.example/witness", self.home / "key")
        self.config.write_text(f"key {self.home / 'key'}\n")
        initialize(self.memory, self.config)

    @property
    def config(self) -> Path:
        return self.home / "conf"

    @property
    def memory(self) -> Path:
        return self.home / "memory"

    def policy_line(self) -> str:
        return f"witness {self.name} {self.vkey} http://127.0.0.1:{self.port}"

    def trust(self, *keys: VerifierKey) -> None:
        for key in keys:
            add_log(str(key), self.config)

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway.bootstrap.witness", "serve", "--port", str(self.port)]
        files = ["--directory", str(self.memory), "--config", str(self.config)]
        self.process = subprocess.Popen(
            command + files, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def alive(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/livez"
        try:
            async with aiohttp.ClientSession(trust_env=False) as session, session.get(url) as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False

    def limit(self, size: int) -> None:
        assert self.process is not None
        psutil.Process(self.process.pid).rlimit(psutil.RLIMIT_FSIZE, (size, -1))


@asynccontextmanager
async def agencies(folder: Path) -> AsyncIterator[tuple[Five, dict[str, Agency]]]:
    """All of them started, and told of the log."""
    own = {name: Agency(name, folder / name) for name in NAMES}
    watched = Five(own, folder, ForwardClock())  # type: ignore[arg-type]
    (folder / "witnesses.txt").write_text(watched.policy)
    await watched.introduce()
    try:
        for one in own.values():
            one.start()
        for one in own.values():
            await until(one.alive)
        yield watched, own
    finally:
        for one in own.values():
            if one.process is not None and one.process.poll() is None:
                one.kill()


async def asked(house: House) -> str:
    answer = await house.ask(ASKED, WHOM)
    assert answer["data"] is not None
    return str(answer["extensions"]["receipt"]["id"])


async def fault(house: House, name: str, wanted: str | None) -> None:
    async def look() -> bool:
        return house.gateway.ledger.status.faults.get(name, "") == wanted

    await until(look, 30)


async def standing(house: House, receipt: str) -> dict[str, Any]:
    async with house.session.get(f"{house.url}/ledger/receipts/{receipt}") as reply:
        return dict(await reply.json())


async def test_witnesses_are_killed_filled_up_and_set_back(tmp_path: Path) -> None:
    async with agencies(tmp_path) as (watched, own), watched.house() as house:
        store, ga = house.gateway.store, own["GA"]
        await asked(house)
        await covered(store)

        ga.kill()
        own["JCY"].kill()
        receipt = await asked(house)
        await fault(house, "GA", "UNREACHABLE")
        await fault(house, "JCY", "UNREACHABLE")

        async def provisional() -> bool:
            found = await standing(house, receipt)
            return found["level"] == "INCLUDED" and {one["name"] for one in found["witnesses"]} == {"FY", "SFJ", "JY"}

        await until(provisional)
        old = tmp_path / "old-memory"
        shutil.copytree(ga.memory, old)
        ga.start()
        own["JCY"].start()
        await fault(house, "GA", None)
        await fault(house, "JCY", None)
        await covered(store)
        assert (await standing(house, receipt))["level"] == "SEALED"
        assert await store.ledger.exhibits(10) == []  # what it had answered for it still knew

        ga.limit(1)
        receipt = await asked(house)
        await covered(store)  # by the other four
        await fault(house, "GA", "FAILING")
        assert (await standing(house, receipt))["level"] == "SEALED"
        ga.limit(-1)
        await fault(house, "GA", None)
        assert await store.ledger.exhibits(10) == []

        ga.kill()
        shutil.rmtree(ga.memory)
        shutil.copytree(old, ga.memory)
        ga.start()
        await until(ga.alive)

        async def forgot() -> list[Any]:
            await asked(house)
            await asyncio.sleep(0.2)
            return [one for _, _, one in await store.ledger.exhibits(10)]

        (exhibit,) = await until(forgot, 30)
        assert (exhibit.about, exhibit.kind) == ("GA", "WITNESS_FORGOT")
        await covered(store)
        await fault(house, "GA", None)
        assert house.gateway.ledger.status.halted is None
        (shard,) = await store.ledger.shards()
        auditor = await auditor_of(watched, await store.ledger.keys(shard.shard), tmp_path / "auditor")
        also = [f"http://127.0.0.1:{one.port}" for one in own.values()]
        said = await auditor.audit(f"{house.url}/ledger/{shard.shard}", "--also", *also)
        assert (said.code, said.report["others"]) == (0, 5), said.report
