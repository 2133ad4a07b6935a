"""Before anything is written or answered: is what we hold what we signed, and what our witnesses saw?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from gateway.services.ledger.correspondent import Differs
from gateway.services.ledger.ports import Exhibit, LedgerHalted, SequencedLog, Shard
from gateway.services.ledger.witnessing import Witnessing
from ledger.errors import Inconsistent

_log = structlog.get_logger("yimen.ledger")
DAMAGED = "STORE_DAMAGED"

TailCheck = Callable[[], Awaitable[None]]
"""The end of the active shard, from its entries up to its newest checkpoint. Raises Inconsistent."""


class StartChecks:
    """At start, on failover and after a restore."""

    def __init__(self, log: SequencedLog, witnessing: Witnessing | None, tail: TailCheck | None = None) -> None:
        self._log, self._witnessing, self._tail = log, witnessing, tail

    async def __call__(self, shard: Shard, *, tail: bool) -> None:
        """Raises LedgerHalted where the shard is halted already, or is from now on. Missing witnesses hinder nothing.
        `tail`: only for who leads, since somebody else's writing looks like damage."""
        if shard.halted is not None:
            raise LedgerHalted(shard.halted)
        try:
            if tail and self._tail is not None:
                await self._tail()
            await self._log.tree()
            if self._witnessing is not None:
                await self._witnessing.open(shard.shard)
                await self._witnessing.look()
        except Inconsistent as error:
            await self._halt(DAMAGED, Exhibit(shard.shard, DAMAGED, shard.origin, {"found": str(error)}))
        except Differs as error:
            await self._halt(error.kind, error.exhibit)

    async def _halt(self, reason: str, exhibit: Exhibit) -> None:
        _log.critical("ledger_halted", reason=reason, about=exhibit.about)
        await self._log.halt(reason, exhibit)
        raise LedgerHalted(reason)
