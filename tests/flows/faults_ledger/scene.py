"""A log of one day, copied before it is spoiled: five witnesses beside it, an auditor outside, and an administrator of the
database who holds the log's signing key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.changes import record_change
from gateway.store.tables.ledger import ledger_outbox
from tests.fakes.tokens import officer
from tests.flows.house import House
from tests.flows.questions import person
from tests.flows.sealed_house import ORIGIN, Five, five

ASKED = person("residence { state }")
WHOM = {"idNo": "440606199003070017", "name": "张三"}
WITHIN_S = 20.0


async def until(look: Callable[[], Awaitable[Any]], seconds: float = WITHIN_S) -> Any:
    """What `look` finds, once it finds something."""
    end = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.02)
    return found


async def fill(store: Store, count: int) -> None:
    """So many entries, in one transaction."""
    async with store.database.write() as connection:
        for number in range(count):
            change = Change("OFFICER_CHANGED", f"officer-{number}", "org-1", "boss")
            await record_change(connection, SystemClock().now(), change)


async def covered(store: Store, *, sealed: bool = True) -> Any:
    """The checkpoint that is given out, once it covers all there is and is sealed."""

    async def look() -> Any:
        if await due(store):  # first, or what is sequenced meanwhile is overlooked
            return None
        shard = next(one for one in await store.ledger.shards() if one.active)
        kept = await store.ledger.published(shard.shard)
        whole = kept is not None and kept.size == shard.size
        return kept if whole and (kept.sealed_at is not None or not sealed) else None

    return await until(look)


async def due(store: Store) -> int:
    """How many entries wait for their index; alerts wait on purpose."""
    async with store.database.read() as connection:
        now_us = int(time.time() * 1_000_000)
        query = sa.select(sa.func.count()).select_from(ledger_outbox).where(ledger_outbox.c.due_at_us <= now_us)
        return int(await connection.scalar(query) or 0)


@dataclass
class Said:
    """What the auditor's program ended with."""

    code: int
    report: Mapping[str, Any]

    @property
    def faults(self) -> list[tuple[str, int | None]]:
        """Each fault and the first bad entry it names, in the order told."""
        return [(one["fault"], one["first"]) for one in self.report["findings"]]

    @property
    def words(self) -> str:
        return "\n".join(one["zh"] + one["en"] for one in self.report["findings"])

    def exhibit(self) -> dict[str, Any]:
        """What it kept as evidence."""
        return dict(json.loads(Path(self.report["exhibit"]).read_text("utf-8")))


@dataclass
class Auditor:
    """An agency outside: `python -m ledger` in a folder of its own, keys, and yesterday's state file."""

    folder: Path
    policy: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def another(self, name: str) -> Auditor:
        """Who knows what this one knows by now."""
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder)
        return Auditor(folder, self.policy)

    async def audit(self, where: str, *more: str) -> Said:
        words = ["audit", where, "--policy", str(self.policy), "--state", str(self.state), "--json", *more]
        command = [sys.executable, "-m", "ledger", *words]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == "", done.stderr
        found = Said(done.returncode, json.loads(done.stdout))
        assert found.report["exit"] == found.code
        return found


def trusted(scene: Five, keys: Any) -> str:
    """The policy of an auditor: the log's keys and the five."""
    return "".join(f"log {key}\n" for key in keys) + scene.policy


@contextlib.contextmanager
def remembered(witnesses: Five) -> Iterator[None]:
    """Whatever they see meanwhile, they forget after it."""
    before = {name: dict(one.states._states) for name, one in witnesses.witnesses.items()}
    try:
        yield
    finally:
        for name, one in witnesses.witnesses.items():
            one.states._states = before[name]
        witnesses.revive()


@dataclass
class Scene:
    """`today`: what the administrator spoils; `yesterday`: the same database a day before. `shard`: of both.

    `evidence`: of a query of today, as the person who asked may keep it; `asked`: that query's id."""

    five: Five
    auditor: Auditor
    shard: str
    yesterday: Path
    today: Path
    sizes: tuple[int, int]
    evidence: Path
    asked: str
    number: int = 0
    kept: list[Path] = field(default_factory=list)

    def copy(self, folder: Path, name: str = "copy") -> Five:
        """Another house with this database: its witnesses are the same."""
        target = folder / name
        shutil.copytree(self.today, target)
        shutil.copy(self.five.folder / "witnesses.txt", target)
        return Five(self.five.witnesses, target, self.five.clock)

    def back(self, folder: Path) -> Five:
        target = folder / "yesterday"
        shutil.copytree(self.yesterday, target)
        shutil.copy(self.five.folder / "witnesses.txt", target)
        return Five(self.five.witnesses, target, self.five.clock)

    def url(self, house: House) -> str:
        return f"{house.url}/ledger/{self.shard}"


