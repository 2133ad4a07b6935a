"""Keeps the log: every process runs this, and one of them leads.

In this order and no other: entries get their index and are committed; the tree is read anew; it is signed; the checkpoint
is kept; witnesses cosign it; it is published. A signature over a tree that was not committed would be a split view.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from gateway.clock import CIVIL, Clock
from gateway.errors import GatewayError
from gateway.services.ledger.ports import KeptCheckpoint, LedgerHalted, LedgerReader, NotLeading, SequencedLog, Shard
from gateway.services.ledger.start_checks import StartChecks
from gateway.services.ledger.status import LedgerStatus
from gateway.services.ledger.witnessing import Witnessing
from ledger.checkpoint import Checkpoint
from ledger.note import sign_note

_log = structlog.get_logger("yimen.ledger")
_MOST = 5_000
_FOLLOW_S = 0.5  # how often one that does not lead looks whether it should, and whether the log was halted
_LONGEST_BACKOFF_S = 10.0
_STORE_BACKOFF_S = 1.0  # a database that comes back may be another one: it is looked at before long
_YEAR_RETRY_S = 60.0
_YEAR_PATIENCE = 60  # tries: so long the old year waits to be sealed before it is closed without
_LAST_S = 10.0
_COUNT_S = 5.0

Waiting = Callable[[], Awaitable[int]]
"""How many entries have no index yet."""


class Keeper:
    """`await start()` before anything is answered, then run `keeper()` until `stop()`.

    `news` is set by whatever appends in this process. `poll_s`: how often the leader looks for what others appended.
    `announce_days`: how long before a year ends the key of the next one's log is announced.
    """

    def __init__(
        self,
        log: SequencedLog,
        reader: LedgerReader,
        clock: Clock,
        status: LedgerStatus,
        checks: StartChecks,
        news: asyncio.Event,
        *,
        name: str,
        checkpoint_s: float,
        poll_s: float,
        announce_days: int = 31,
        witnessing: Witnessing | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._log, self._reader, self._clock, self._status, self._checks = log, reader, clock, status, checks
        self._news, self._witnessing, self._waiting = news, witnessing, waiting
        self._name, self._checkpoint_s, self._poll_s = name, checkpoint_s, poll_s
        self._announce_ahead = timedelta(days=announce_days)
        self._shard: Shard | None = None  # the one we lead
        self._term = 0  # of which leadership that was looked at
        self._signed = 0  # size of the newest checkpoint of that shard
        self._stopping = asyncio.Event()
        self._longest_backoff_s = _LONGEST_BACKOFF_S
        self._year_tries, self._year_at, self._count_at = 0, 0.0, 0.0

    async def start(self) -> None:
        """The first look, whether or not we lead: a log that is not what witnesses saw answers nothing from the start.

        Raises what the store raises, never because of a witness.
        """
        try:
            await self._log.open(self._name, self._year())
            if await self._log.lead():
                await self._take_over()
            else:
                await self._follow(check=True)
        except NotLeading:
            self._lost()
        except LedgerHalted as halted:
            self._halt(halted)

    def stop(self) -> None:
        self._stopping.set()
        self._news.set()

    async def __call__(self) -> None:
        witnessing = asyncio.create_task(self._witnessing(), name="witnesses") if self._witnessing else None
        failures = 0
        try:
            while not self._stopping.is_set():
                began = asyncio.get_running_loop().time()
                failures = await self._one(failures)
                if failures:
                    await self._rest(min(self._longest_backoff_s, 0.1 * 2.0 ** min(failures, 10)))
                elif self._status.leading:
                    await self._rest(began + self._checkpoint_s - asyncio.get_running_loop().time())
                    await self._until_news(self._poll_s)
                else:
                    await self._rest(_FOLLOW_S)
            await self._last()
        finally:
            if witnessing is not None and self._witnessing is not None:
                self._witnessing.stop()
                await witnessing
            with contextlib.suppress(Exception):
                await self._log.step_down()

    async def _one(self, failures: int) -> int:
        """One turn; how many in a row have failed by now."""
        try:
            await self.turn()
        except NotLeading:
            self._lost()
        except LedgerHalted as halted:
            self._halt(halted)
        except Exception as error:  # whatever it is: the loop goes on, and says so
            self._longest_backoff_s = _STORE_BACKOFF_S if isinstance(error, GatewayError) else _LONGEST_BACKOFF_S
            self._status.errors[type(error).__name__] += 1
            _log.error("ledger_turn_failed", reason=type(error).__name__)
            return failures + 1
        return 0

    async def turn(self) -> None:
        """Everything that is due. Raises NotLeading, LedgerHalted, and whatever a store raises."""
        if self._shard is None:
            await self._log.open(self._name, self._year())
        if not await self._log.lead():
            self._lost()
            await self._follow(check=False)
            return
        if (
            self._term != self._log.term
        ):  # lost and won again behind our back: perhaps in another database, say a standby
            self._lost()
        if self._shard is None:
            await self._take_over()
        await self._announce_year(self._shard)
        await self._sequence()
        await self._turn_year()
        if self._waiting is not None and asyncio.get_running_loop().time() >= self._count_at:
            self._status.waiting = await self._waiting()
            self._count_at = asyncio.get_running_loop().time() + _COUNT_S

    async def _take_over(self) -> None:
        """We lead from now on: look before the first write."""
        self._term = self._log.term
        shard = await self._log.open(self._name, self._year())
        await self._checks(shard, tail=True)
        newest = await self._newest(shard)
        self._shard, self._signed = shard, newest.size if newest else 0
        self._status.halted, self._status.leading = None, True
        self._status.of(shard.shard)
        _log.info("ledger_led", shard=shard.shard, size=self._signed)
        if newest is not None:
            self._status.checkpointed(newest.size, newest.at)
            await self._hand_on(newest)

    async def _follow(self, *, check: bool) -> None:
        """Another process leads; its halt is ours."""
        active = next((one for one in await self._reader.shards() if one.active), None)
        if active is None:
            return
        if check:
            await self._checks(active, tail=False)  # which is being written
        if active.halted is not None:
            raise LedgerHalted(active.halted)
        self._status.halted = None
        self._status.of(active.shard)
        newest = await self._newest(active)
        if newest is not None:
            self._status.checkpointed(newest.size, newest.at)

    async def _newest(self, shard: Shard) -> KeptCheckpoint | None:
        found = await self._reader.checkpoints(shard.shard, before=None, limit=1)
        return found[0] if found else None

    async def _sequence(self) -> None:
        """Until nothing waits, with a checkpoint whenever one is due."""
        loop = asyncio.get_running_loop()
        signed_at = loop.time()
        while count := await self._log.sequence(_MOST):
            self._status.sequenced += count
            if count < _MOST:
                break
            if loop.time() - signed_at >= self._checkpoint_s:
                await self._checkpoint()
                signed_at = loop.time()
        await self._checkpoint()

    async def _checkpoint(self) -> None:
        tree = await self._log.tree()
        if self._witnessing is not None:
            self._witnessing.hurry(tree.hurry_until)
        if tree.size <= self._signed:
            return
        text = Checkpoint(tree.origin, tree.size, tree.root).text
        kept = await self._log.keep_checkpoint(tree, sign_note(text, await self._log.signers()))
        self._signed = kept.size
        self._status.checkpointed(kept.size, kept.at)
        await self._hand_on(kept)

    async def _hand_on(self, kept: KeptCheckpoint) -> None:
        """To the witnesses, who publish it when they have seen it; or out, where there are none."""
        if self._witnessing is not None:
            self._witnessing.news(kept)
        elif kept.published_at is None:
            await self._log.publish(kept.shard, kept.size)

    async def _announce_year(self, shard: Shard | None) -> None:
        """The next log's key is said in this one some weeks ahead, so that witnesses are ready; where nobody was there to do
        so, before this one is closed."""
        if shard is None:
            return
        year = self._year() if shard.shard[:4] < self._year() else self._year(self._announce_ahead)
        if not shard.shard[:4] < year:
            self._status.next_year = None
        elif year != self._status.next_year:
            vkey = await self._log.announce(self._name, year)
            self._status.next_year = year
            _log.warning("ledger_next_year_announced", year=year, vkey=vkey)  # for every witness to be told

    async def _turn_year(self) -> None:
        """In the new year the old shard is sealed as it stands, then closed. Where witnesses are missing it is tried again
        for an hour, and meanwhile everything goes on in the old one."""
        loop, year, shard = asyncio.get_running_loop(), self._year(), self._shard
        if shard is None or not shard.shard[:4] < year or loop.time() < self._year_at:
            return
        if year != self._status.next_year:  # midnight fell into this very turn
            return
        newest = await self._newest(shard)
        if self._witnessing is not None and newest is not None and not await self._witnessing.round(newest):
            self._year_tries += 1
            if self._status.witnessed and self._year_tries < _YEAR_PATIENCE:
                self._year_at = loop.time() + _YEAR_RETRY_S
                return
            if self._status.witnessed:
                _log.error("ledger_year_closed_unsealed", shard=shard.shard, size=newest.size)
        self._shard = None  # opened anew, with a look at the witnesses, whatever becomes of the next statement
        self._year_tries = 0
        turned = await self._log.turn_year(self._name, year)
        _log.info("ledger_year_turned", shard=turned.shard)
        await self._take_over()
        await self._sequence()

    async def _last(self) -> None:
        """What was accepted is sequenced and signed before we go."""
        if not self._status.leading:
            return
        try:
            async with asyncio.timeout(_LAST_S):
                await self._sequence()
        except Exception as error:  # it stands in the database, and the next leader goes on from there
            _log.warning("ledger_left_unfinished", reason=type(error).__name__)

    def _lost(self) -> None:
        if self._status.leading:
            _log.info("ledger_lead_lost")
        self._status.leading, self._shard = False, None
        if self._witnessing is not None:
            self._witnessing.rest()

    def _halt(self, halted: LedgerHalted) -> None:
        reason = halted.detail or halted.code
        if self._status.halted is None:
            _log.critical("ledger_halted", reason=reason)
        self._status.halted, self._status.leading, self._shard = reason, False, None
        if self._witnessing is not None:
            self._witnessing.rest()

    def _year(self, ahead: timedelta = timedelta()) -> str:
        return str((self._clock.now() + ahead).astimezone(CIVIL).year)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    async def _until_news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
