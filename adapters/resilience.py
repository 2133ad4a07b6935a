"""`Guarded`: any source, asked within its hours, its limits and its strength; every failure typed, none contagious."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from random import random as uniform
from typing import Any, Literal

from adapters.alarms import Alarms
from adapters.answer_cache import AnswerCache
from adapters.clock import Now, utc_now
from adapters.errors import Reason
from adapters.health import Health
from adapters.hours import ServiceHours
from adapters.manifest import Hours, Limits
from adapters.prompt import OVER, Begun, Told
from adapters.single_flight import About, Flight, Launch, SingleFlight, Wait
from adapters.source import Answer, Failed, Key, Lookup, Source
from adapters.tries import Tries

_TIMEOUT = Failed(Reason.TIMEOUT)
_CUT = Failed(Reason.DOWN, detail="the request was cut")


class Guarded:
    """A Source around a Source; it never raises SourceUnavailable, every key has its own answer.

    `per_key` says (of a lookup's noun and key names, if it is a function) that each key is a request of its own. Belongs to one event loop.
    Raises ValueError for hours or limits that make no sense.
    """

    def __init__(
        self,
        source: Source,
        *,
        code: str,
        limits: Limits,
        hours: Hours,
        per_key: bool | Callable[[Lookup], bool],
        now: Now = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = uniform,
    ) -> None:
        self._source, self._code, self._limits, self._per_key = source, code, limits, per_key
        self._now, self._monotonic = now, monotonic
        self._hours = ServiceHours(hours)
        self._tries = Tries(source, limits, now=now, monotonic=monotonic, random=random)
        self._cache = AnswerCache(limits.cache_s, monotonic=monotonic) if limits.cache_s > 0 else None
        self._flights = SingleFlight()
        self._alarms = Alarms()
        self._sizes: dict[tuple[str, tuple[str, ...]], int] = {}  # as many as the source has answers
        self._closed = False

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        """One answer per key within `timeout_s`: what is not there by then is Failed(TIMEOUT).

        Identical keys asked for at the same time share a request, which goes on as long as anyone waits for it.
        """
        future: asyncio.Future[Sequence[Answer]] = asyncio.get_running_loop().create_future()
        asked = self.ask(lookup, timeout_s=timeout_s, told=partial(_settle, future))
        try:
            return await future
        except asyncio.CancelledError:
            asked.cancel()
            raise

    def ask(self, lookup: Lookup, *, timeout_s: float, told: Told) -> Begun:
        """As `fetch`; see `adapters.prompt`."""
        opens_at = None if self._hours.always else self._hours.opens_at(self._now())
        if opens_at is not None:
            told([Failed(Reason.CLOSED, opens_at)] * len(lookup.keys))
            return OVER
        if timeout_s <= 0 or self._closed:
            told([_TIMEOUT if timeout_s <= 0 else _CUT] * len(lookup.keys))
            return OVER
        about = (lookup.noun, lookup.by, lookup.fields, lookup.page, lookup.onward)
        under_way = self._flights.of(about)
        if self._cache is None and not under_way and (alone := self._alone(about, lookup, timeout_s, told)) is not None:
            return alone
        known = self._cached(about, lookup)
        missing = tuple(dict.fromkeys(lookup.keys))
        if known or under_way:
            missing = tuple([key for key in missing if key not in known and key not in under_way])
        if missing:
            barred = self._tries.barred()
            if barred is not None:
                known.update(dict.fromkeys(missing, barred))
            else:
                self._launch(about, lookup, missing, self._monotonic() + timeout_s)
        wait = Wait(lookup, known, told, self._over)
        if len(known) < len(lookup.keys):
            self._join(wait, about)
        if not wait.pending:
            wait.end()
            return OVER
        # A flight that is out, and no shorter time to wait than it has: its own alarm will ring before.
        if timeout_s < self._limits.timeout_s or any(flight.alarm is None for flight in wait.flights):
            wait.alarm = self._alarms.after(timeout_s, wait.end)
        return _Asked(self, wait)

    def _alone(self, about: About, lookup: Lookup, timeout_s: float, told: Told) -> Begun | None:
        """As most questions are: nobody asks the like, it fits into one request, and nothing bars the way. None: it is not."""
        keys = lookup.keys
        if not 0 < len(keys) <= self._size(lookup):
            return None
        flight = Flight(about, lookup, Launch(self._monotonic() + timeout_s))
        if not self._tries.begin(flight, self._alarms, self._time_is_up, self._told):
            if flight.admitted is None:
                return None
            if len(distinct := tuple(dict.fromkeys(keys))) < len(keys):
                flight.lookup = Lookup(lookup.noun, lookup.by, distinct, lookup.fields, lookup.page, lookup.onward)
            flight.task = asyncio.get_running_loop().create_task(self._fly(flight))
        self._flights.add(flight)
        wait = Wait(lookup, {}, told, self._over)
        wait.flights.append(flight)
        flight.waits.append(wait)
        wait.pending = 1
        if timeout_s < self._limits.timeout_s or flight.alarm is None:  # else the flight's own alarm rings before
            wait.alarm = self._alarms.after(timeout_s, wait.end)
        return _Asked(self, wait)

    def _size(self, lookup: Lookup) -> int:
        """How many keys go in one request."""
        place = (lookup.noun, lookup.by)
        size = self._sizes.get(place)
        if size is None:
            per_key = self._per_key(lookup) if callable(self._per_key) else self._per_key
            size = self._sizes[place] = 1 if per_key else max(1, self._limits.batch_size)
        return size

    def health(self) -> Health:
        """How the source does at present, from what was asked of it; asks nothing itself."""
        vitals, breaker = self._tries.vitals, self._tries.breaker.state
        return Health(
            code=self._code,
            state=self._state(),
            breaker=breaker,
            last_ok_at=vitals.last_ok_at,
            last_failure_at=vitals.last_failure_at,
            last_reason=vitals.last_reason,
            in_flight=vitals.in_flight,
            p50_ms=vitals.p50_ms(),
            calls=vitals.calls,
            failures=vitals.failures,
        )

    async def close(self) -> None:
        """Cut what is under way, then close the source."""
        self._closed = True
        flights = self._flights.under_way()
        tasks = [flight.task for flight in flights if flight.task is not None]
        for flight in flights:
            self._cut(flight, _CUT, patience_s=float("inf"))
        await asyncio.gather(*tasks, return_exceptions=True)
        self._alarms.close()
        await self._source.close()

    def _cached(self, about: About, lookup: Lookup) -> dict[Key, Answer]:
        if self._cache is None:
            return {}
        hits = ((key, self._cache.get(about, key)) for key in lookup.keys)
        return {key: hit for key, hit in hits if hit is not None}

    def _launch(self, about: About, lookup: Lookup, keys: tuple[Key, ...], deadline: float) -> None:
        size = self._size(lookup)
        launch, loop = Launch(deadline), asyncio.get_running_loop()
        for start in range(0, len(keys), size):
            if len(keys) == len(lookup.keys) <= size:
                part = lookup  # all its keys, each once
            else:
                part = Lookup(
                    lookup.noun, lookup.by, keys[start : start + size], lookup.fields, lookup.page, lookup.onward
                )
            flight = Flight(about, part, launch)
            self._flights.add(flight)
            if not self._tries.begin(flight, self._alarms, self._time_is_up, self._told):
                flight.task = loop.create_task(self._fly(flight))

    def _told(
        self,
        flight: Flight,
        answers: Sequence[Answer] | None,
        later: Coroutine[Any, Any, Sequence[Answer]] | None,
    ) -> None:
        """Of a first try that no task awaited."""
        if flight.done:
            if later is not None:
                later.close()
        elif answers is not None and self._tries.is_all(flight, answers):
            self._land(flight, _CUT)
        else:
            flight.task = asyncio.get_running_loop().create_task(self._fly_on(flight, answers, later))
            if later is not None:
                flight.task.add_done_callback(partial(_closed, later))

    async def _fly(self, flight: Flight) -> None:
        try:
            await self._tries.run(flight, self._alarms, self._time_is_up)
        finally:
            if not flight.done:
                self._land(flight, _CUT)

    async def _fly_on(
        self,
        flight: Flight,
        answers: Sequence[Answer] | None,
        later: Coroutine[Any, Any, Sequence[Answer]] | None,
    ) -> None:
        try:
            await self._tries.run_on(flight, answers, later)
        finally:
            if not flight.done:
                self._land(flight, _CUT)

    def _join(self, wait: Wait, about: About) -> None:
        """Wait for the flights of all keys not yet known."""
        under_way, known = self._flights.of(about), wait.known
        keys = [key for key in wait.lookup.keys if key not in known] if known else wait.lookup.keys
        for flight in dict.fromkeys(map(under_way.get, keys)):
            if flight is not None:
                wait.join(flight)

    def _over(self, wait: Wait) -> None:
        """All have landed, or the time is up: tell what they brought in time."""
        if wait.pending:
            self._leave(wait)
        known, keys, flights = wait.known, wait.lookup.keys, wait.flights
        if len(flights) == 1 and flights[0].answers is not None and flights[0].lookup is wait.lookup:
            wait.told(flights[0].answers)
            return
        for flight in flights:
            if known:
                for key, answer in flight.by_key().items():
                    known.setdefault(key, answer)
            else:
                known = flight.by_key() if len(flights) == 1 else dict(flight.by_key())
        try:
            answers = list(map(known.__getitem__, keys))
        except KeyError:
            answers = [known.get(key, _TIMEOUT) for key in keys]
        wait.told(answers)

    def _leave(self, wait: Wait) -> None:
        for flight in wait.leave():
            # An impatient asker proves nothing against the source, unless it had half the time it is granted.
            self._cut(flight, _TIMEOUT, patience_s=self._limits.timeout_s / 2)

    def _time_is_up(self, flight: Flight) -> None:
        self._cut(flight, _TIMEOUT, patience_s=0.0)

    def _cut(self, flight: Flight, otherwise: Failed, *, patience_s: float) -> None:
        """The books are closed at once; the task gets its cancellation, but nothing waits for it to obey."""
        if not flight.done:
            self._tries.cut(flight, patience_s=patience_s)
            self._land(flight, otherwise)
            if flight.sent is not None:
                flight.sent.cancel()
            if flight.task is not None:
                flight.task.cancel()
                flight.task = None  # its end tells of its flight: a circle, and keys in it until the collector comes

    def _land(self, flight: Flight, otherwise: Failed) -> None:
        if flight.alarm is not None:
            flight.alarm.off()
        self._flights.land(flight, otherwise)
        if self._cache is not None:
            for key, answer in flight.by_key().items():
                self._cache.put(flight.about, key, answer)

    def _state(self) -> Literal["UP", "DEGRADED", "DOWN", "CLOSED", "UNKNOWN"]:
        vitals = self._tries.vitals
        if self._hours.opens_at(self._now()) is not None:
            return "CLOSED"
        if self._tries.breaker.state != "CLOSED":
            return "DOWN"
        if vitals.last_good is None:
            return "UNKNOWN"
        if not vitals.last_good and vitals.last_ok_at is None:
            return "DOWN"
        return "UP" if vitals.last_good and not self._tries.quiet else "DEGRADED"


class _Asked:
    """One asker's end."""

    __slots__ = ("_guarded", "_wait")

    def __init__(self, guarded: Guarded, wait: Wait) -> None:
        self._guarded, self._wait = guarded, wait

    def cancel(self) -> None:
        if self._wait.stop() is not None:
            self._guarded._leave(self._wait)


def _closed(later: Coroutine[Any, Any, Sequence[Answer]], _: object) -> None:
    """A task that is cancelled before its first step awaits nothing."""
    later.close()


def _settle(future: asyncio.Future[Sequence[Answer]], answers: Sequence[Answer]) -> None:
    if not future.done():
        future.set_result(answers)
