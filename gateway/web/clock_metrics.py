"""This replica's clock for operators."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.services.clock_watch import ClockWatch


class ClockMetrics(Collector):
    """Nothing where there is no server to compare with."""

    def __init__(self, watch: ClockWatch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        offset = self._watch.offset_s
        if offset is not None:
            yield GaugeMetricFamily(
                "yimen_clock_offset_seconds", "Our clock minus the database server's, looked at once a minute", offset
            )
