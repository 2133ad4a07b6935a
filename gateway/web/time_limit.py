"""How long a request may take: one timer for all of them, where `asyncio.timeout` would set one for each."""

from __future__ import annotations

import asyncio


class TimeLimits:
    """`begin` a limit of `seconds` for the task that runs, `end` it in any case.

    All have the same length, so the one that began first ends first: the timer looks at that one alone.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Limit, None] = {}  # in the order they began
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> Limit:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request runs in a task of its own")
        limit = Limit(task, loop.time() + self._seconds, self._running)
        self._running[limit] = None
        if self._timer is None:
            self._timer = loop.call_at(limit.at, self._look)
        return limit

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        for limit in list(self._running):
            if limit.at > now:
                self._timer = loop.call_at(limit.at, self._look)
                return
            limit.expire()


class Limit:
    """One request's. Where it cancelled the task, `ran_out` says so, once, and takes the cancelling back."""

    __slots__ = ("_cancelling", "_expired", "_running", "_task", "at")

    def __init__(self, task: asyncio.Task[object], at: float, running: dict[Limit, None]) -> None:
        self._task, self.at, self._running = task, at, running
        self._cancelling = task.cancelling()
        self._expired = False

    def end(self) -> None:
        """No limit from here on; a stream asks for this in the middle."""
        self._running.pop(self, None)

    def expire(self) -> None:
        self.end()
        self._expired = True
        self._task.cancel()

    def ran_out(self) -> bool:
        """Whether the time was over; False for a task that somebody else wants to end, too."""
        if not self._expired:
            return False
        self._expired = False
        return self._task.uncancel() <= self._cancelling
