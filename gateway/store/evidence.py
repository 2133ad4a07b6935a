"""Record before release: an access event is on disk before anyone may answer.

Calls that arrive while a commit is under way share the next one (group commit), so the cost of an fsync is divided by
the load; a call that finds the store idle is written at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson

from adapters.onward import UpstreamReceipt
from gateway.caller import AccessEvent, Admission, Receipt
from gateway.clock import Clock
from gateway.errors import EvidenceUnavailable, GatewayError, NotAdmitted
from gateway.oauth.ports import Door
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.recording.outbox import Outbox, Waiting

_log = logging.getLogger(__name__)

_LARGEST_BATCH = 256
_LARGEST_QUEUE = 4096
_PATIENCE_S = 0.001  # the shortest a timer of the loop goes; a commit takes about as long
_MOST_WAITED_FOR = 8
_QUIET_S = 0.000_05  # a turn of the loop that took less did nothing for anybody
_IN_VAIN = 16  # commits that wait for nobody after one for which nobody came

HALTED = "SELECT halted FROM ledger_shard WHERE state = 'ACTIVE' AND halted IS NOT NULL"
"""Why nothing may be recorded any more, asked in the transaction of each record; no row where it may."""


class EventRow(NamedTuple):
    """One event as the tables hold it: `columns` in the order of `access_event`, whom it was about, and its row in the
    ledger's outbox."""

    columns: tuple[Any, ...]
    subjects: Sequence[str]
    waiting: Waiting


class Asked(NamedTuple):
    """A request that is let in, or not, by the transaction that records its answer: rows `first` to `end` of the batch are
    its own, and are written only if it is."""

    admission: Admission
    first: int
    end: int


class EventJournal(Protocol):
    """Writes events to one kind of database."""

    async def write(self, rows: Sequence[EventRow], asked: Sequence[Asked] = ()) -> Sequence[str]:
        """All of them with their outbox rows, in one transaction, durable on return; but not the rows of whom it turns away:
        OK | REPLAYED | REVOKED for each of `asked`. Its proof is spent in any case.

        Raises RowRefused when the rows, not the store, are bad; LedgerHalted where the ledger takes nothing any more. Then
        nothing is written or spent.
        """
        ...

    async def close(self) -> None: ...


class RowRefused(Exception):
    """The database took none of the rows because at least one of them does not fit."""


_Entry = tuple[tuple[EventRow, ...], Admission | None, "asyncio.Future[None]"]
"""What one caller waits for: all of its rows in one transaction, and to be let in by it."""


