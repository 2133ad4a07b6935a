"""Many timers that hardly ever ring, kept by one timer of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from adapters.errors import whereabouts


class Alarm:
    """One of them; `off` may be said at any time."""

    __slots__ = ("_at", "_order", "ring")

    def __init__(self, at: float, order: int, ring: Callable[[], None]) -> None:
        self._at, self._order = at, order
        self.ring: Callable[[], None] | None = ring

    def __lt__(self, other: Alarm) -> bool:
        return (self._at, self._order) < (other._at, other._order)

    @property
    def at(self) -> float:
        return self._at

    def off(self) -> None:
        self.ring = None


def unheard(fault: Exception) -> None:
    """Say what failed where nobody waits to hear it."""
    asyncio.get_running_loop().call_exception_handler({"message": f"a call back failed: {whereabouts(fault)}"})


class Alarms:
    """Belongs to one event loop. A loop's own timer costs two microseconds to set and to cancel; most of ours are set, and
    off again a few milliseconds later."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._set = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0

    def after(self, delay_s: float, ring: Callable[[], None]) -> Alarm:
        """`ring` is called once, `delay_s` seconds from now, unless it is off by then."""
        loop, heap = asyncio.get_running_loop(), self._heap
        while heap and heap[0].ring is None:
            heappop(heap)
        self._set += 1
        alarm = Alarm(loop.time() + delay_s, self._set, ring)
        heappush(heap, alarm)
        if self._timer is None or alarm.at < self._rings_at:
            self._wind(loop, alarm.at)
        return alarm

    def close(self) -> None:
        """None of them rings any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        loop, heap = asyncio.get_running_loop(), self._heap
        now = loop.time() + 0.001  # timers ring to the millisecond
        while heap and (heap[0].ring is None or heap[0].at <= now):
            ring = heappop(heap).ring
            if ring is not None:
                try:
                    ring()
                except Exception as fault:  # of one of them: the others ring all the same
                    unheard(fault)
        if heap and self._timer is None:
            self._wind(loop, heap[0].at)
