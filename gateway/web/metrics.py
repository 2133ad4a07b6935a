"""The port `Metrics` for Prometheus, one registry to an application."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from gateway.web.gate import Gate
from gateway.web.series import Count, Counts, Spread, Spreads

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,39}")
_Labels = TypeVar("_Labels")
_Child = TypeVar("_Child")
_MOST_LABELS = 300  # distinct values of one kind; more would be somebody else's words
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method_label(method: str) -> str:
    return method if method in _METHODS else "OTHER"


_NO_ROUTE = "-"
_WAITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


def _inside(gate: Gate, kind: str) -> float:
    return gate.inside[kind]


class PrometheusMetrics:
    """Keeps the port's promises: labels are codes, their number is bounded, nothing raises."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counts("yimen_http_requests", "Requests answered", ("route", "method", "status"))
        self._latency = Spreads("yimen_http_seconds", "From headers to the end of the answer", ("route",), _BUCKETS)
        self._loop_wait = Spreads("yimen_loop_wait_seconds", "How long what is ready waits for its turn", (), _WAITS)
        self._operations = Counts("yimen_operations", "GraphQL operations", ("kind", "outcome"))
        self._operation_latency = Spreads("yimen_operation_seconds", "GraphQL operations", ("kind",), _BUCKETS)
        self._parts = Counts("yimen_answer_parts", "Parts of answers by state", ("noun", "state"))
        self._upstream = Counts("yimen_upstream_calls", "Calls to sources", ("source", "outcome", "reason"))
        self._upstream_latency = Spreads("yimen_upstream_seconds", "Calls to sources", ("source",), _BUCKETS)
        registry.register(self._requests)
        registry.register(self._latency)
        registry.register(self._loop_wait)
        self._inside = Gauge("yimen_in_flight", "Requests and sockets inside", ("kind",), registry=registry)
        for family in (self._operations, self._operation_latency, self._parts, self._upstream, self._upstream_latency):
            registry.register(family)
        self._children: dict[tuple[str, str, int], tuple[Count, Spread]] = {}  # as many as there are series
        self._of_operations: dict[tuple[str, str], tuple[Count, Spread]] = {}
        self._of_parts: dict[tuple[str, str], Count] = {}
        self._of_upstreams: dict[tuple[str, str, str], tuple[Count, Spread]] = {}
        self._seen: dict[str, set[str]] = {}
        self._everybody: Callable[[], Awaitable[bytes]] | None = None
        self._gate: Gate | None = None

    def watch(self, gate: Gate) -> None:
        for kind in gate.inside:
            self._inside.labels(kind).set_function(partial(_inside, gate, kind))
        gate.in_flight.seen = self._loop_wait.of().observe
        self._gate = gate
        self._registry.register(_Shed(gate))

    def in_force(self, current: Callable[[], tuple[str, bool]]) -> None:
        """What this process answers with: the snapshot's version, and whether a newer set of files was refused."""
        self._registry.register(_InForce(current))

    def plans(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """How this process came by its plans, since the set in force was read."""
        self._registry.register(_Plans(counts))

    def add(self, collector: Collector) -> None:
        """What is asked anew at each scrape."""
        self._registry.register(collector)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One HTTP request; `route` is a template of ours."""
        place = route, method_label(method), status
        found = self._children.get(place)
        if found is None:
            labels = route, place[1], str(status)
            found = self._children[place] = self._requests.of(*labels), self._latency.of(route)
        found[0].value += 1
        found[1].observe(seconds)

    def operation(self, kind: str, outcome: str, seconds: float) -> None:
        found = self._of_operations.get((kind, outcome))
        if found is None:
            code = self._code("kind", kind)
            counter = self._operations.of(code, self._code("outcome", outcome))
            found = counter, self._operation_latency.of(code)
            self._keep(self._of_operations, (kind, outcome), found)
        found[0].value += 1
        found[1].observe(seconds)

    def part(self, noun: str, state: str, count: int = 1) -> None:
        found = self._of_parts.get((noun, state))
        if found is None:
            found = self._parts.of(self._code("noun", noun), self._code("state", state))
            self._keep(self._of_parts, (noun, state), found)
        found.value += max(0, count)

    def upstream(self, source: str, outcome: str, reason: str, seconds: float) -> None:
        found = self._of_upstreams.get((source, outcome, reason))
        if found is None:
            code = self._code("source", source)
            why = self._code("reason", reason) if reason else ""
            counter = self._upstream.of(code, self._code("outcome", outcome), why)
            found = counter, self._upstream_latency.of(code)
            self._keep(self._of_upstreams, (source, outcome, reason), found)
        found[0].value += 1
        found[1].observe(seconds)

    def exposition(self) -> bytes:
        """Everything counted so far, in Prometheus' text format."""
        if self._gate is not None:
            turned_back, self._gate.turned_back = self._gate.turned_back, {}
            for method, count in turned_back.items():
                self._requests.of(_NO_ROUTE, method_label(method), "503").value += count
        return generate_latest(self._registry)

    def share(self, everybody: Callable[[], Awaitable[bytes]]) -> None:
        """Several processes stand behind one port: from now on the page is what `everybody` says."""
        self._everybody = everybody

    async def page(self) -> bytes:
        """What /metrics answers."""
        return self.exposition() if self._everybody is None else await self._everybody()

    def _keep(self, kept: dict[_Labels, _Child], labels: _Labels, child: _Child) -> None:
        if len(kept) < _MOST_LABELS:
            kept[labels] = child

    def _code(self, kind: str, value: str) -> str:
        seen = self._seen.setdefault(kind, set())
        if value in seen:
            return value
        if len(seen) >= _MOST_LABELS or not _CODE.fullmatch(value):
            return "OTHER"
        seen.add(value)
        return value


class _Shed(Collector):
    """Counted where it happens, in the plainest way: a refusal must cost nearly nothing."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        shed = CounterMetricFamily("yimen_requests_shed", "Requests refused at the gate", labels=["reason"])
        for reason, count in self._gate.refused.items():
            shed.add_metric([reason], count)
        yield shed
        yield GaugeMetricFamily("yimen_in_flight_limit", "Requests let in at once, now", self._gate.in_flight.limit)


class _Plans(Collector):
    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        plans = CounterMetricFamily("yimen_plans", "Plans of queries by how they were come by", labels=["how"])
        for how, count in self._counts().items():
            plans.add_metric([how], count)
        yield plans


class _InForce(Collector):
    """Asked anew at each scrape, so that it cannot lag behind."""

    def __init__(self, current: Callable[[], tuple[str, bool]]) -> None:
        self._current = current

    def collect(self) -> Iterator[GaugeMetricFamily | InfoMetricFamily]:
        version, refused = self._current()
        yield InfoMetricFamily("yimen_snapshot", "The set of sources in force", {"version": version})
        yield GaugeMetricFamily("yimen_reload_failed", "1 while the manifests on disk are refused", float(refused))
