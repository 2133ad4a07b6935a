"""Retries and hedges may only ever be a small share of the calls, or they finish off a source that struggles."""

from __future__ import annotations

from collections.abc import Callable

_WINDOW_S = 60.0
_SLOTS = 12
_SLOT_S = _WINDOW_S / _SLOTS
_FLOOR = 3  # a minute, so that a source which is asked rarely gets its second chance too


class RetryBudget:
    """Extra tries per minute: at most `ratio` of the first tries, and never fewer than three."""

    def __init__(self, ratio: float, *, monotonic: Callable[[], float]) -> None:
        self._ratio, self._monotonic = ratio, monotonic
        self._slot = int(monotonic() // _SLOT_S)
        self._ends_at = 0.0  # of the slot
        self._first, self._extra = [0] * _SLOTS, [0] * _SLOTS

    def first_try(self) -> None:
        self._turn()
        self._first[self._slot % _SLOTS] += 1

    def take(self) -> bool:
        """One extra try, if the last minute allows it."""
        self._turn()
        if sum(self._extra) + 1 > max(_FLOOR, self._ratio * sum(self._first)):
            return False
        self._extra[self._slot % _SLOTS] += 1
        return True

    def _turn(self) -> None:
        now = self._monotonic()
        if now < self._ends_at:
            return
        slot = int(now // _SLOT_S)
        self._ends_at = (max(slot, self._slot) + 1) * _SLOT_S
        if slot == self._slot:
            return
        for passed in range(self._slot + 1, min(slot, self._slot + _SLOTS) + 1):
            self._first[passed % _SLOTS] = self._extra[passed % _SLOTS] = 0
        self._slot = max(slot, self._slot)
