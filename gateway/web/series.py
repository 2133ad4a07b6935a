"""What is counted at every request, in plain numbers; the Prometheus client sees them when somebody looks.

Its own counters take a lock and a value object a step, which is more than the rest of counting together. All of these are
written by the event loop's thread alone.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """One number that only grows: whoever counts adds to it."""

    __slots__ = ("since", "value")

    def __init__(self) -> None:
        self.value = 0
        self.since = time.time()


class Spread:
    """How many observations fell between which bounds."""

    __slots__ = ("_bounds", "each", "since", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.each = [0] * (len(bounds) + 1)  # not added up; the last is of what is above all bounds
        self.total = 0.0
        self.since = time.time()

    def observe(self, amount: float) -> None:
        """A bound belongs to what is below it."""
        self.each[bisect_left(self._bounds, amount)] += 1
        self.total += amount


class Counts(Collector):
    """A counter: a `Count` for each set of labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._of: dict[tuple[str, ...], Count] = {}

    def of(self, *labels: str) -> Count:
        found = self._of.get(labels)
        if found is None:
            found = self._of[labels] = Count()
        return found

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, count in self._of.items():
            family.add_metric(labels, count.value, created=count.since)
        yield family


class Spreads(Collector):
    """A histogram: a `Spread` for each set of labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._text, self._labels, self._bounds = name, text, labels, tuple(map(float, bounds))
        self._of: dict[tuple[str, ...], Spread] = {}
        if not labels:
            self.of()  # what has no labels is there from the first

    def of(self, *labels: str) -> Spread:
        found = self._of.get(labels)
        if found is None:
            found = self._of[labels] = Spread(self._bounds)
        return found

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, spread in self._of.items():
            below, buckets = 0, []
            for bound, own in zip((*map(floatToGoString, self._bounds), "+Inf"), spread.each, strict=True):
                below += own
                buckets.append((bound, float(below)))
            family.add_metric(labels, buckets, spread.total)
            family.add_sample(f"{self._name}_created", dict(zip(self._labels, labels, strict=True)), spread.since)
        yield family
