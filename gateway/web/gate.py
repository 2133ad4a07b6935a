"""How many are inside, and whether anyone is let in: overload and draining are decided here."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

from gateway.web.in_flight import InFlightLimit
from gateway.web.shed_lines import ShedLines

UNGATED = frozenset({b"/livez", b"/readyz", b"/metrics"})  # those who watch must see most when it is full
LOG = "/ledger/"  # below it stands what witnesses and auditors read
_READERS = 8  # of the log, let in however full it is: whoever watches us must not be shut out by a flood of others
_WATCHED = 16  # requests inside from which on the line they stand in is looked at
_NO_LINE = 64  # up to so many inside nobody stands in a line worth speaking of
_A_TURN = 32  # may then begin in one turn of the event loop: who goes in step shares the calls to departments and the commit (1.4
# CPU ms a list question in place of 1.6)
_A_TURN_IN_LINE = 8  # some 4 ms of the turn, and those who are to be refused have theirs
_SLOW = 10  # times as many may be sending as may be at work


class Gate:
    """Counts what runs. `full` and `draining` say why nobody more is let in.

    `waiting`: how many of those inside are still sending their bodies. They cost a connection and no work, and anybody
    can begin a request, so they take no place of those at work; but there is an end to their number, too.
    """

    def __init__(self, *, in_flight: int, streams: int) -> None:
        self.streams = streams
        self.in_flight = InFlightLimit(in_flight)
        self.refused = {"OVERLOADED": 0, "DRAINING": 0}
        self.inside = {"request": 0, "stream": 0, "reader": 0}
        self.turned_back: dict[str, int] = {}
        """By method: refused on reading their headers, before anything else counted them."""
        self._lines = ShedLines(lambda: {"limit": self.in_flight.limit, "inside": self.inside["request"]})
        self.waiting = 0
        self.closing = False
        """We are about to drain and say so (readiness, `Connection: close`); whoever comes meanwhile is served."""
        self.retiring = False
        """Somebody else has our place: connections end with their next answer, and nothing else changes."""
        self.draining = False
        self._drain = asyncio.Event()
        self._revoked = asyncio.Event()
        self.revocations = 0  # heard of
        self._begun = 0  # in this turn of the event loop
        self._door: deque[tuple[float, asyncio.Future[None]]] = deque()
        """Who is let in and waits to begin, and since when."""

    @property
    def at_work(self) -> int:
        """Requests inside but for those still being sent; of these, no more are passed over than there is an end to."""
        return self.inside["request"] + self.inside["reader"] - min(self.waiting, _SLOW * self.in_flight.limit)

    @property
    def full(self) -> bool:
        """Whether one more request is one too many."""
        return self.at_work >= self.in_flight.limit

    def refusal(self, kind: str) -> str | None:
        """The code that refuses one more of `kind`, or None."""
        if self.draining:
            self.refused["DRAINING"] += 1
            return "DRAINING"
        if kind == "request":
            refused = self.full
        elif kind == "reader":
            refused = self.full and not self.reader_fits
        else:
            refused = self.inside["stream"] >= self.streams
        if refused:
            self.shed()
            return "OVERLOADED"
        return None

    @property
    def reader_fits(self) -> bool:
        """Whether one more may read the log even while it is full."""
        return self.inside["reader"] < _READERS

    def turn_back(self, method: str) -> None:
        """As `shed`, for what nobody else will count."""
        self.turned_back[method] = self.turned_back.get(method, 0) + 1
        self.shed()

    def shed(self) -> None:
        """One request is refused because of how many there are."""
        self.refused["OVERLOADED"] += 1
        self.in_flight.pressed()
        self._lines.note()

    def enter(self, kind: str) -> None:
        self.inside[kind] += 1
        if self.inside[kind] > _WATCHED and kind == "request":
            self.in_flight.busy(self._at_work, self._at_the_door)

    async def their_turn(self) -> None:
        """Whoever was let in begins; of many who came at once, some in a later turn of the event loop. All in one, whoever
        came after them, to be refused perhaps, would wait until the last of them had been looked at."""
        loop = asyncio.get_running_loop()
        if self._door or self._begun >= self._a_turn:
            turn: asyncio.Future[None] = loop.create_future()
            self._door.append((time.monotonic(), turn))
            await turn
            return
        if not self._begun:
            loop.call_soon(self._next_turn)
        self._begun += 1

    @property
    def _a_turn(self) -> int:
        return _A_TURN if self.at_work <= _NO_LINE else _A_TURN_IN_LINE

    def _next_turn(self) -> None:
        """The next of those at the door begin."""
        self._begun = 0
        while self._door and self._begun < self._a_turn:
            _, turn = self._door.popleft()
            if not turn.done():  # nor gone away
                turn.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _at_the_door(self) -> float:
        return time.monotonic() - self._door[0][0] if self._door else 0.0

    def _at_work(self) -> int:
        return self.at_work

    def leave(self, kind: str) -> None:
        self.inside[kind] -= 1

    def becomes_stream(self) -> str | None:
        """A request that turns out to be a stream counts as one from here on; a code refuses it instead."""
        code = self.refusal("stream")
        if code is None:
            self.leave("request")
            self.enter("stream")
        return code

    def was_stream(self) -> None:
        self.leave("stream")
        self.enter("request")

    @property
    def empty(self) -> bool:
        return not any(self.inside.values())

    def drain(self) -> None:
        """Let nobody in from now on; what runs finishes, streams end. To be called on the event loop."""
        self.closing = self.draining = True
        self._drain.set()

    async def until_draining(self) -> None:
        """For streams, which would otherwise never finish by themselves."""
        await self._drain.wait()

    def something_revoked(self) -> None:
        """It is said that some token is good no more: open streams ask now, and not only when it is their time."""
        self.revocations += 1
        said, self._revoked = self._revoked, asyncio.Event()
        said.set()

    async def until_revoked(self, most_s: float, heard: int) -> None:
        """Until more `revocations` than `heard` are said to be, or for `most_s`."""
        if self.revocations != heard:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._revoked.wait()
