"""One request with all its tries: admission, the call, retries, the hedge, and what each outcome teaches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from adapters.alarms import Alarms
from adapters.breaker import Breaker, Permit
from adapters.clock import Now
from adapters.errors import Reason, SourceUnavailable, whereabouts
from adapters.health import Vitals
from adapters.limits import TokenBucket, Turns
from adapters.manifest import Limits
from adapters.prompt import Prompt
from adapters.retry_budget import RetryBudget
from adapters.single_flight import Call, Flight
from adapters.source import Answer, Failed, Lookup, Source

_PAUSE_S = 0.05  # before the first retry, doubled for each further one; times 0.5 to 1.5, so that retries do not march
_LONGEST_SILENCE_S = 300.0  # the most we believe a source that tells us when to come back
_RETRIED = frozenset((Reason.DOWN, Reason.TIMEOUT))
_COUNTED = frozenset((Reason.DOWN, Reason.TIMEOUT, Reason.GARBAGE, Reason.TOO_LARGE, Reason.REFUSED))  # by the breaker


class Tries:
    """Makes the requests of one source and remembers what they teach about it."""

    def __init__(
        self, source: Source, limits: Limits, *, now: Now, monotonic: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._source, self._limits = source, limits
        self._now, self._monotonic, self._random = now, monotonic, random
        rate = limits.rate_per_s
        bucket = None if rate is None else TokenBucket(rate, limits.burst, monotonic=monotonic)
        self._turns = Turns(limits.concurrency, bucket, monotonic=monotonic)
        self._budget = RetryBudget(limits.retry_ratio, monotonic=monotonic)
        self._quiet_until = float("-inf")  # it told us itself not to ask before
        self.breaker = Breaker(
            limits.breaker_failures, limits.breaker_open_s, probe_s=limits.timeout_s, monotonic=monotonic
        )
        self.vitals = Vitals(now)
        # A hedge needs somebody who waits beside the first try.
        self._prompt = source if isinstance(source, Prompt) and limits.hedge_after_s is None else None

    def barred(self) -> Failed | None:
        """Why nothing may be asked at present, if so."""
        if self._quiet_until > self._monotonic():
            return Failed(Reason.RATE_LIMITED, self._instant(self._quiet_until))
        wait_s = self.breaker.refused_for()
        if wait_s is not None:
            return Failed(Reason.BREAKER_OPEN, self._now() + timedelta(seconds=wait_s))
        return None

    @property
    def quiet(self) -> bool:
        return self._quiet_until > self._monotonic()

    async def run(self, flight: Flight, alarms: Alarms, time_is_up: Callable[[Flight], None]) -> None:
        """Fill `flight.known`. `time_is_up` is called if the tries together take longer than `limits.timeout_s`."""
        admitted = await self._admit(flight)
        lookup = flight.lookup
        if isinstance(admitted, Failed):
            flight.known.update(dict.fromkeys(lookup.keys, admitted))
            return
        self._start(flight, self._monotonic(), alarms, time_is_up)
        await self._retried(flight, await self._asked(flight, lookup, admitted))

    def begin(
        self, flight: Flight, alarms: Alarms, time_is_up: Callable[[Flight], None], told: Callable[..., None]
    ) -> bool:
        """The first try, without a task, where it may and can leave at once; `told` is called with the flight and what
        `adapters.prompt` says. False: `run` has to make it."""
        prompt, now = self._prompt, self._monotonic()
        # Whatever is amiss with the source is for `run`: what lets it be asked again is not to be spent twice.
        if prompt is None or self._quiet_until > now or not self.breaker.closed or not self._turns.try_take():
            return False
        permit = self.breaker.enter()
        if permit is None:
            self._turns.give_back()
            return False
        try:
            sent = prompt.begin(flight.lookup, timeout_s=self._limits.timeout_s, told=partial(told, flight))
        except Exception:  # it is made again, and whatever is wrong is said there
            sent = None
        if sent is None:
            flight.admitted = permit
            return False
        self._start(flight, now, alarms, time_is_up)
        flight.sent = sent
        flight.calls.append(Call(permit, now))
        self.vitals.started()
        return True

    def is_all(self, flight: Flight, answers: Sequence[Answer]) -> bool:
        """Whether a first try brought good answers to all; it is ended then. `run_on` is for the rest."""
        keys = flight.lookup.keys
        if len(answers) != len(keys) or Failed in set(map(type, answers)):
            return False
        self._end(flight, flight.calls[0], True, None)
        flight.answers = answers
        return True

    async def run_on(
        self,
        flight: Flight,
        answers: Sequence[Answer] | None,
        later: Coroutine[Any, Any, Sequence[Answer]] | None,
    ) -> None:
        """From a first try on that no task awaited: what it brought, or what is left of it to do."""
        call, lookup = flight.calls[0], flight.lookup
        if answers is None and later is None:
            later = self._source.fetch(lookup, timeout_s=max(0.0, flight.ends_at - self._monotonic()))
        await self._retried(flight, await self._outcome(flight, call, lookup, later or _ready(answers or ())))

    def _start(self, flight: Flight, now: float, alarms: Alarms, time_is_up: Callable[[Flight], None]) -> None:
        flight.ends_at = now + self._limits.timeout_s
        flight.alarm = alarms.after(self._limits.timeout_s, partial(time_is_up, flight))
        self._budget.first_try()

    def _asked(self, flight: Flight, lookup: Lookup, permit: Permit) -> Awaitable[Sequence[Answer]]:
        ask = self._call if self._limits.hedge_after_s is None else self._hedged
        return ask(flight, lookup, permit)

    async def _retried(self, flight: Flight, answers: Sequence[Answer]) -> None:
        """From the first try's answers on."""
        lookup, tries = flight.lookup, 0
        while True:
            flight.known.update(zip(lookup.keys, answers, strict=True))
            if Failed not in set(map(type, answers)):
                return
            again = tuple(key for key, answer in zip(lookup.keys, answers, strict=True) if _worth_a_retry(answer))
            if not again or tries >= self._limits.retries:
                return
            pause_s = _PAUSE_S * 2**tries * (0.5 + self._random())
            if self._monotonic() + pause_s >= flight.ends_at or not self._budget.take():
                return
            await asyncio.sleep(pause_s)
            admitted = await self._admit(flight)
            if isinstance(admitted, Failed):
                return  # the failure we have says more
            lookup = Lookup(lookup.noun, lookup.by, again, lookup.fields, lookup.page, lookup.onward)
            tries += 1
            answers = await self._asked(flight, lookup, admitted)

    def cut(self, flight: Flight, *, patience_s: float) -> None:
        """End what is still out. The source is blamed for a call it was silent on for `patience_s` or longer."""
        if flight.admitted is not None:
            permit, flight.admitted = flight.admitted, None
            self._end(flight, Call(permit, 0.0), None, None, made=False)
        for call in flight.calls:
            silent = self._monotonic() - call.started >= patience_s
            self._end(flight, call, False if silent else None, Reason.TIMEOUT)

    async def _admit(self, flight: Flight) -> Permit | Failed:
        """A permit together with a turn, both given back when the call ends."""
        admitted, flight.admitted = flight.admitted, None
        if admitted is not None:
            return admitted
        while True:
            barred = self.barred()
            if barred is not None:
                verdict = flight.launch.verdict
                if verdict is None or verdict.is_set() or barred.reason is not Reason.BREAKER_OPEN:
                    return barred
                await verdict.wait()  # a sister is the probe; the asker waits for her in any case
                continue
            if not self._turns.try_take():
                could_go_at = await self._turns.take(flight.launch, flight.launch.deadline)
                if could_go_at is not None:
                    return self.barred() or Failed(Reason.RATE_LIMITED, self._instant(could_go_at))
            permit = None if self.quiet else self.breaker.enter()
            if permit is not None:
                if permit.probe:
                    flight.launch.verdict = asyncio.Event()
                return permit
            self._turns.give_back()  # things changed while we waited

    async def _call(self, flight: Flight, lookup: Lookup, permit: Permit) -> Sequence[Answer]:
        call = Call(permit, self._monotonic())
        flight.calls.append(call)
        self.vitals.started()
        asked = self._source.fetch(lookup, timeout_s=max(0.0, flight.ends_at - call.started))
        return await self._outcome(flight, call, lookup, asked)

    async def _outcome(
        self, flight: Flight, call: Call, lookup: Lookup, asked: Awaitable[Sequence[Answer]]
    ) -> Sequence[Answer]:
        failed: Failed | None = None
        answers: Sequence[Answer] = ()
        try:
            answers = await asked
            if len(answers) != len(lookup.keys):
                failed = Failed(Reason.GARBAGE, detail="another number of answers than keys")
        except SourceUnavailable as error:
            failed = Failed(error.reason, error.retry_at, error.detail)
        except TimeoutError:
            failed = Failed(Reason.TIMEOUT)
        except Exception as error:  # a fault of ours on their dirt must not take the other departments along
            failed = Failed(Reason.GARBAGE, detail=whereabouts(error))
        except BaseException:
            self._end(flight, call, None, Reason.TIMEOUT)
            raise
        if failed is not None:
            answers = [failed] * len(lookup.keys)
        self._learn(flight, call, answers)
        return answers

    async def _hedged(self, flight: Flight, lookup: Lookup, permit: Permit) -> Sequence[Answer]:
        """Like `_call`; where that stays silent, and rate and budget allow, a second one runs beside it."""
        first = asyncio.ensure_future(self._call(flight, lookup, permit))
        out = {first}
        try:
            await asyncio.wait(out, timeout=self._limits.hedge_after_s)
            if not first.done() and (second := self._second_permit()) is not None:
                out.add(asyncio.ensure_future(self._call(flight, lookup, second)))
            while True:
                done, out = await asyncio.wait(out, return_when=asyncio.FIRST_COMPLETED)
                answers = done.pop().result()
                out |= done
                if not out or not all(isinstance(answer, Failed) for answer in answers):
                    return answers
        finally:
            for loser in out:
                loser.cancel()

    def _second_permit(self) -> Permit | None:
        if self.barred() is not None or self.breaker.state != "CLOSED":
            return None
        if not self._turns.try_take():
            return None
        if not self._budget.take():
            self._turns.give_back()
            return None
        return self.breaker.enter()

    def _learn(self, flight: Flight, call: Call, answers: Sequence[Answer]) -> None:
        """One good answer shows that the source works; otherwise the first failure that the breaker counts stands."""
        if answers and Failed not in set(map(type, answers)):
            self._end(flight, call, True, None)
            return
        failures = [answer for answer in answers if isinstance(answer, Failed)]
        for failure in failures:
            if failure.reason is Reason.RATE_LIMITED and failure.retry_at is not None and failure.retry_at.tzinfo:
                silence_s = min((failure.retry_at - self._now()).total_seconds(), _LONGEST_SILENCE_S)
                self._quiet_until = max(self._quiet_until, self._monotonic() + silence_s)
        if len(failures) < len(answers):
            self._end(flight, call, True, None)
            return
        # A gateway that recorded our question and said no is well: nobody else is kept from asking it.
        counted = next((one.reason for one in failures if one.reason in _COUNTED and not _recorded(one)), None)
        self._end(flight, call, None if counted is None else False, counted or failures[0].reason)

    def _end(self, flight: Flight, call: Call, good: bool | None, reason: Reason | None, *, made: bool = True) -> None:
        """Give back what the call held and count it; the first end counts, a late answer changes nothing."""
        if call.ended:
            return
        call.ended = True
        if not made:
            pass
        elif good:
            self.vitals.answered(self._monotonic() - call.started)
        elif reason is None or reason is Reason.KEY_MISSING or (good is None and reason is Reason.TIMEOUT):
            self.vitals.abandoned()
        else:
            self.vitals.failed(reason)
        opened = self.breaker.settle(call.permit, good)
        self._turns.give_back()
        if opened:
            self._turns.send_all_home()
        if call.permit.probe and flight.launch.verdict is not None:
            flight.launch.verdict.set()

    def _instant(self, monotonic: float) -> datetime:
        return self._now() + timedelta(seconds=monotonic - self._monotonic())


async def _ready(answers: Sequence[Answer]) -> Sequence[Answer]:
    return answers


def _worth_a_retry(answer: Answer) -> bool:
    return isinstance(answer, Failed) and answer.reason in _RETRIED


def _recorded(failed: Failed) -> bool:
    return failed.receipt is not None and not failed.receipt.note