class StoredEvidence:
    """Implements `gateway.caller.Evidence`. Call `close` to let what is queued finish."""

    def __init__(
        self,
        journal: EventJournal,
        outbox: Outbox,
        news: asyncio.Event,
        clock: Clock,
        *,
        timeout_s: float,
        door: Door | None = None,
    ) -> None:
        """`door`: for those who ask to be let in before anything is recorded."""
        self._journal, self._outbox, self._news, self._clock, self._timeout_s = journal, outbox, news, clock, timeout_s
        self._door = door
        self._new_id = OrderedIds()
        self._queue: list[_Entry] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._company: Callable[[], int] = _nobody
        self._others: asyncio.Future[None] | None = None
        self._in_vain = 0

    def in_company_of(self, at_work: Callable[[], int]) -> None:
        """`at_work`: how many requests are being answered now, in this process; each of them may come to record something."""
        self._company = at_work

    async def record(self, event: AccessEvent, *, admission: Admission | None = None) -> Receipt:
        """See the port. A caller that gives up waiting may still find its event recorded, never the reverse."""
        return await self.record_all((event,), admission=admission)

    async def record_all(self, events: Sequence[AccessEvent], *, admission: Admission | None = None) -> Receipt:
        """See the port."""
        if self._closed or len(self._queue) >= _LARGEST_QUEUE:
            raise EvidenceUnavailable("closed" if self._closed else "too many records are waiting")
        recorded_at_us = to_us(self._clock.now())
        rows = tuple([self._row(event, self._new_id(recorded_at_us), recorded_at_us) for event in events])
        receipt = Receipt(rows[0].waiting.id, from_us(recorded_at_us), rows[0].waiting.leaf_hash)
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()
        self._queue.append((rows, admission, durable))
        if self._writer is None or self._writer.done():
            self._writer = loop.create_task(self._write_on(), name="evidence")
        elif self._others is not None and len(self._queue) >= self._company():
            _let_go(self._others)
        late = loop.call_later(self._timeout_s, _give_up, durable)
        try:
            await durable
        finally:
            late.cancel()
        return receipt

    async def admit(self, admission: Admission) -> None:
        """See the port."""
        if self._door is None:
            raise EvidenceUnavailable("there is no door")
        answer = await self._door.admit(admission)
        if answer != "OK":
            raise NotAdmitted(answer)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._writer is not None:
            await self._writer
        await self._journal.close()

    async def _write_on(self) -> None:
        """Until nobody waits any more: whoever comes while a commit is under way shares the next one."""
        while self._queue:
            if self._lacks_company():
                await self._let_others_go_on()
            if self._lacks_company():
                await self._wait_for_others()
            batch, self._queue = self._queue[:_LARGEST_BATCH], self._queue[_LARGEST_BATCH:]
            await self._write([entry for entry in batch if not entry[2].done()])

    def _lacks_company(self) -> bool:
        return len(self._queue) < self._company() and not self._closed

    async def _let_others_go_on(self) -> None:
        """As long as the loop has work it is others' and brings them here: to go first would only delay them, and cost each a
        commit of its own. A millisecond for each of them, of a few at most; a loop with nothing to do is seen by its turn.
        """
        now = time.perf_counter()
        until = now + _PATIENCE_S * min(self._company(), _MOST_WAITED_FOR)
        while self._lacks_company() and now < until:
            before = now
            await asyncio.sleep(0)
            now = time.perf_counter()
            if now - before < _QUIET_S:
                break

    async def _wait_for_others(self) -> None:
        """A commit costs the same for one and for ten (a sync of the disk, a way there and back), so those who are at work
        beside are waited for, a millisecond at most; not where that was in vain a moment ago, for they may be waiting for a
        slow department. Whoever is alone waits for nobody.
        """
        if self._in_vain > 0:
            self._in_vain -= 1
            return
        here, loop = len(self._queue), asyncio.get_running_loop()
        self._others = loop.create_future()
        late = loop.call_later(_PATIENCE_S, _let_go, self._others)
        try:
            await self._others
        finally:
            late.cancel()
            self._others = None
        if len(self._queue) == here:
            self._in_vain = _IN_VAIN

    async def _write(self, batch: Sequence[_Entry]) -> None:
        """Never raises: each waiting caller is told."""
        if not batch:
            return
        rows, asked = _together(batch)
        said: Sequence[str] = ()
        failure: EvidenceUnavailable | None = None
        try:
            said = await self._journal.write(rows, asked) if asked else await self._journal.write(rows)
        except RowRefused:
            if len(batch) > 1:  # one bad event must not cost the others theirs
                for entry in batch:
                    await self._write([entry])
                return
            failure = EvidenceUnavailable("the event cannot be stored")
        except GatewayError as error:
            failure = EvidenceUnavailable(error.detail)
        except Exception as error:  # whatever happened, nothing is known to be durable
            _log.error("access events could not be recorded: %s", type(error).__name__)
            failure = EvidenceUnavailable(type(error).__name__)
        answers = iter(said or ())
        for _, admission, durable in batch:
            answer = "OK" if admission is None or failure is not None else next(answers)
            with contextlib.suppress(asyncio.InvalidStateError):  # its caller gave up
                if failure is not None:
                    durable.set_exception(failure)
                elif answer != "OK":
                    durable.set_exception(NotAdmitted(answer))
                else:
                    durable.set_result(None)
        if failure is None:
            self._news.set()  # last: whoever waits for an answer goes on before the ledger's turn begins

    def _row(self, event: AccessEvent, event_id: str, recorded_at_us: int) -> EventRow:
        """Raises EvidenceUnavailable for an event no database would take whole."""
        columns = _columns(event, event_id, recorded_at_us)
        try:
            subjects = sorted(set(event.subjects))
            seed_ct, waiting = self._outbox.access(columns, subjects)
        except (TypeError, ValueError, AttributeError):
            raise EvidenceUnavailable("the event cannot be recorded") from None
        return EventRow((*columns, seed_ct), subjects, waiting)


def _together(batch: Sequence[_Entry]) -> tuple[list[EventRow], list[Asked]]:
    rows: list[EventRow] = []
    asked: list[Asked] = []
    for own, admission, _ in batch:
        if admission is not None:
            asked.append(Asked(admission, len(rows), len(rows) + len(own)))
        rows += own
    return rows, asked


def _nobody() -> int:
    return 0


def _let_go(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _give_up(durable: asyncio.Future[None]) -> None:
    if not durable.done():
        durable.set_exception(EvidenceUnavailable("recording took too long"))


def _columns(event: AccessEvent, event_id: str, recorded_at_us: int) -> tuple[Any, ...]:
    """All of `access_event` but `seed_ct`. Raises EvidenceUnavailable for what no database would take whole."""
    texts = (
        event.actor_org,
        event.actor_user,
        event.purpose,
        event.case_no,
        event.reference,
    )
    try:
        columns = (
            event_id,
            to_us(event.at),
            recorded_at_us,
            *texts,
            _json_array(tuple(event.fields)),
            str(event.decision),
            _json_array(tuple(event.rule_ids)),
            _json_array(tuple(event.legal_basis)),
            event.policy_version,
            event.result_digest,
            event.result_salt,
            orjson.dumps(dict(event.states), option=orjson.OPT_SORT_KEYS).decode(),
            event.client_id,
            event.grant_id,
            event.consent_id,
            event.level,
            _json_array(tuple(event.inner_rule_ids)),
            None if event.visible_from is None else to_us(event.visible_from),
            event.repeats,
            event.inputs,
            _upstream(event.upstream) if event.upstream else None,
        )
        if b"\0" in "".join(filter(None, texts)).encode():
            raise ValueError
    except (TypeError, ValueError):  # a naive time, a lone surrogate, a NUL
        raise EvidenceUnavailable("the event cannot be stored") from None
    return columns


def _upstream(receipts: Sequence[UpstreamReceipt]) -> str:
    return orjson.dumps([one.told() for one in receipts]).decode()


@lru_cache(maxsize=1024)
def _json_array(texts: tuple[str, ...]) -> str:
    """The same few field lists and rules come again and again."""
    return orjson.dumps(texts).decode()
