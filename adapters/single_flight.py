"""Who waits for which request: identical questions share one, and it outlives any single asker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.alarms import Alarm, unheard
from adapters.breaker import Permit
from adapters.onward import Onward
from adapters.prompt import Begun, Told
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


class Flight:
    """One request for `lookup.keys` with all its tries, and everyone who waits for it.

    `known` holds what has been answered so far, unless `answers` has it all, a key each; `done` says that nothing is to come.
    """

    __slots__ = (
        "about", "admitted", "alarm", "answers", "calls", "done", "ends_at", "known", "launch", "lookup", "sent", "task", "waits",
    )  # fmt: skip

    def __init__(self, about: About, lookup: Lookup, launch: Launch) -> None:
        self.about, self.lookup, self.launch = about, lookup, launch
        self.known: dict[Key, Answer] = {}
        self.answers: Sequence[Answer] | None = None
        self.done = False
        self.ends_at = 0.0  # of all its tries together, from the first
        self.task: asyncio.Task[None] | None = None
        self.sent: Begun | None = None  # a first try that no task awaits
        self.admitted: Permit | None = None  # of a first try that is still to be made, with its turn
        self.alarm: Alarm | None = None
        self.waits: list[Wait] = []
        self.calls: list[Call] = []

    def by_key(self) -> dict[Key, Answer]:
        """What has been answered so far."""
        if self.answers is not None and not self.known:
            self.known = dict(zip(self.lookup.keys, self.answers, strict=True))
        return self.known


class Wait:
    """One asker, waiting for several flights at once; `over` is called once when all have landed or the time is up."""

    __slots__ = ("_over", "alarm", "flights", "known", "lookup", "pending", "told")

    def __init__(self, lookup: Lookup, known: dict[Key, Answer], told: Told, over: Callable[[Wait], None]) -> None:
        """`known` is what need not be waited for; `told` is for `over`."""
        self.lookup, self.known, self.told = lookup, known, told
        self._over: Callable[[Wait], None] | None = over
        self.alarm: Alarm | None = None
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
            self.end()

    def end(self) -> None:
        """`pending` tells whether all have landed."""
        if (over := self.stop()) is not None:
            over(self)

    def stop(self) -> Callable[[Wait], None] | None:
        """What was to be called, the first time."""
        over, self._over = self._over, None
        if self.alarm is not None:
            self.alarm.off()
        return over

    def leave(self) -> Iterator[Flight]:
        """Stop waiting. Gives the flights that nobody waits for any more."""
        for flight in self.flights:
            if not flight.done:
                flight.waits.remove(self)
                if not flight.waits:
                    yield flight


class SingleFlight:
    """The flights under way, found by what is asked."""

    def __init__(self) -> None:
        self._by_about: dict[
            About, dict[Key, Flight] | Flight
        ] = {}  # mostly there is one, and nobody looks for its keys

    def of(self, about: About) -> Mapping[Key, Flight]:
        return self._keys(about) if about in self._by_about else _NONE

    def add(self, flight: Flight) -> None:
        if flight.about in self._by_about:
            self._keys(flight.about).update(dict.fromkeys(flight.lookup.keys, flight))
        else:
            self._by_about[flight.about] = flight

    def land(self, flight: Flight, otherwise: Answer) -> None:
        """Nothing more is to come: `otherwise` stands for what did not, and all who wait are told."""
        keys, known = self._by_about[flight.about], flight.known
        if flight.answers is None and len(known) < len(flight.lookup.keys):
            for key in flight.lookup.keys:
                known.setdefault(key, otherwise)
        if isinstance(keys, Flight) or len(keys) == len(flight.lookup.keys):  # no other flight is about this
            del self._by_about[flight.about]
        else:
            for key in flight.lookup.keys:
                del keys[key]
        flight.done = True
        waits, flight.waits = flight.waits, []  # no circle: both go as soon as the last asker has its answer
        for wait in waits:
            try:
                wait.landed()
            except Exception as fault:  # of one asker's own: the others are told all the same
                unheard(fault)

    def _keys(self, about: About) -> dict[Key, Flight]:
        found = self._by_about[about]
        if isinstance(found, Flight):
            found = self._by_about[about] = dict.fromkeys(found.lookup.keys, found)
        return found

    def under_way(self) -> list[Flight]:
        flights = (flight for about in list(self._by_about) for flight in self._keys(about).values())
        return list(dict.fromkeys(flights))


_NONE: Mapping[Key, Flight] = {}
