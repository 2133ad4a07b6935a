"""Who waits for which request: identical questions share one, and it outlives any single asker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from adapters.alarms import Alarm, Alarms
from adapters.breaker import Permit
from adapters.onward import Onward
from adapters.source import Answer, Key, Lookup, Page

About = tuple[str, tuple[str, ...], frozenset[str], Page | None, Onward | None]
"""What two questions must have in common besides the key to share an answer: noun, by, granted fields, page, and what goes
along to another gateway."""


@dataclass(slots=True, eq=False)
class Launch:
    """What the requests that one lookup set off have in common: its deadline and, after an outage, the probe.

    `verdict` is there once one of them is the breaker's probe, and set when that has ended.
    """

    deadline: float
    verdict: asyncio.Event | None = None


@dataclass(slots=True, eq=False)
class Call:
    """One try upstream; ended exactly once, by its answer or by its time."""

    permit: Permit
    started: float
    ended: bool = False


@dataclass(slots=True, eq=False)
class Flight:
    """One request for `lookup.keys` with all its tries, and everyone who waits for it.

    `known` holds what has been answered so far; `done` says that nothing is to come.
    """

    about: About
    lookup: Lookup
    launch: Launch
    known: dict[Key, Answer] = field(default_factory=dict)
    done: bool = False
    ends_at: float = 0.0  # of all its tries together, from the first
    task: asyncio.Task[None] | None = None
    alarm: Alarm | None = None
    waits: list[Wait] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)


class Wait:
    """One asker, waiting for several flights at once: a single future and timer, however many keys."""

    __slots__ = ("_done", "flights", "pending")

    def __init__(self) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.flights: list[Flight] = []
        self.pending = 0

    def join(self, flight: Flight) -> None:
        if self not in flight.waits:
            flight.waits.append(self)
            self.flights.append(flight)
            self.pending += 1

    def landed(self) -> None:
        self.pending -= 1
        if not self.pending:
            self._wake()

    async def until(self, timeout_s: float, alarms: Alarms) -> None:
        """Return when all have landed or the time is up; `pending` tells which."""
        if self.pending:
            alarm = alarms.after(timeout_s, self._wake)
            try:
                await self._done
            finally:
                alarm.off()

    def leave(self) -> Iterator[Flight]:
        """Stop waiting. Gives the flights that nobody waits for any more."""
        for flight in self.flights:
            if not flight.done:
                flight.waits.remove(self)
                if not flight.waits:
                    yield flight

    def _wake(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


class SingleFlight:
    """The flights under way, found by what is asked."""

    def __init__(self) -> None:
        self._by_about: dict[About, dict[Key, Flight]] = {}

    def of(self, about: About) -> Mapping[Key, Flight]:
        return self._by_about.get(about, _NONE)

    def add(self, flight: Flight) -> None:
        mine = dict.fromkeys(flight.lookup.keys, flight)
        others = self._by_about.get(flight.about)
        if others is None:
            self._by_about[flight.about] = mine
        else:
            others.update(mine)

    def land(self, flight: Flight, otherwise: Answer) -> None:
        """Nothing more is to come: `otherwise` stands for what did not, and all who wait are told."""
        keys, known = self._by_about[flight.about], flight.known
        if len(known) < len(flight.lookup.keys):
            for key in flight.lookup.keys:
                known.setdefault(key, otherwise)
        if len(keys) == len(flight.lookup.keys):  # no other flight is about this
            del self._by_about[flight.about]
        else:
            for key in flight.lookup.keys:
                del keys[key]
        flight.done = True
        waits, flight.waits = flight.waits, []  # no circle: both go as soon as the last asker has its answer
        for wait in waits:
            wait.landed()

    def under_way(self) -> list[Flight]:
        flights = (flight for keys in self._by_about.values() for flight in keys.values())
        return list(dict.fromkeys(flights))


_NONE: Mapping[Key, Flight] = {}
