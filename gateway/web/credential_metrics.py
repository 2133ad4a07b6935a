"""Credentials for operators, asked anew at each scrape. Labels are types of files and codes, nothing anybody said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.services.credentials.follow_the_fact import Looked


class CredentialMetrics(Collector):
    """What one process did; both mappings grow while it runs."""

    def __init__(self, errands: Mapping[str, int], looked: Mapping[Looked, int]) -> None:
        self._errands, self._looked = errands, looked

    def collect(self) -> Iterator[Metric]:
        avoided = CounterMetricFamily(
            "yimen_errands_avoided", "Papers nobody had to fetch, as a credential was shown", labels=["type"]
        )
        for type_id, number in sorted(self._errands.items()):
            avoided.add_metric([type_id], number)
        yield avoided
        looked = CounterMetricFamily(
            "yimen_credential_looks", "Looks at the facts of credentials, by what came of them", labels=["outcome"]
        )
        for outcome, number in sorted(self._looked.items()):
            looked.add_metric([outcome.value], number)
        yield looked
