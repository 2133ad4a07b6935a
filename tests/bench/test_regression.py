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
    for question in ("list", "one"):
        for what, bare in found["bare"][question].items():
            assert 0 < bare < found["everything on"][question][what]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"list": 1080, "one": 210}, []),  # a leaf's share of that is within its own
        ({"one": 221}, ["bare, one: 221 calls, budget 200 (+10%)"]),
        ({"narrow": 1}, ["bare, leaf: 5.55 calls, budget 4.44 (+25%)"]),
        ({"list": 1101, "narrow": 301}, ["bare, list: 1,101 calls, budget 1,000 (+10%)",
                                         "bare, person: 47.4 calls, budget 42.1 (+13%)"]),
    ],
)  # fmt: skip
def test_what_is_over_budget_is_said_with_its_figures(changed: dict[str, int], said: list[str]) -> None:
    may = {"list": 1000, "narrow": 200, "one": 200}
    counts = {name: {"calls": changed.get(name, count)} for name, count in may.items()}
    allowed = {name: {"calls": count} for name, count in may.items()}
    assert budget.over({"bare": counts}, {"bare": allowed}) == said


def test_counted_twice_the_smaller_counts() -> None:
    first, again = ({"bare": {"list": {"calls": one, "instructions": other}}} for one, other in ((3, 9), (4, 8)))
    assert budget.least(first, again) == {"bare": {"list": {"calls": 3, "instructions": 8}}}
