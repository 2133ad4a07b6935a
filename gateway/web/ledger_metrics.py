"""The ledger for operators, asked anew at each scrape. Labels are witnesses of the operator's own file and codes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.clock import Clock
from gateway.services.ledger.status import LedgerStatus


class LedgerMetrics(Collector):
    """What one process knows; of several, the one with `yimen_ledger_leading 1` knows most."""

    def __init__(self, status: LedgerStatus, clock: Clock) -> None:
        self._status, self._clock = status, clock

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield GaugeMetricFamily(
            "yimen_ledger_halted", "1 while nothing is written any more", float(bool(status.halted))
        )
        yield GaugeMetricFamily("yimen_ledger_leading", "1 in the process that sequences", float(status.leading))
        yield CounterMetricFamily(
            "yimen_ledger_sequenced", "Entries this process gave their index", float(status.sequenced)
        )
        errors = CounterMetricFamily("yimen_ledger_errors", "Turns and rounds that failed, by class", labels=["class"])
        for name, count in sorted(status.errors.items()):
            errors.add_metric([name], count)
        yield errors
        yield GaugeMetricFamily("yimen_ledger_checkpoint_size", "Entries the newest checkpoint covers", status.size)
        yield GaugeMetricFamily(
            "yimen_ledger_checkpoint_age_seconds", "Since the newest checkpoint", self._since(status.checkpoint_at)
        )
        yield GaugeMetricFamily(
            "yimen_ledger_next_announced", "1 while witnesses must be told the key of next year's log",
            float(status.next_year is not None),
        )  # fmt: skip
        if status.leading:
            yield from self._leaders()

    def _leaders(self) -> Iterator[Metric]:
        status = self._status
        yield GaugeMetricFamily("yimen_ledger_outbox", "Entries that wait for their index", status.waiting)
        yield GaugeMetricFamily(
            "yimen_ledger_appended", "Entries in the log and waiting for it", status.size + status.waiting
        )
        yield GaugeMetricFamily(
            "yimen_ledger_witnessed", "1 where a quorum of witnesses is asked for", status.witnessed
        )
        yield GaugeMetricFamily("yimen_ledger_sealed_size", "Entries a quorum stands behind", status.sealed_size)
        yield GaugeMetricFamily(
            "yimen_ledger_sealed_lag_seconds",
            "Since the oldest checkpoint that no quorum covers",
            self._since(status.unsealed_since) if status.witnessed else 0.0,
        )
        health = GaugeMetricFamily("yimen_ledger_witness_up", "1 while it cosigns", labels=["witness", "fault"])
        for name, fault in sorted(status.faults.items()):
            health.add_metric([name, fault or ""], float(fault is None))
        yield health

    def _since(self, at: datetime | None) -> float:
        return 0.0 if at is None else max(0.0, (self._clock.now() - at).total_seconds())
