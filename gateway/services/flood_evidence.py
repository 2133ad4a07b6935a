"""Evidence that keeps a flood of equal refusals small: the first ones by themselves, the rest counted in one event.

Equal means equal in everything but the time: who, through what, for what, about whom, which fields, by which rule. So
nothing is lost by counting. A count is durable before the refusal leaves, like any record.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

import orjson
import structlog

from gateway.caller import AccessEvent, Admission, Decision, Evidence, Receipt
from gateway.clock import Clock
from gateway.errors import EvidenceUnavailable

_log = structlog.get_logger(__name__)
_OF_THE_MOMENT = frozenset({"at", "result_digest", "result_salt", "repeats", "visible_from"})
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Flood:
    """A span of equal refusals that is over: what to record, and what to strike out once that is done."""

    key: bytes
    span_us: int
    event: AccessEvent  # the first one, with `repeats` = how many were counted


class Floods(Protocol):
    """What the store does of it; shared by replicas, each in one transaction."""

    async def add(self, key: bytes, span: timedelta, event: AccessEvent, receipt: Receipt, count: int) -> None:
        """`count` more equal refusals in the span that runs now; durable on return."""
        ...

    async def due(self, *, hold: timedelta, at_once: bool = False) -> Sequence[Flood]:
        """Floods whose span is over, handed to one replica for `hold`. `at_once`: also those that still run."""
        ...

    async def done(self, floods: Sequence[Flood]) -> None:
        """They are recorded."""
        ...


class _Batch:
    """Counted refusals that wait for the same write."""

    def __init__(self) -> None:
        self.count = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever still waits has it


@dataclass(slots=True)
class _Seen:
    """Equal refusals of this process: since when, how many were recorded by themselves, the last one's receipt."""

    since: float
    alone: int = 0
    receipt: Receipt | None = None
    batch: _Batch | None = None
    writer: asyncio.Task[None] | None = None


class FloodEvidence:
    """Implements `gateway.caller.Evidence` over another one. Allowed answers and refusals of several people pass through.

    Every replica records its first `alone` of a span by themselves; a flood of n costs at most `alone` events a replica
    and span, and one more. Each counted one names, as its receipt, the last that was recorded by itself.
    """

    def __init__(
        self,
        evidence: Evidence,
        floods: Floods,
        clock: Clock,
        *,
        alone: int = 5,
        span: timedelta = timedelta(minutes=5),
    ) -> None:
        self._evidence, self._floods, self._clock = evidence, floods, clock
        self._alone, self._span = alone, span
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()

    async def record_all(self, events: Sequence[AccessEvent], *, admission: Admission | None = None) -> Receipt:
        """See the port."""
        if len(events) == 1:
            return await self.record(events[0], admission=admission)
        return await self._evidence.record_all(events, admission=admission)

    async def admit(self, admission: Admission) -> None:
        """See the port."""
        await self._evidence.admit(admission)

    async def record(self, event: AccessEvent, *, admission: Admission | None = None) -> Receipt:
        """See the port."""
        if event.decision is not Decision.DENY:
            return await self._evidence.record(event, admission=admission)
        try:
            key = equality(event)
        except (TypeError, ValueError):  # a text no database takes either: the record says so
            return await self._evidence.record(event, admission=admission)
        seen = self._seen.get(key)
        now = time.monotonic()
        if seen is None or now - seen.since > self._span.total_seconds():
            seen = self._seen[key] = _Seen(now)
            self._seen.move_to_end(key)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        if seen.alone < self._alone or seen.receipt is None:
            seen.alone += 1
            seen.receipt = await self._evidence.record(event, admission=admission)
            return seen.receipt
        if admission is not None:  # no record of its own goes with it
            await self._evidence.admit(admission)
        await self._count(key, seen, seen.receipt, event)
        return seen.receipt

    async def flush(self, *, at_once: bool = False) -> int:
        """Record every flood whose span is over; how many. At the end of a process, `at_once`."""
        floods = await self._floods.due(hold=timedelta(minutes=1), at_once=at_once)
        for flood in floods:
            await self._evidence.record(flood.event)
            await self._floods.done([flood])
        return len(floods)

    async def _count(self, key: bytes, seen: _Seen, receipt: Receipt, event: AccessEvent) -> None:
        """Those that come while one is being written share the next write. Raises EvidenceUnavailable."""
        if seen.batch is None:
            seen.batch = _Batch()
        batch = seen.batch
        batch.count += 1
        if seen.writer is None:
            seen.writer = asyncio.create_task(self._write(key, seen, receipt, event), name="floods")
        await asyncio.shield(batch.done)

    async def _write(self, key: bytes, seen: _Seen, receipt: Receipt, event: AccessEvent) -> None:
        """Never raises: each that waits is told."""
        while seen.batch is not None:
            batch, seen.batch = seen.batch, None
            try:
                await self._floods.add(key, self._span, event, receipt, batch.count)
            except Exception as error:
                _log.warning("flood_not_counted", kind=type(error).__name__)
                batch.done.set_exception(EvidenceUnavailable("a refusal could not be counted"))
            else:
                batch.done.set_result(None)
        seen.writer = None


def equality(event: AccessEvent) -> bytes:
    """The same for two refusals that differ in nothing but their moment."""
    said = {one.name: getattr(event, one.name) for one in fields(event) if one.name not in _OF_THE_MOMENT}
    return sha256(orjson.dumps(said, default=_plain, option=orjson.OPT_SORT_KEYS)).digest()


def as_json(event: AccessEvent) -> str:
    said = {one.name: getattr(event, one.name) for one in fields(event)}
    return orjson.dumps(said, default=_plain).decode()


def from_json(text: str, repeats: int) -> AccessEvent:
    said = orjson.loads(text)
    for name in ("result_digest", "result_salt"):
        said[name] = bytes.fromhex(said[name])
    for name in ("at", "visible_from"):
        said[name] = None if said[name] is None else datetime.fromisoformat(said[name])
    said["decision"] = Decision(said["decision"])
    return replace(AccessEvent(**said), repeats=repeats)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Sequence):
        return list(value)
    return dict(value)  # type: ignore[call-overload]  # the mappings of an event; orjson calls with nothing else
