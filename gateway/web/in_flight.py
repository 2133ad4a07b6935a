"""How many requests at once: found by how long the event loop keeps waiting whoever is ready to go on.

One process has one thread. Past the number that keeps it busy, more requests at once make nobody faster: they stand in
line inside, and with enough of them every answer comes too late for its client. As in CoDel (RFC 8289) what counts is a
line that does not go away, not one that is long for a moment: the shortest wait of an interval.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TARGET_S = 0.012  # a wait that is never shorter than this for a whole interval is a standing line
INTERVAL_S = 0.1
_PROBE_S = 0.01
_LEAST_PROBES = 2  # one long pause (a collection, a stolen processor) is no line
_MOST_CUT = 0.25
_FLOOR = 16


class InFlightLimit:
    """`limit` moves between a floor and `most`: down to what the line's length says while there is one, up by a part while some are refused.

    It watches by itself while more than the floor are inside, and costs nothing otherwise.
    """

    def __init__(self, most: int, seen: Callable[[float], None] = lambda wait_s: None) -> None:
        self.most, self.limit, self.seen = most, most, seen
        self.looked: Callable[[], None] = lambda: None
        """Called at each look at the line, with those who are ready done."""
        self._floor = min(_FLOOR, most)
        self._inside: Callable[[], int] = lambda: 0
        self._watching = False
        self._waits: list[float] = []
        self._until = 0.0
        self._pressed = False

    def busy(self, inside: Callable[[], int]) -> None:
        """More are inside than the floor; on the event loop."""
        if not self._watching:
            self._watching, self._inside = True, inside
            self._waits, self._until = [], time.monotonic() + INTERVAL_S
            asyncio.get_running_loop().call_later(_PROBE_S, self._probe)

    def pressed(self) -> None:
        """One was refused."""
        self._pressed = True

    def turn(self, waits: list[float], inside: int, *, pressed: bool) -> None:
        """What an interval's waits say. `inside`: how many are at work now."""
        if len(waits) >= _LEAST_PROBES and min(waits) > TARGET_S:
            if inside <= self.limit + 1:  # else those let in before the last cut are still there, and prove nothing
                part = max(_MOST_CUT, min(0.875, TARGET_S / min(waits)))  # the line is about as long as they are many
                self.limit = max(self._floor, int(min(self.limit, inside) * part))
        elif pressed or inside < self.limit // 2:
            self.limit = min(self.most, self.limit + max(1, self.limit // 8))

    def _probe(self) -> None:
        # From a timer, which comes first, to the end of the line of those who are ready.
        asyncio.get_running_loop().call_soon(self._waited, time.monotonic())

    def _waited(self, since: float) -> None:
        now = time.monotonic()
        self.seen(now - since)
        self._waits.append(now - since)
        self.looked()
        inside = self._inside()
        # A line that is long enough leaves no room for two probes in an interval: it is then as long as they take.
        if now >= self._until and len(self._waits) >= _LEAST_PROBES:
            self.turn(self._waits, inside, pressed=self._pressed)
            self._waits, self._pressed, self._until = [], False, now + INTERVAL_S
        if inside > self._floor or self.limit < self.most:
            asyncio.get_running_loop().call_later(_PROBE_S, self._probe)
        else:
            self._watching = False
