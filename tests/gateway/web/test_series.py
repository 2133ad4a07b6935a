"""What we count ourselves stands on the page as if Prometheus' own client had counted it."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.web.series import Counts, Spreads

BOUNDS = (0.001, 0.5, 1, 30)
AMOUNTS = (0.0, 0.001, 0.0011, 0.5, 1, 1.0000001, 29.9, 30, 31.0, 0.1, 0.2)  # on a bound, just above, beyond all


def page(registry: CollectorRegistry) -> str:
    """Without when each series began."""
    return re.sub(r"(?m)^(\w+_created(?:\{.*\})?) \S+$", r"\1 then", generate_latest(registry).decode())


def test_counts_and_spreads_look_like_the_clients_own() -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    counter = Counter("asked", "Asked of whom", ("source", "reason"), registry=theirs)
    histogram = Histogram("took_seconds", "How long", ("source",), buckets=BOUNDS, registry=theirs)
    bare = Histogram("waited_seconds", "For a turn", buckets=BOUNDS, registry=theirs)
    counts, spreads = (
        Counts("asked", "Asked of whom", ("source", "reason")),
        Spreads("took_seconds", "How long", ("source",), BOUNDS),
    )
    waited = Spreads("waited_seconds", "For a turn", (), BOUNDS)
    for one in (counts, spreads, waited):
        ours.register(one)
    assert page(ours) == page(theirs)  # before anything is counted, too
    for number, amount in enumerate(AMOUNTS):
        labels = ("LGB", "SB")[number % 2], "" if number % 3 else "TIMEOUT"
        counter.labels(*labels).inc()
        histogram.labels(labels[0]).observe(amount)
        bare.observe(amount)
        counts.of(*labels).value += 1
        spreads.of(labels[0]).observe(amount)
        waited.of().observe(amount)
    assert page(ours) == page(theirs)
    assert 'took_seconds_bucket{le="0.5",source="LGB"} 3.0' in page(ours)
    assert re.search(r"asked_created\{.*\} 1\.\d+e\+09", generate_latest(ours).decode())
