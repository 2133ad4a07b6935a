"""What operators read of the ledger: codes and numbers, asked anew at each scrape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.services.ledger.status import LedgerStatus
from gateway.web.ledger_metrics import LedgerMetrics
from gateway.web.metrics import PrometheusMetrics

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


class At:
    at = NOW

    def now(self) -> datetime:
        return self.at


def page(status: LedgerStatus) -> str:
    metrics = PrometheusMetrics()
    metrics.add(LedgerMetrics(status, At()))
    return metrics.exposition().decode()


def test_a_leader_says_how_far_it_is() -> None:
    status = LedgerStatus(witnessed=True, leading=True, sequenced=7, waiting=2)
    status.checkpointed(5, NOW - timedelta(seconds=9))
    status.sealed(5, NOW - timedelta(seconds=8))
    assert "yimen_ledger_sealed_lag_seconds 0.0" in page(status)
    status.checkpointed(7, NOW - timedelta(seconds=4))
    status.checkpointed(8, NOW - timedelta(seconds=1))
    status.faults |= {"GA": None, "FY": "UNREACHABLE"}
    status.errors["StoreUnavailable"] += 1
    said = page(status)
    for line in (
        "yimen_ledger_leading 1.0", "yimen_ledger_halted 0.0", "yimen_ledger_sequenced_total 7.0",
        "yimen_ledger_checkpoint_size 8.0", "yimen_ledger_checkpoint_age_seconds 1.0", "yimen_ledger_outbox 2.0",
        "yimen_ledger_sealed_size 5.0", "yimen_ledger_sealed_lag_seconds 4.0",
        'yimen_ledger_witness_up{fault="",witness="GA"} 1.0',
        'yimen_ledger_witness_up{fault="UNREACHABLE",witness="FY"} 0.0',
        'yimen_ledger_errors_total{class="StoreUnavailable"} 1.0',
    ):  # fmt: skip
        assert line in said, line


def test_one_that_follows_says_nothing_of_what_only_the_leader_knows() -> None:
    status = LedgerStatus(halted="WITNESS_AHEAD")
    status.checkpointed(5, NOW)
    said = page(status)
    assert "yimen_ledger_halted 1.0" in said
    assert "sealed" not in said


def test_a_seal_of_an_older_checkpoint_leaves_the_newer_one_open() -> None:
    status = LedgerStatus(witnessed=True, leading=True)
    status.checkpointed(5, NOW - timedelta(seconds=9))
    status.checkpointed(8, NOW - timedelta(seconds=3))
    status.sealed(5, NOW)
    assert "yimen_ledger_sealed_lag_seconds 3.0" in page(status)
    status.sealed(8, NOW)
    assert "yimen_ledger_sealed_lag_seconds 0.0" in page(status)
