"""What is granted waits until witnesses stand behind the record of it: for a bounded time, then the proof follows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from typing import Protocol

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.services.ledger.ports import LedgerHalted, LedgerReader, LedgerUnwitnessed
from ledger.policy import NONE, Policy

_LOOK_S = 0.02


class NewestChange(Protocol):
    async def newest(self, object_id: str) -> str | None:
        """The id of the latest change of this object, which is its entry's."""
        ...


class LedgerSeals:
    """Implements `gateway.caller.Seals`. Works in every process, also in one that keeps nothing: it reads what the leader
    wrote. `waiting` is entered meanwhile, and `hurry` tells a leader elsewhere that somebody waits."""

    def __init__(
        self,
        reader: LedgerReader,
        changes: NewestChange,
        policy: Policy | None,
        clock: Clock,
        *,
        wait_s: float,
        window_s: float,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        hurry: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._reader, self._changes, self._policy, self._clock = reader, changes, policy, clock
        self._wait_s, self._window = wait_s, timedelta(seconds=window_s)
        self._waiting, self._hurry = waiting, hurry

    async def allow(self) -> None:
        """See the port."""
        active = next((one for one in await self._reader.shards() if one.active), None)
        if active is None:
            return
        if active.halted is not None:
            raise LedgerHalted(active.halted)
        if self._policy is None or self._policy.quorum == NONE:
            return
        unsealed_since = await self._reader.unsealed_since(active.shard)
        if unsealed_since is not None and unsealed_since < self._clock.now() - self._window:
            raise LedgerUnwitnessed("no quorum of witnesses for longer than allowed")

    async def sealed(self, object_id: str, *, wait: bool = True) -> bool | None:
        """See the port."""
        if self._policy is None or self._policy.quorum == NONE:
            return None
        entry = await self._changes.newest(object_id)
        if entry is None:
            return False
        until = asyncio.get_running_loop().time() + (self._wait_s if wait else 0.0)
        with self._waiting() if wait else nullcontext():
            return await self._sealed(entry, until, hurry=wait)

    async def _sealed(self, entry: str, until: float, *, hurry: bool) -> bool:
        if hurry and self._hurry is not None:
            with suppress(GatewayError):  # then it takes as long as it takes
                await self._hurry()
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
