"""The breaker with a clock in hand."""

from __future__ import annotations

from adapters.breaker import Breaker, Permit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(3, 5.0, probe_s=1.0, monotonic=clock)
    for _ in range(3):
        breaker.settle(enter(breaker), False)
    return breaker


def state(breaker: Breaker) -> str:
    return breaker.state


def enter(breaker: Breaker) -> Permit:
    permit = breaker.enter()
    assert permit is not None
    return permit


def test_failures_in_a_row_open_it_and_a_success_between_does_not_count_as_one() -> None:
    breaker = Breaker(3, 5.0, probe_s=1.0, monotonic=Clock())
    for good in (False, False, True, False, None, False):
        assert not breaker.settle(enter(breaker), good)
    assert state(breaker) == "CLOSED"
    assert breaker.settle(enter(breaker), False)
    assert state(breaker) == "OPEN"
    assert breaker.enter() is None
    assert breaker.refused_for() == 5.0


def test_after_its_time_exactly_one_probe_passes_and_a_success_closes() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 5.0
    assert state(breaker) == "HALF_OPEN"
    probe = enter(breaker)
    assert probe.probe
    assert breaker.enter() is None
    assert breaker.refused_for() == 1.0  # by then the probe has ended
    breaker.settle(probe, True)
    assert state(breaker) == "CLOSED"
    assert not enter(breaker).probe
    assert not breaker.settle(enter(breaker), False)  # it starts to count anew


def test_a_failed_probe_opens_it_again() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 5.0
    assert breaker.settle(enter(breaker), False)
    assert state(breaker) == "OPEN"
    assert breaker.refused_for() == 5.0


def test_a_probe_that_proves_nothing_leaves_room_for_the_next() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 5.0
    breaker.settle(enter(breaker), None)
    assert state(breaker) == "HALF_OPEN"
    assert enter(breaker).probe


def test_a_lost_probe_does_not_wedge_it_and_its_late_word_counts_for_nothing() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 5.0
    lost = enter(breaker)
    clock.now = 6.0
    assert breaker.enter() is None
    assert state(breaker) == "OPEN"
    breaker.settle(lost, True)
    assert state(breaker) == "OPEN"
    clock.now = 11.0
    assert enter(breaker).probe
    breaker.settle(lost, True)
    assert state(breaker) == "HALF_OPEN"


def test_what_left_before_the_change_decides_nothing_after_it() -> None:
    clock = Clock()
    breaker = Breaker(1, 5.0, probe_s=1.0, monotonic=clock)
    early, late = enter(breaker), enter(breaker)
    assert breaker.settle(early, False)
    assert not breaker.settle(late, True)
    assert state(breaker) == "OPEN"
    clock.now = 5.0
    breaker.settle(enter(breaker), True)
    assert not breaker.settle(late, False)
    assert state(breaker) == "CLOSED"