def _snapshot(folder: Path, target: Path) -> Path:
    """All that a restored backup of a machine would hold."""
    kept = ("*.db*", "*.key", "*key*")
    target.mkdir()
    for pattern in kept:
        for file in folder.glob(pattern):
            if file.is_file():
                shutil.copy(file, target)
            elif file.is_dir():  # the keys of credentials: a house that had to make new ones would write that down
                shutil.copytree(file, target / file.name)
    return target


@asynccontextmanager
async def store_of(folder: Five) -> AsyncIterator[Store]:
    """The database alone, as an administrator opens it while no gateway runs."""
    given = {f"YIMEN_{name.upper()}": str(value) for name, value in folder.settings().items()}
    store = await open_store(Settings.load({"YIMEN_DEMO": "true", **given}, None), SystemClock())
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def scene_of(folder: Path) -> AsyncIterator[Scene]:
    """300 entries and an audit yesterday, some queries and 20 entries today; all of it sealed."""
    home = folder / "home"
    home.mkdir()
    async with five(home) as witnesses:
        async with witnesses.house() as house:
            await fill(house.gateway.store, 300)
            await house.ask(ASKED, WHOM)
            first = await covered(house.gateway.store)
            auditor = Auditor(folder / "auditor", folder / "auditor-policy")
            auditor.folder.mkdir()
            auditor.policy.write_text(trusted(witnesses, await house.gateway.store.ledger.keys(first.shard)), "utf-8")
            fine = await auditor.audit(f"{house.url}/ledger/{first.shard}")
            assert (fine.code, fine.report["outcome"], fine.report["size"]) == (0, "FINE", first.size), fine
        yesterday = _snapshot(home, folder / "yesterday")
        async with witnesses.house() as house:
            receipt = (await house.ask(ASKED, WHOM))["extensions"]["receipt"]
            await fill(house.gateway.store, 20)
            last = await covered(house.gateway.store)
            evidence = folder / "evidence.json"
            url = f"{house.url}/ledger/receipts/{receipt['id']}/evidence"
            async with house.session.get(url, headers=house.asker.headers("GET", url)) as reply:
                assert reply.status == 200, await reply.text()
                evidence.write_bytes(await reply.read())
        today = _snapshot(home, folder / "today")
        yield Scene(witnesses, auditor, first.shard, yesterday, today, (first.size, last.size), evidence, receipt["id"])


async def alarms(house: House) -> dict[str, list[dict[str, Any]]]:
    """The broken-ledger alerts that a supervisor of another agency and a prosecutor read over HTTP."""
    supervisor = await officer(house.gateway, "boss-9", org_id="cc-jo-other", roles=("SUPERVISOR",))
    prosecutor = await officer(
        house.gateway, "zhou", org_id="jcy-1", org_kind="PROCURATORATE", roles=("PROSECUTOR",), jurisdiction="4406"
    )
    found, url = {}, f"{house.url}/admin/alerts"
    for who, asker in (("supervisor", supervisor), ("prosecutor", prosecutor)):
        async with house.session.get(url, headers=asker.headers("GET", url)) as reply:
            assert reply.status == 200, await reply.text()
            alerts = (await reply.json())["alerts"]
            found[who] = [one for one in alerts if one["type"] == "A13_LEDGER_BREAK"]
    return found


async def refuses(house: House) -> bool:
    return (await house.ask(ASKED, WHOM)).get("data") is None


async def answers_nothing(house: House) -> None:
    """A halted log: no query is answered, readiness and metrics say why, the public log is still there to be checked."""
    answer = await house.ask(ASKED, WHOM)
    assert answer["errors"][0]["extensions"]["code"] == "EVIDENCE_UNAVAILABLE", answer
    assert answer.get("data") is None
    refused = await house.ask(ASKED.replace("CC_RECEPTION", "LOAN_SERVICE"), WHOM)
    assert refused["errors"][0]["extensions"]["code"] == "EVIDENCE_UNAVAILABLE", refused
    async with house.session.get(f"{house.url}/readyz") as reply:
        assert (reply.status, (await reply.json())["failing"]) == (503, ["ledger"])
    async with house.session.get(f"{house.url}/metrics") as reply:
        assert "yimen_ledger_halted 1.0" in await reply.text()


__all__ = [
    "ASKED", "ORIGIN", "WHOM", "Auditor", "Said", "Scene", "alarms", "answers_nothing", "covered", "fill",
    "remembered", "scene_of", "store_of", "trusted", "until",
]  # fmt: skip
