"""A house with five witnesses beside it, each a server of its own, and a log they know before it begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.places import TEMPLATES, write_private
from demo.render import render_manifests
from gateway.clock import CIVIL, SystemClock
from gateway.settings import Settings
from gateway.store import open_store
from ledger.policy import parse_policy
from tests.fakes.witnesses import FakeWitness, hanging, honest, witness
from tests.flows.house import House, house

NAMES = ("GA", "JCY", "FY", "SFJ", "JY")
NOBODY = "http://127.0.0.1:9"
ORIGIN = "ledger.example/log"


@dataclass
class ForwardClock:
    """The real time, and as much more as a test says."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Five:
    """The witnesses and what a house must be told of them; the database outlives the house."""

    witnesses: Mapping[str, FakeWitness]
    folder: Path
    clock: ForwardClock

    @property
    def policy(self) -> str:
        lines = [one.policy_line() for one in self.witnesses.values()]
        return "\n".join([*lines, f"group Q 4 {' '.join(NAMES)}", "quorum Q", ""])

    def settings(self, **more: Any) -> dict[str, Any]:
        """`more`: None leaves one out."""
        given = {
            "state_dir": self.folder, "database_url": f"sqlite:///{self.folder / 'yimen.db'}", "ledger_origin": ORIGIN,
            "ledger_witness_policy": self.folder / "witnesses.txt", "ledger_witness_s": 0.1, "ledger_seal_wait_s": 1,
            "ledger_quorum_window_s": 10, "alarm_poll_s": 0, "ledger_announce_days": 1, **more,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    def kill(self, *names: str) -> None:
        for name in names:
            self.witnesses[name].behave = hanging

    def revive(self) -> None:
        for one in self.witnesses.values():
            one.behave = honest

    async def introduce(self, **more: Any) -> None:
        """The log's key is made, and the witnesses are told of it."""
        given = {f"YIMEN_{name.upper()}": str(value) for name, value in self.settings(**more).items()}
        store = await open_store(Settings.load({"YIMEN_DEMO": "true", **given}, None), SystemClock())
        try:
            shard = await store.log.open(ORIGIN, str(datetime.now(CIVIL).year))
            for one in self.witnesses.values():
                one.trust(*await store.ledger.keys(shard.shard))
        finally:
            await store.close()

    @asynccontextmanager
    async def house(self, **more: Any) -> AsyncIterator[House]:
        manifests = self.folder / "manifests"
        manifests.mkdir(exist_ok=True)
        render_manifests(TEMPLATES, manifests, {"ZM_URL": NOBODY, "SECRETS": str(self.folder)})  # nobody answers there
        write_private(self.folder / "zm_token", "token")
        async with house(manifests, self.folder, clock=self.clock, **self.settings(**more)) as opened:
            yield opened


@asynccontextmanager
async def five(folder: Path) -> AsyncIterator[Five]:
    async with AsyncExitStack() as stack:
        witnesses = {name: await stack.enter_async_context(witness(name)) for name in NAMES}
        found = Five(witnesses, folder, ForwardClock())
        (folder / "witnesses.txt").write_text(found.policy)
        parse_policy(found.policy)
        await found.introduce()
        yield found
