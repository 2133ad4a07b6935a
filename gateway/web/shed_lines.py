"""What is refused at the gate, in the log: one line a second with how many, for as long as any are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY_S = 1.0


class ShedLines:
    """A line for each would cost more than the refusal. `state` gives what else such a line says."""

    def __init__(self, state: Callable[[], dict[str, int]]) -> None:
        self._state = state
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def note(self) -> None:
        """One was refused; on the event loop."""
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._say)

    def _say(self) -> None:
        import structlog  # a witness has the same protocol, nothing to shed, and six packages

        count, self._count, self._timer = self._count, 0, None
        structlog.get_logger("yimen.access").warning("requests_shed", count=count, **self._state())
