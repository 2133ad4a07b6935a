"""One thread whose time passes only where work says what it costs: what an event loop would do on a machine nobody disturbs."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any


class Handle:
    def cancel(self) -> None:
        """Nobody in these tests does."""


class VirtualLoop:
    """As asyncio's: what is due is appended to what is ready, and all that was ready has its turn before anything newer."""

    def __init__(self) -> None:
        self.now = self.stolen = 0.0
        self._ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._timers: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._set = 0

    def time(self) -> float:
        return self.now

    monotonic = time

    def thread_time(self) -> float:
        return self.now - self.stolen

    def get_running_loop(self) -> VirtualLoop:
        return self

    def call_soon(self, work: Callable[..., object], *arguments: Any) -> Handle:
        self._ready.append((work, arguments))
        return Handle()

    def call_at(self, at: float, work: Callable[..., object], *arguments: Any) -> Handle:
        self._set += 1
        heapq.heappush(self._timers, (at, self._set, work, arguments))
        return Handle()

    def call_later(self, delay_s: float, work: Callable[..., object], *arguments: Any) -> Handle:
        return self.call_at(self.now + delay_s, work, *arguments)

    def spend(self, seconds: float) -> None:
        """The work that runs takes so long."""
        self.now += seconds

    def run_until(self, end: float) -> None:
        while self.now < end:
            if not self._ready and self._timers:
                self.now = max(self.now, self._timers[0][0])
            while self._timers and self._timers[0][0] <= self.now:
                _, _, work, arguments = heapq.heappop(self._timers)
                self._ready.append((work, arguments))
            if not self._ready:
                return
            for _ in range(len(self._ready)):
                work, arguments = self._ready.popleft()
                work(*arguments)
