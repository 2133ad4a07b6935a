"""One witness over time: what it cosigned last, how it is doing, and what is raised when it does wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from gateway.clock import Clock
from gateway.services.ledger.asking import (
    CLAIMS_AHEAD,
    FAILING,
    FORGOT,
    UNREACHABLE,
    Cosigned,
    Failed,
    Road,
    Said,
    WitnessUnreachable,
    ask,
)
from gateway.services.ledger.comparing import compare
from gateway.services.ledger.ports import Exhibit, KeptCheckpoint, LedgerReader, SequencedLog, WitnessHealth
from gateway.services.ledger.stopping import StoppableRoad
from ledger.checkpoint import parse_checkpoint
from ledger.errors import LedgerError
from ledger.note import parse_note
from ledger.policy import KnownWitness

_log = structlog.get_logger("yimen.ledger")
_AGAIN = timedelta(hours=1)  # since the last alarm of a fault, before it may be one again
_PAUSES = 16  # a witness that keeps failing rests so many times as long as one that failed once
_MAY_PASS = frozenset({UNREACHABLE, FAILING})  # what mends by itself more often than not: an alarm only when it lasts


class Differs(Exception):
    """A witness showed, signed by our own log, a tree that ours does not lead on from."""

    def __init__(self, kind: str, exhibit: Exhibit) -> None:
        super().__init__(kind)
        self.kind, self.exhibit = kind, exhibit


class Correspondent:
    """`busy` while it is asked; `rests_until`: on the loop's clock, not asked before, as it failed.

    `patience_s`: so long it may be out of reach before that is an alarm; `written_s`: how often its good health is written
    down, at most.
    """

    def __init__(
        self,
        known: KnownWitness,
        road: Road,
        log: SequencedLog,
        reader: LedgerReader,
        clock: Clock,
        *,
        patience_s: float,
        pause_s: float = 0.5,
        written_s: float = 5.0,
    ) -> None:
        self.name, self._key, self._road = known.name, known.key, StoppableRoad(road)
        self._log, self._reader, self._clock = log, reader, clock
        self._patience, self._pause_s, self._written_s = timedelta(seconds=patience_s), pause_s, written_s
        self._lock = asyncio.Lock()
        self._health = WitnessHealth(known.name, "")
        self._alarmed: dict[str, datetime] = {}
        self._failures = 0
        self._written = float("-inf")
        self.rests_until = 0.0

    @property
    def busy(self) -> bool:
        return self._lock.locked()

    @property
    def fault(self) -> str | None:
        return self._health.fault

    def stop(self) -> None:
        """Whatever is waited for now, and all from now on, raises Stopped."""
        self._road.stop()

    def remember(self, shard: str, health: WitnessHealth | None) -> None:
        """What the store knows of it; a fault that stands there was alarmed already."""
        self._health = health or WitnessHealth(self.name, shard)
        self._alarmed = {self._health.fault: self._clock.now()} if self._health.fault else {}

    async def cosign(self, kept: KeptCheckpoint) -> str | None:
        """Its signature line under this checkpoint, or None. Raises Differs, Stopped, and what a store raises."""
        async with self._lock:
            outcome = await ask(self._road, self._key, kept, self._health.size, self._reader)
            if isinstance(outcome, Cosigned):
                if outcome.forgot is not None:
                    await self._exhibit(kept.shard, FORGOT, outcome.forgot)
                await self._well(kept)
                return outcome.line
            failed = await self._looked_into(kept, outcome) if outcome.suspicious else outcome
            if failed is not None:
                await self._unwell(kept.shard, failed)
            return None

    async def look(self) -> None:
        """See whether what it cosigned last is a beginning of our tree. Raises Differs, and what a store raises; a
        witness that cannot be asked, or shows nothing of ours, is passed over."""
        async with self._lock:
            try:
                await self._compared(await self._shown(), {})
            except (WitnessUnreachable, LedgerError) as error:
                _log.warning("witness_not_looked_at", witness=self.name, reason=type(error).__name__)

    async def _looked_into(self, kept: KeptCheckpoint, failed: Failed) -> Failed | None:
        """What becomes of a claim that our tree is not the one it saw: proof, or none."""
        try:
            said = await self._shown()
        except WitnessUnreachable as error:
            return Failed(failed.fault, {**failed.documents, "shown": str(error)})
        try:
            await self._compared(said, failed.documents)
        except LedgerError as error:
            return Failed(failed.fault, {**failed.documents, "shown": said.quoted(), "why": type(error).__name__})
        if failed.fault == CLAIMS_AHEAD and failed.claimed <= (await self._log.tree()).size:
            return None  # the log grew meanwhile, and so did what it was shown
        return Failed(failed.fault, {**failed.documents, "shown": said.quoted()})

    async def _shown(self) -> Said:
        return await self._road.checkpoint((await self._log.tree()).origin)

    async def _compared(self, said: Said, documents: Mapping[str, str]) -> None:
        """Raises Differs; LedgerError for what proves nothing."""
        if said.status != 200:
            return
        tree = await self._log.tree()  # after it answered: whatever it saw of ours was committed before
        kind = await compare(said.body, tree, await self._reader.keys(tree.shard), self._reader)
        if kind is not None:
            newest = await self._reader.checkpoints(tree.shard, before=None, limit=1)
            ours = {"ours": bytes(newest[0].note).decode()} if newest else {}
            shown = {"shown": said.body.decode("utf-8", "backslashreplace")}
            raise Differs(kind, Exhibit(tree.shard, kind, self.name, {**documents, **shown, **ours}))
        size = parse_checkpoint(parse_note(said.body).text).size
        if self._health.shard == tree.shard:
            self._health = replace(self._health, size=size)

    async def _well(self, kept: KeptCheckpoint) -> None:
        loop, was = asyncio.get_running_loop(), self._health.fault
        now, self._failures, self.rests_until = self._clock.now(), 0, 0.0
        self._alarmed = {fault: at for fault, at in self._alarmed.items() if now - at < _AGAIN}
        self._health = WitnessHealth(self.name, kept.shard, kept.size, now)
        if was is not None:
            _log.info("witness_well_again", witness=self.name, was=was)
        if was is not None or loop.time() - self._written >= self._written_s:
            self._written = loop.time()
            await self._log.keep_witness(self._health)

    async def _unwell(self, shard: str, failed: Failed) -> None:
        loop, now, was = asyncio.get_running_loop(), self._clock.now(), self._health
        self._failures += 1
        self.rests_until = loop.time() + self._pause_s * min(_PAUSES, 2.0 ** min(self._failures - 1, 10))
        since = was.failing_since or now
        self._health = WitnessHealth(self.name, shard, was.size, was.seen_at, since, failed.fault)
        if was.fault != failed.fault:
            _log.warning("witness_not_cosigning", witness=self.name, fault=failed.fault)
            self._written = loop.time()
            await self._log.keep_witness(self._health)
        if failed.fault not in _MAY_PASS or self._lasts(since, now):
            await self._exhibit(shard, failed.fault, failed.documents)

    def _lasts(self, since: datetime, now: datetime) -> bool:
        return now - since >= self._patience

    async def _exhibit(self, shard: str, fault: str, documents: Mapping[str, str]) -> None:
        """Once for each fault, until it has been well for long enough: one that wavers must not fill the store."""
        if fault not in self._alarmed:
            await self._log.keep_exhibit(Exhibit(shard, f"WITNESS_{fault}", self.name, documents))
            self._alarmed[fault] = self._clock.now()
