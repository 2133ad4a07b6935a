"""A keeper over a ledger in memory and witnesses that really listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters.egress_http import HttpEgress
from gateway.bootstrap.witness_client import road_to
from gateway.services.ledger.correspondent import Correspondent
from gateway.services.ledger.keeper import Keeper
from gateway.services.ledger.seals import LedgerSeals
from gateway.services.ledger.start_checks import StartChecks, TailCheck
from gateway.services.ledger.status import LedgerStatus
from gateway.services.ledger.witnessing import Witnessing
from ledger.policy import Policy, parse_policy
from tests.fakes.sequenced_log import MemoryLog
from tests.fakes.witnesses import FakeWitness, witness

NAME = "ledger.example/log"
FIVE = ("GA", "JCY", "FY", "SFJ", "JY")


@dataclass
class Hand:
    """A clock that a test sets forward; it starts at the real time, as witnesses have their own."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Kept:
    ledger: MemoryLog
    witnesses: dict[str, FakeWitness]
    policy: Policy | None
    clock: Hand
    egress: HttpEgress
    tail: TailCheck | None = None
    ask_s: float = 0.5
    patience_s: float = 60.0
    status: LedgerStatus = field(default_factory=LedgerStatus)
    witnessing: Witnessing | None = None
    keeper: Keeper | None = None

    def trust(self) -> None:
        """The witnesses know our log."""
        for one in self.witnesses.values():
            one.trust(self.ledger.active.signer.key)

    @asynccontextmanager
    async def running(self, **settings: float) -> AsyncIterator[Keeper]:
        """As a process would: start, then work until the block ends."""
        self.made(**settings)
        assert self.keeper is not None
        await self.keeper.start()
        working = asyncio.create_task(self.keeper())
        try:
            yield self.keeper
        finally:
            self.keeper.stop()
            async with asyncio.timeout(10):
                await working

    def made(
        self, *, every_s: float = 0.05, checkpoint_s: float = 0.01, heartbeat_s: float = 60.0, announce_days: float = 0
    ) -> None:
        """`announce_days` 0: a test says the same in December as in June."""
        self.status = LedgerStatus()
        ledger = self.ledger
        if self.policy is not None:
            correspondents = [
                Correspondent(
                    known, road_to(known, self.egress, timeout_s=self.ask_s), ledger, ledger, self.clock,
                    patience_s=self.patience_s, pause_s=0.02, written_s=0.0,
                )
                for known in self.policy.witnesses.values()
            ]  # fmt: skip
            self.witnessing = Witnessing(
                self.policy, correspondents, ledger, ledger, self.clock, self.status, every_s=every_s,
                heartbeat_s=heartbeat_s,
            )  # fmt: skip
        self.keeper = Keeper(
            ledger, ledger, self.clock, self.status, StartChecks(ledger, self.witnessing, self.tail), ledger.news,
            name=NAME, checkpoint_s=checkpoint_s, poll_s=0.05, witnessing=self.witnessing,
            announce_days=int(announce_days),
        )  # fmt: skip

    def seals(self, changes: object, *, wait_s: float = 2.0, window_s: float = 3600.0) -> LedgerSeals:
        waiting = self.witnessing.waiting if self.witnessing else nullcontext
        return LedgerSeals(
            self.ledger,
            changes,
            self.policy,
            self.clock,
            wait_s=wait_s,
            window_s=window_s,
            waiting=waiting,  # type: ignore[arg-type]
        )


@asynccontextmanager
async def kept(names: Sequence[str] = FIVE, quorum: int = 4) -> AsyncIterator[Kept]:
    """`names` empty: no policy."""
    ledger, clock = MemoryLog(), Hand()
    await ledger.open(NAME, str(clock.now().astimezone().year))
    async with AsyncExitStack() as stack:
        witnesses = {name: await stack.enter_async_context(witness(name)) for name in names}
        lines = [one.policy_line() for one in witnesses.values()]
        lines += [f"group Q {quorum} {' '.join(names)}", "quorum Q"]
        egress = HttpEgress()
        stack.push_async_callback(egress.close)
        found = Kept(ledger, witnesses, parse_policy("\n".join(lines)) if names else None, clock, egress)
        found.trust()
        yield found
