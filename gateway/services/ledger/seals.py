"""What is granted waits until witnesses stand behind the record of it: for a bounded time, then the proof follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from gateway.clock import Clock
from gateway.services.ledger.ports import LedgerHalted, LedgerReader, LedgerUnwitnessed, WitnessHealth
from ledger.policy import NONE, Policy

_LOOK_S = 0.02


class NewestChange(Protocol):
    async def newest(self, object_id: str) -> str | None:
        """The id of the latest change of this object, which is its entry's."""
        ...


class LedgerSeals:
    """Implements `gateway.caller.Seals`. Works in every process, also in one that keeps nothing: it reads what the leader
    wrote. `waiting` is entered meanwhile, where the leader is of this process."""

    def __init__(
        self,
        reader: LedgerReader,
        changes: NewestChange,
        policy: Policy | None,
        clock: Clock,
        *,
        wait_s: float,
        window_s: float,
        waiting: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._reader, self._changes, self._policy, self._clock = reader, changes, policy, clock
        self._wait_s, self._window, self._waiting = wait_s, timedelta(seconds=window_s), waiting
        self._opened_at = clock.now()

    async def allow(self) -> None:
        """See the port."""
        active = next((one for one in await self._reader.shards() if one.active), None)
        if active is None:
            return
        if active.halted is not None:
            raise LedgerHalted(active.halted)
        if self._policy is None or self._policy.quorum == NONE:
            return
        known = {one.witness: one for one in await self._reader.witnesses() if one.shard == active.shard}
        if not self._policy.satisfied_by(
            seen_since(self._clock.now() - self._window, self._policy, known, self._opened_at)
        ):
            raise LedgerUnwitnessed("no quorum of witnesses for longer than allowed")

    async def sealed(self, object_id: str, *, wait: bool = True) -> bool | None:
        """See the port."""
        if self._policy is None or self._policy.quorum == NONE:
            return None
        entry = await self._changes.newest(object_id)
        if entry is None:
            return False
        until = asyncio.get_running_loop().time() + (self._wait_s if wait else 0.0)
        if self._waiting is None or not wait:
            return await self._sealed(entry, until)
        with self._waiting():
            return await self._sealed(entry, until)

    async def _sealed(self, entry: str, until: float) -> bool:
        shard, number = None, 0
        while True:
            if shard is None:
                placed = await self._reader.find(entry)
                if placed is not None and placed.number is not None:
                    shard, number = placed.shard, placed.number
            if shard is not None and await self._reader.checkpoint(shard, at_least=number + 1, sealed=True) is not None:
                return True
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(_LOOK_S)


class Unsealed:
    """Implements `gateway.caller.Seals` where nothing keeps a ledger."""

    async def allow(self) -> None: ...

    async def sealed(self, object_id: str, *, wait: bool = True) -> bool | None:
        return None


def seen_since(
    since: datetime, policy: Policy, known: Mapping[str, WitnessHealth], opened_at: datetime
) -> frozenset[str]:
    """The witnesses that cosigned later than that. One that never did counts from when it was first asked in vain, and one
    that nobody asked yet from when this process began."""

    def last(name: str) -> datetime:
        health = known.get(name)
        return opened_at if health is None else health.seen_at or health.failing_since or opened_at

    return frozenset(name for name in policy.witnesses if last(name) >= since)
