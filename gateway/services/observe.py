"""Count what goes to the sources and what comes back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from adapters.source import Answer, Failed, Lookup, Source
from gateway.caller import Metrics


class Observed:
    """A source whose every lookup is counted, by its most telling answer."""

    def __init__(self, source: Source, code: str, metrics: Metrics) -> None:
        self._source, self._code, self._metrics = source, code, metrics

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        started = time.perf_counter()
        answers = await self._source.fetch(lookup, timeout_s=timeout_s)
        failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
        outcome, reason = ("OK", "") if failed is None else ("FAILED", failed.reason.value)
        self._metrics.upstream(self._code, outcome, reason, time.perf_counter() - started)
        return answers

    async def close(self) -> None:
        await self._source.close()
