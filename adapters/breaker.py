"""The circuit breaker: after enough failures in a row, ask no more until a single probe succeeds. Pure, no waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["CLOSED", "OPEN", "HALF_OPEN"]


@dataclass(slots=True, eq=False)
class Permit:
    """The leave for one call; hand it back to `Breaker.settle` with what came of it."""

    probe: bool


class Breaker:
    """CLOSED until `failures` in a row, OPEN for `open_s`, then HALF_OPEN: one probe at a time decides.

    A probe that has not been settled within `probe_s` counts as failed, so a lost one can not wedge the breaker.
    What was let through before the last change of state decides nothing after it.
    """

    def __init__(self, failures: int, open_s: float, *, probe_s: float, monotonic: Callable[[], float]) -> None:
        self._limit = max(1, failures)
        self._open_s, self._probe_s, self._monotonic = open_s, probe_s, monotonic
        self._failures = 0
        self._open_until: float | None = None  # None: closed
        self._probe: Permit | None = None
        self._closed_permit = Permit(probe=False)  # one for all calls between two changes of state

    @property
    def closed(self) -> bool:
        return self._open_until is None

    @property
    def state(self) -> State:
        if self._open_until is None:
            return "CLOSED"
        return "OPEN" if self._monotonic() < self._open_until else "HALF_OPEN"

    def refused_for(self) -> float | None:
        """None if a call may pass now; otherwise the seconds until it is worth asking again, at least 0."""
        if self._open_until is None:
            return None
        wait = self._open_until - self._monotonic()
        if wait > 0:
            return wait
        if self._probe is None:
            return None
        expires_in = wait + self._probe_s
        if expires_in > 0:
            return expires_in
        self._open()  # the probe never came back
        return self._open_s

    def enter(self) -> Permit | None:
        """A permit, which must be settled, or None while `refused_for` says so."""
        if self._open_until is None:
            return self._closed_permit
        if self.refused_for() is not None:
            return None
        self._open_until = self._monotonic()  # from here the probe's time runs
        self._probe = Permit(probe=True)
        return self._probe

    def settle(self, permit: Permit, good: bool | None) -> bool:
        """Count the outcome; None says the call proved nothing either way. Returns whether this opened the breaker."""
        if good and not self._failures and permit is self._closed_permit:
            return False  # as ever
        if permit.probe:
            if permit is not self._probe:
                return False
            self._probe = None
            if good:
                self._close()
            elif good is False:
                self._open()
            return good is False
        if permit is not self._closed_permit or self._open_until is not None or good is None:
            return False
        self._failures = 0 if good else self._failures + 1
        if self._failures < self._limit:
            return False
        self._open()
        return True

    def _open(self) -> None:
        self._open_until = self._monotonic() + self._open_s
        self._probe = None
        self._closed_permit = Permit(probe=False)

    def _close(self) -> None:
        self._failures = 0
        self._open_until = None
        self._closed_permit = Permit(probe=False)
