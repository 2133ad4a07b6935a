"""Rounds of witnesses over the newest checkpoint, beside sequencing and never in its way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from gateway.clock import Clock
from gateway.services.ledger.correspondent import Correspondent, Differs
from gateway.services.ledger.ports import KeptCheckpoint, LedgerReader, SequencedLog
from gateway.services.ledger.status import LedgerStatus
from gateway.services.ledger.stopping import Stopped
from ledger.policy import NONE, Policy

_log = structlog.get_logger("yimen.ledger")
_SHOW_AFTER_S = 0.25  # what there is of cosignatures is shown by then, though it be no quorum yet
_RETRY_S = 1.0
_LONGEST_HURRY = timedelta(minutes=1)  # more than anybody waits: what says so was written while a clock ran ahead


class Witnessing:
    """`waiting()` while somebody waits for a seal: rounds then follow one another without a pause."""

    def __init__(
        self,
        policy: Policy,
        witnesses: Sequence[Correspondent],
        log: SequencedLog,
        reader: LedgerReader,
        clock: Clock,
        status: LedgerStatus,
        *,
        every_s: float,
        heartbeat_s: float,
    ) -> None:
        self._policy, self._witnesses = policy, tuple(witnesses)
        self._log, self._reader, self._clock, self._status = log, reader, clock, status
        self._every_s, self._heartbeat_s = every_s, heartbeat_s
        self._news = asyncio.Event()
        self._waiting, self._stopped = 0, False
        self._hurry_until: datetime | None = None
        self._newest: KeptCheckpoint | None = None
        self._asked: tuple[str, int] | None = None  # shard and size of the last round
        self._lines: dict[str, str] = {}  # of that checkpoint, by witness
        self._began = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()
        self._round_lock = asyncio.Lock()
        status.witnessed = policy.quorum != NONE

    async def open(self, shard: str) -> None:
        """Take up what the store knows of the witnesses of this shard."""
        known = {one.witness: one for one in await self._reader.witnesses() if one.shard == shard}
        for witness in self._witnesses:
            witness.remember(shard, known.get(witness.name))
        self._newest, self._asked, self._lines = None, None, {}

    async def look(self) -> None:
        """Ask every witness what it saw of us last. Raises Differs, once all were asked."""
        found = await asyncio.gather(*(witness.look() for witness in self._witnesses), return_exceptions=True)
        for error in sorted((one for one in found if one is not None), key=lambda one: not isinstance(one, Differs)):
            raise error

    def news(self, kept: KeptCheckpoint) -> None:
        """There is a newer checkpoint."""
        self._newest = kept
        self._news.set()

    def rest(self) -> None:
        """Nothing is asked until there is news: another process leads, or the log is halted."""
        self._newest = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self._waiting += 1
        self._news.set()
        try:
            yield
        finally:
            self._waiting -= 1

    def hurry(self, until: datetime | None) -> None:
        """Somebody waits in another process, for so long at most."""
        if until != self._hurry_until:
            self._hurry_until = until
            self._news.set()

    async def __call__(self) -> None:
        """Until `stop`. Whatever goes wrong is logged by class and tried again; Differs halts the log."""
        while not self._stopped:
            try:
                await self._until_due()
                if self._newest is not None and not self._stopped:
                    await self.round(self._newest)
            except Exception as error:
                await self.failed(error)
                await asyncio.sleep(_RETRY_S)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self) -> None:
        """Who is asked now is not waited for; what was cosigned is still kept."""
        self._stopped = True
        self._news.set()
        for witness in self._witnesses:
            witness.stop()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="witness")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def round(self, kept: KeptCheckpoint) -> bool:
        """Ask those who have not cosigned this checkpoint yet, or all where it is only to hear how they are. Returns once
        it is sealed or nobody is left to answer; whoever is later than that still counts. Whether it is sealed."""
        async with self._round_lock:
            again = self._asked == (kept.shard, kept.size) and len(self._lines) == len(self._witnesses)
            if self._asked != (kept.shard, kept.size):
                self._asked, self._lines = (kept.shard, kept.size), dict(kept.cosignatures)
            self._began = now = asyncio.get_running_loop().time()
            asked = [
                witness
                for witness in self._witnesses
                if not witness.busy and witness.rests_until <= now and (again or witness.name not in self._lines)
            ]
            lines = self._lines
            pending = {self._begin(self._ask(witness, kept, lines)) for witness in asked}
            pending = await self._collected(kept, lines, pending)
            if pending:
                self._begin(self._late(kept, lines, pending))
            return self._is_sealed(lines)

    async def failed(self, error: Exception) -> None:
        """What goes wrong in a round or a look, by its class."""
        if not isinstance(error, Differs):
            self._status.errors[type(error).__name__] += 1
            _log.error("witnessing_failed", reason=type(error).__name__)
            return
        _log.critical("ledger_halted", reason=error.kind, witness=error.exhibit.about)
        self._status.halted = error.kind
        self.rest()
        await self._log.halt(error.kind, error.exhibit)

    async def _ask(self, witness: Correspondent, kept: KeptCheckpoint, lines: dict[str, str]) -> None:
        try:
            line = await witness.cosign(kept)
        except Stopped:
            return
        except Exception as error:
            await self.failed(error)
            return
        finally:
            self._status.faults[witness.name] = witness.fault
        if line is not None:
            lines[witness.name] = line

    async def _collected(
        self, kept: KeptCheckpoint, lines: dict[str, str], pending: set[asyncio.Task[None]]
    ) -> set[asyncio.Task[None]]:
        """Keep and publish as soon as it is sealed, or with what there is by the time somebody would look. Who still owes
        an answer."""
        had, shown = len(kept.cosignatures), False
        while pending and not self._is_sealed(lines):
            done, pending = await asyncio.wait(
                pending, timeout=None if shown else _SHOW_AFTER_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not done and not shown:
                await self._keep(kept, lines)
                had, shown = len(lines), True
        if self._is_sealed(lines) or len(lines) > had or not shown:
            await self._keep(kept, lines)
        return pending

    async def _late(self, kept: KeptCheckpoint, lines: dict[str, str], pending: set[asyncio.Task[None]]) -> None:
        had = len(lines)
        await asyncio.wait(pending)
        try:
            if len(lines) > had:
                await self._keep_lines(kept, lines)
        except Exception as error:
            await self.failed(error)
        self._news.set()  # who failed is asked again when it has rested

    async def _keep(self, kept: KeptCheckpoint, lines: dict[str, str]) -> None:
        """Kept, then published."""
        if lines:
            await self._keep_lines(kept, lines)
        await self._log.publish(kept.shard, kept.size)

    async def _keep_lines(self, kept: KeptCheckpoint, lines: dict[str, str]) -> None:
        sealed = self._is_sealed(lines)
        await self._log.keep_cosignatures(kept.shard, kept.size, dict(lines), sealed=sealed)
        if sealed:
            self._status.sealed(kept.size, self._clock.now())

    def _is_sealed(self, lines: dict[str, str]) -> bool:
        return self._policy.quorum != NONE and self._policy.satisfied_by(lines.keys())

    async def _until_due(self) -> None:
        while not self._stopped and ((pause := self._pause()) is None or pause > 0):
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    def _pause(self) -> float | None:
        """Seconds until the next round is due; None while there is nothing to ask about."""
        newest, now = self._newest, asyncio.get_running_loop().time()
        if newest is None:
            return None
        rested = self._began + self._every_s - now
        if self._asked != (newest.shard, newest.size):
            return 0.0 if self._waiting or self._hurried() else rested
        resting = [one.rests_until - now for one in self._witnesses if one.name not in self._lines and not one.busy]
        beat = self._began + self._heartbeat_s - now
        return min(beat, max(rested, min(resting))) if resting else beat

    def _hurried(self) -> bool:
        now = self._clock.now()
        return self._hurry_until is not None and now < self._hurry_until < now + _LONGEST_HURRY
