"""How many requests at once: found by how long the event loop keeps waiting whoever is ready to go on.

One process has one thread. Past the number that keeps it busy, more requests at once make nobody faster: they stand in
line inside, and with enough of them every answer comes too late for its client. As in CoDel (RFC 8289) what counts is a
line that does not go away, not one that is long for a moment. The shortest wait of an interval, by which CoDel knows it,
says nothing here: those who are let in go in step (they wait for the same answers and the same commit), and even among far
too many the loop has nothing to do for a moment, again and again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# Whoever gets ready and has to wait longer than this, most of the time, stands in a line. A request gets ready some four
# times, so those who are let in take a third of a second; sixty at once are not refused, and share more of each commit.
TARGET_S = 0.036
INTERVAL_S = 0.1
WINDOW_S = 0.6  # long enough for those inside to have been in step both ways: all ready, and all waiting elsewhere
_PROBE_S = 0.01
_LEAST_PROBES = 2
_LONG_S = 2 * TARGET_S
_MOST_CUT = 0.25
_FLOOR = 16


def standing_s(waits: list[float]) -> float:
    """How long somebody waits who gets ready at any time: each wait counts for as long as it lasted. The longest is passed
    over: one long pause (a collection, a stolen processor) is no line."""
    if len(waits) < _LEAST_PROBES:
        return 0.0
    kept = sorted(waits)[:-1]
    return sum(wait * (wait + _PROBE_S) for wait in kept) / sum(wait + _PROBE_S for wait in kept)


class InFlightLimit:
    """`limit` moves between a floor and `most`: down to what the line's length says while there is one, up by a part while
    some are refused.

    It watches by itself while more than the floor are inside, and costs nothing otherwise.
    """

    def __init__(self, most: int, seen: Callable[[float], None] = lambda wait_s: None) -> None:
        self.most, self.limit, self.seen = most, most, seen
        self.looked: Callable[[], None] = lambda: None
        """Called at each look at the line, with those who are ready done."""
        self.calm: Callable[[], None] = lambda: None
        """Called when there is nothing to look at any more."""
        self._floor = min(_FLOOR, most)
        self._inside: Callable[[], int] = lambda: 0
        self._at_the_door: Callable[[], float] = lambda: 0.0
        self._watching = False
        self._waits: list[tuple[float, float]] = []  # when it was seen, how long it was
        self._until = 0.0
        self._pressed = False

    def busy(self, inside: Callable[[], int], at_the_door: Callable[[], float] = lambda: 0.0) -> None:
        """More are inside than the floor; on the event loop. `at_the_door`: how long the first of those who are let in and
        have not begun waits."""
        if not self._watching:
            self._watching, self._inside, self._at_the_door = True, inside, at_the_door
            self._waits, self._until = [], time.monotonic() + INTERVAL_S
            asyncio.get_running_loop().call_later(_PROBE_S, self._probe)

    def pressed(self) -> None:
        """One was refused."""
        self._pressed = True

    def turn(self, waits: list[float], inside: int, *, pressed: bool) -> bool:
        """What the waits of a while say; whether they brought the limit down. `inside`: how many are at work now."""
        line = standing_s(waits)
        if line <= TARGET_S:
            if pressed or inside < self.limit // 2:
                self.limit = min(self.most, self.limit + max(1, self.limit // 8))
            return False
        if inside > self.limit + 1:  # those let in before the last cut are still there, and prove nothing
            return False
        part = max(_MOST_CUT, min(0.875, TARGET_S / line))  # the line is about as long as they are many
        self.limit = max(self._floor, int((self.limit if pressed else min(self.limit, inside)) * part))
        return True

    def _probe(self) -> None:
        # From a timer, which comes first, to the end of the line of those who are ready.
        asyncio.get_running_loop().call_soon(self._waited, time.monotonic(), time.thread_time())

    def _waited(self, since: float, worked: float) -> None:
        now = time.monotonic()
        # What others took of the processor meanwhile makes the line no longer: up to as much as we had.
        wait = max(time.thread_time() - worked, (now - since) / 2, self._at_the_door())
        self._waits.append((now, wait))
        inside = self._inside()
        # Many who come at once are seen before an interval is over; one long pause alone never brings the limit down.
        if now >= self._until or (wait > _LONG_S and standing_s([one for _, one in self._waits]) > TARGET_S):
            self._turn(now, inside)
        if inside > self._floor or self.limit < self.most:
            asyncio.get_running_loop().call_later(_PROBE_S, self._probe)
        else:
            self._watching = False
            self.calm()
        self.seen(now - since)
        self.looked()  # last: whatever that meets, the line is looked at again

    def _turn(self, now: float, inside: int) -> None:
        if len(self._waits) < _LEAST_PROBES:  # a line that is long enough leaves no room for more in an interval
            return
        cut = self.turn([wait for _, wait in self._waits], inside, pressed=self._pressed)
        # What was seen before a cut says nothing of the line after it.
        self._waits = [] if cut else [one for one in self._waits if one[0] > now - WINDOW_S]
        self._pressed, self._until = False, now + INTERVAL_S
