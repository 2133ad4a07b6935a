"""How many requests may leave: a token bucket, a concurrency limit, and turns that are fair between lookups."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

_ALMOST = 1e-9  # a token short by rounding is a token


class TokenBucket:
    """At most `burst + rate_per_s * t` tokens in any t seconds. Pure, no waiting."""

    def __init__(self, rate_per_s: float, burst: int, *, monotonic: Callable[[], float]) -> None:
        if not rate_per_s > 0:
            raise ValueError("rate_per_s must be above 0")
        self._rate, self._burst, self._monotonic = rate_per_s, max(1, burst), monotonic
        self._tokens, self._at = float(self._burst), monotonic()

    def take(self) -> bool:
        """One token, if there is one."""
        self._refill()
        if self._tokens < 1 - _ALMOST:
            return False
        self._tokens = max(0.0, self._tokens - 1)
        return True

    def ready_in(self, n: int = 1) -> float:
        """Seconds until the n-th token from now can be taken, if each is taken as it comes."""
        self._refill()
        return max(0.0, (n - self._tokens) / self._rate)

    def _refill(self) -> None:
        now = self._monotonic()
        if now > self._at:
            self._tokens = min(float(self._burst), self._tokens + (now - self._at) * self._rate)
            self._at = now


class _Ticket:
    """A place in the queue. Its future tells: None = go, a number = could have gone only at that instant."""

    __slots__ = ("deadline", "told")

    def __init__(self, deadline: float, told: asyncio.Future[float | None]) -> None:
        self.deadline, self.told = deadline, told


class Turns:
    """At most `concurrency` requests at once and no more than `bucket` allows; who waits is served in turn by lookup.

    Instants are those of `monotonic`. Belongs to one event loop.
    """

    def __init__(self, concurrency: int, bucket: TokenBucket | None, *, monotonic: Callable[[], float]) -> None:
        self._free = max(1, concurrency)
        self._bucket, self._monotonic = bucket, monotonic
        self._queues: dict[object, deque[_Ticket]] = {}  # by lookup; the first is served next, then goes to the end
        self._earliest = float("inf")  # no ticket's deadline is before this
        self._timer: asyncio.TimerHandle | None = None

    def try_take(self) -> bool:
        """A turn at once, if nobody waits for one; to be given back by `give_back`."""
        if self._queues or self._free <= 0 or (self._bucket is not None and not self._bucket.take()):
            return False
        self._free -= 1
        return True

    async def take(self, lookup: object, deadline: float) -> float | None:
        """None with a turn, to be given back. Otherwise, as soon as it is certain that the rate allows none by
        `deadline`, the instant at which it would: also when that becomes certain only later, by others' fair share.

        A wait for others to finish (the concurrency) has no forecast; cancel it when the time is up.
        """
        if self.try_take():
            return None
        ticket = _Ticket(deadline, asyncio.get_running_loop().create_future())
        self._queues.setdefault(lookup, deque()).append(ticket)
        self._earliest = min(self._earliest, deadline)
        self._refuse_hopeless()
        self._serve()
        try:
            return await ticket.told
        except asyncio.CancelledError:
            if not ticket.told.cancelled() and ticket.told.result() is None:
                self.give_back()  # the turn came in the same instant
            else:
                self._forget(lookup, ticket)
            raise

    def give_back(self) -> None:
        """The request has ended, however it ended."""
        self._free += 1
        if self._queues:
            self._serve()

    def send_all_home(self) -> None:
        """Tell all who wait that they could go now: for a caller who knows that none of them should."""
        now = self._monotonic()
        queues, self._queues = self._queues, {}
        for ticket in (ticket for queue in queues.values() for ticket in queue):
            if not ticket.told.done():
                ticket.told.set_result(now)

    def _serve(self) -> None:
        while self._free > 0 and (lookup := self._next()) is not None:
            if self._bucket is not None and not self._bucket.take():
                self._wake_in(self._bucket.ready_in())
                return
            self._free -= 1
            queue = self._queues.pop(lookup)
            queue.popleft().told.set_result(None)
            if queue:
                self._queues[lookup] = queue

    def _next(self) -> object | None:
        """The lookup whose turn it is; its first ticket is one that somebody still waits for."""
        while self._queues:
            lookup, queue = next(iter(self._queues.items()))
            while queue and queue[0].told.done():  # cancelled in this very instant
                queue.popleft()
            if queue:
                return lookup
            del self._queues[lookup]
        return None

    def _forget(self, lookup: object, ticket: _Ticket) -> None:
        queue = self._queues.get(lookup)
        if queue is not None and ticket in queue:
            queue.remove(ticket)
            if not queue:
                del self._queues[lookup]

    def _refuse_hopeless(self) -> None:
        """Walk the queue in the order it will be served; who cannot be served in time is told when he could."""
        if self._bucket is None:
            return
        now = self._monotonic()
        waiting = sum(map(len, self._queues.values()))
        if now + self._bucket.ready_in(waiting) <= self._earliest:
            return
        place, refused = 0, []
        self._earliest = float("inf")
        for ticket in self._in_order():
            if now + self._bucket.ready_in(place + 1) <= ticket.deadline:
                place += 1
                self._earliest = min(self._earliest, ticket.deadline)
            else:
                refused.append(ticket)
        if not refused:
            return
        hopeless = set(map(id, refused))
        kept = ((lookup, deque(t for t in queue if id(t) not in hopeless)) for lookup, queue in self._queues.items())
        self._queues = {lookup: queue for lookup, queue in kept if queue}
        could_go_at = now + self._bucket.ready_in(place + 1)
        for ticket in refused:
            if not ticket.told.done():
                ticket.told.set_result(could_go_at)

    def _in_order(self) -> list[_Ticket]:
        queues = list(self._queues.values())
        longest = max(map(len, queues), default=0)
        return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]

    def _wake_in(self, delay_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._serve()
