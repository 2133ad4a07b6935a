"""A road that ends when the process does: what waits for a witness is let go, what writes to the store is not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from gateway.services.ledger.asking import Road, Said


class Stopped(Exception):
    """The process ends; the witness is not to blame."""


class StoppableRoad:
    """Implements `Road`; both raise Stopped once `stop` was called."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def add_checkpoint(self, body: bytes) -> Said:
        return await self._unless_stopped(self._road.add_checkpoint(body))

    async def checkpoint(self, origin: str) -> Said:
        return await self._unless_stopped(self._road.checkpoint(origin))

    async def _unless_stopped(self, asking: Coroutine[Any, Any, Said]) -> Said:
        answer, stop = asyncio.ensure_future(asking), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((answer, stop), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Stopped
            return answer.result()
        finally:
            answer.cancel()
            stop.cancel()
            await asyncio.gather(answer, stop, return_exceptions=True)
