"""A request does not run more than it used to: counted in calls and bytecode instructions, which no busy machine changes."""

from __future__ import annotations

import pytest

from bench import budget

pytestmark = pytest.mark.timeout(
    400
)  # two gateways that count each step, perhaps twice, beside whatever else the machine runs


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> budget.Counts:
    """Counted once more where that was too much: what ran beside the requests is not theirs, but may have met each."""
    first, may = budget.counted(tmp_path_factory.mktemp("budget")), budget.budget()
    if may is None or not budget.over(first, may):
        return first
    return budget.least(first, budget.counted(tmp_path_factory.mktemp("again")))


def test_a_request_runs_no_more_than_its_budget(found: budget.Counts) -> None:
    may = budget.budget()
    if may is None:
        pytest.skip(f"nobody has counted on Python {budget.PYTHON} yet: python -m bench.budget --write")
    too_much = budget.over(found, may)
    assert not too_much, (
        "\n".join(too_much) + "\nWhere that is meant, say why in the commit and run `python -m bench.budget --write`; "
        "`script/bench --only yimen --profile 1500` shows where the time goes."
    )


def test_everything_on_costs_more_than_bare_and_not_much_more(found: budget.Counts) -> None:
    """In one run, so whatever Python it is: who is asking, what they may see and the record are the smaller part of a list."""
    for question, times in (("list", 2.0), ("one", 2.5)):
        for what, bare in found["bare"][question].items():
            assert 0 < bare < found["everything on"][question][what] < bare * times


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"list": 1080, "one": 210}, []),  # a leaf's share of that is within its own
        ({"one": 221}, ["bare, one: 221 calls, budget 200 (at most 220)"]),
        ({"narrow": 1}, ["bare, leaf: 5.55 calls, budget 4.44 (at most 5.328)"]),
        ({"list": 1101, "narrow": 301}, ["bare, list: 1,101 calls, budget 1,000 (at most 1,100)",
                                         "bare, person: 47.4 calls, budget 42.1 (at most 46.31)"]),
    ],
)  # fmt: skip
def test_what_is_over_budget_is_said_with_its_figures(changed: dict[str, int], said: list[str]) -> None:
    may = {"list": 1000, "narrow": 200, "one": 200}
    counts = {name: {"calls": changed.get(name, count)} for name, count in may.items()}
    allowed = {name: {"calls": count} for name, count in may.items()}
    assert budget.over({"bare": counts}, {"bare": allowed}) == said


@pytest.mark.parametrize(("now", "over"), [(1040, False), (1000, False), (800, False), (660, True)])
def test_where_a_leaf_more_cost_nothing_it_still_may_cost_a_call(now: int, over: bool) -> None:
    """`narrow` may take more than the whole: what is asked for as a whole goes the shorter way."""
    may = {name: {"calls": count} for name, count in {"list": 1000, "narrow": 1040, "one": 200}.items()}
    counts = {**may, "narrow": {"calls": now}}
    assert bool(budget.over({"bare": counts}, {"bare": may})) is over


def test_counted_twice_the_smaller_counts() -> None:
    first, again = ({"bare": {"list": {"calls": one, "instructions": other}}} for one, other in ((3, 9), (4, 8)))
    assert budget.least(first, again) == {"bare": {"list": {"calls": 3, "instructions": 8}}}
