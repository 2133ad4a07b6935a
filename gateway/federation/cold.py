"""How much of a worker's time new documents may take. Planning one costs some milliseconds, so whoever sends ever new ones
could have the worker; those that are planned already are not held up by it.

Counted is processor time, not documents: a large one costs what it costs. A client's account fills at its rate up to ten
seconds' worth; together all clients have four times the rate of one, so that no client takes what another needs.
"""

from __future__ import annotations

import gc
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, thread_time

from gateway.errors import RequestRefused

CODE = "PLANNING_LIMITED"
_SPAN_S = 10.0
_TOGETHER = 4
_MOST_CLIENTS = 10_000


class ColdWork:
    """What is left to each client for new documents. `ms_per_s` is one client's rate, None for no limit."""

    def __init__(
        self,
        ms_per_s: float | None,
        clock: Callable[[], float] = monotonic,
        worked: Callable[[], float] = thread_time,
    ) -> None:
        """`clock` tells the time, `worked` how long this thread has worked, both in seconds."""
        self._rate = None if ms_per_s is None else ms_per_s / 1000
        self._clock, self._worked = clock, worked
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> seconds left, and when
        self._all = (0.0 if self._rate is None else self._rate * _TOGETHER * _SPAN_S, clock())

    @contextmanager
    def spending(self, client: str) -> Iterator[None]:
        """What is done inside is `client`'s, failed or not. Raises RequestRefused (PLANNING_LIMITED, `retry_after`)
        before it where nothing is left."""
        if self._rate is None:
            yield
            return
        now = self._clock()
        own = self._filled(self._left.get(client), self._rate, now)
        everybody = self._filled(self._all, self._rate * _TOGETHER, now)
        wait = max(-own / self._rate, -everybody / (self._rate * _TOGETHER))
        if wait >= 0:
            raise RequestRefused(CODE, retry_after=max(1, math.ceil(wait)))
        # What others left to collect, in a large process a second's worth, is not this client's.
        collecting = gc.isenabled()
        gc.disable()
        began = self._worked()
        try:
            yield
        finally:
            spent = self._worked() - began
            if collecting:
                gc.enable()
            self._left[client] = own - spent, now
            self._left.move_to_end(client)
            self._all = everybody - spent, now
            if len(self._left) > _MOST_CLIENTS:
                self._left.popitem(last=False)

    @staticmethod
    def _filled(account: tuple[float, float] | None, rate: float, now: float) -> float:
        most = rate * _SPAN_S
        if account is None:
            return most
        left, then = account
        return min(most, left + (now - then) * rate)
