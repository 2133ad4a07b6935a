"""The arithmetic of docs/guides/scale.md: published values first, then what must hold whatever is put in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scale_model import SIZES, Assumed, Cost, erlang_c, group_commit_ms, mixed, need, queue_ms, waiting_ms

_COST = Cost(1.0, 0.5, 4000, 2000)


def test_erlang_c_of_the_textbook() -> None:
    # One server: whoever comes waits with the probability that it is busy. Two servers at one erlang: 1/3.
    assert erlang_c(0.7, 1) == pytest.approx(0.7)
    assert erlang_c(1.0, 2) == pytest.approx(1 / 3)
    # 100 calls an hour of 3 minutes, 6 agents: 5 erlangs, 0.5875 (any table of Erlang C).
    assert erlang_c(5.0, 6) == pytest.approx(0.5875, abs=5e-4)


@given(st.floats(0.01, 50), st.integers(1, 60))
def test_more_servers_wait_less(load: float, servers: int) -> None:
    assert 0 <= erlang_c(load, servers + 1) <= erlang_c(load, servers) <= 1


def test_more_than_the_cores_can_do_waits_for_ever() -> None:
    assert math.isinf(waiting_ms(2000, 1.0, 2))
    assert waiting_ms(10, 1.0, 8) == 0


def test_the_simulated_queue_agrees_with_the_formula() -> None:
    # Service times that are all alike wait about half as long as exponential ones (Pollaczek-Khinchine), never longer.
    simulated = queue_ms(800, [1.0], 1, seconds=60)[1] - 1.0
    exponential = waiting_ms(800, 1.0, 1)
    assert 0.35 * exponential < simulated < 0.75 * exponential


def test_a_busy_log_shares_its_commits() -> None:
    _, quiet_p99, alone = group_commit_ms(10, sync_ms=1.0, row_ms=0.05)
    _, busy_p99, together = group_commit_ms(5_000, sync_ms=1.0, row_ms=0.05)
    assert alone < 1.1
    assert together > 5
    assert busy_p99 < 4 * quiet_p99
    assert group_commit_ms(30_000, sync_ms=1.0, row_ms=0.05)[1] > 100 * quiet_p99  # rows alone are more than a second's


def test_a_country_is_the_sum_of_its_districts() -> None:
    district, country = (
        need(size, _COST, Assumed(), appends_s=20_000, fix_rows_s=100_000, fix_bytes=80)
        for size in (SIZES[0], SIZES[-1])
    )
    assert country.questions_s == pytest.approx(1000)
    assert country.fixes_s == pytest.approx(10_000)
    assert country.gateway_cores == pytest.approx(3000 * district.gateway_cores)
    assert country.gateway_cores == pytest.approx(1000 * 1.0 / 1000 / 0.5)


def test_the_mean_question_lies_between() -> None:
    mean = mixed(Cost(1, 1, 1, 1), Cost(3, 3, 3, 3), 0.25)
    assert mean == Cost(1.5, 1.5, 1.5, 1.5)
