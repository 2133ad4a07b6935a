"""Whether this replica's clock is the others': they all share one database server, so each compares itself with that one.

Tokens and proofs stand a difference of ten seconds. Order and numbers never come from a clock, so what a wrong one does is
refuse good tokens, and date records wrongly.
"""

from __future__ import annotations

from typing import Protocol

import structlog

_log = structlog.get_logger(__name__)
FAR_S = 5.0
"""Half of what tokens stand: somebody should look before anybody is refused."""


class ClockOffset(Protocol):
    async def seconds(self) -> float | None:
        """Our clock minus the database server's; None where there is no server but this process."""
        ...


class ClockWatch:
    """One look each round. `offset_s` is the last one; None before it and where there is nothing to compare with."""

    def __init__(self, offset: ClockOffset) -> None:
        self._offset = offset
        self.offset_s: float | None = None

    async def __call__(self) -> None:
        """Raises what the port raises; then the last look is not today's, and is taken back."""
        last, self.offset_s = self.offset_s, None
        self.offset_s = await self._offset.seconds()
        if far(self.offset_s) != far(last):
            seconds = round(self.offset_s or 0.0, 1)
            if far(self.offset_s):
                _log.error("clock_differs", seconds=seconds, most=FAR_S)
            else:
                _log.info("clock_agrees", seconds=seconds)


def far(offset_s: float | None) -> bool:
    return offset_s is not None and abs(offset_s) > FAR_S
