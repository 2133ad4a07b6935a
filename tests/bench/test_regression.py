"""A request does not run more than it used to: counted in calls and bytecode instructions, which no busy machine changes."""

from __future__ import annotations

import pytest

from bench import budget


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> budget.Counts:
    """Counted once more where that was too much: what ran beside the requests is not theirs, but may have met each."""
    first = budget.counted(tmp_path_factory.mktemp("budget"))
    if not budget.over(first, budget.budget()):
        return first
    return budget.least(first, budget.counted(tmp_path_factory.mktemp("again")))


def test_a_request_runs_no_more_than_its_budget(found: budget.Counts) -> None:
    too_much = budget.over(found, budget.budget())
    assert not too_much, (
        "\n".join(too_much) + "\nWhere that is meant, say why in the commit and run `python -m bench.budget --write`; "
        "`script/bench --only yimen --profile 1500` shows where the time goes."
    )


def test_with_everything_on_more_is_run_than_bare(found: budget.Counts) -> None:
    for question, counts in found["bare"].items():
        for what, bare in counts.items():
            assert 0 < bare < found["everything on"][question][what]


def test_what_is_over_budget_is_said_with_its_figures() -> None:
    may = {"bare": {"list": {"calls": 1000}}}
    assert budget.over({"bare": {"list": {"calls": 1100}}}, may) == []
    assert budget.over({"bare": {"list": {"calls": 1101}}}, may) == [
        "bare, list: 1,101 calls a request, budget 1,000 (+10%)"
    ]
