"""Extra tries stay a small share of the first ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.retry_budget import RetryBudget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_three_a_minute_are_always_there_and_come_back() -> None:
    clock = Clock()
    budget = RetryBudget(0.1, monotonic=clock)
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]
    clock.now = 54.0
    assert not budget.take()
    clock.now = 61.0
    assert budget.take()


def test_many_calls_earn_their_share_of_retries() -> None:
    budget = RetryBudget(0.1, monotonic=Clock())
    for _ in range(100):
        budget.first_try()
    assert sum(budget.take() for _ in range(100)) == 10


@given(st.floats(0, 1), st.lists(st.tuples(st.floats(0, 200), st.integers(0, 30), st.integers(0, 30)), max_size=30))
def test_no_quiet_spell_or_rush_lets_more_through(ratio: float, story: list[tuple[float, int, int]]) -> None:
    clock, first, extra = Clock(), list[float](), list[float]()
    budget = RetryBudget(ratio, monotonic=clock)
    for wait, calls, tries in story:
        clock.now += wait
        for _ in range(calls):
            budget.first_try()
            first.append(clock.now)
        for _ in range(tries):
            if budget.take():  # at the instant of each grant; the slots blur the minute by five seconds
                extra.append(clock.now)
                recent = sum(at > clock.now - 55 for at in extra)
                assert recent <= max(3, ratio * sum(at > clock.now - 65 for at in first))
