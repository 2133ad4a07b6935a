"""The health of the sources, looked at by one task however many are listening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.registry import OpenSource

Data = dict[str, Any]
_POLL_S = 0.25


class HealthWatch:
    """Looks while anyone listens. A listener gets each source's present state, then every change of state or reason;
    one that is slow gets the newest and misses what was in between."""

    def __init__(self, sources: Sequence[OpenSource]) -> None:
        self._sources = sources
        self._shown: dict[str, tuple[int, Data]] = {}  # source -> (number of the change, entry)
        self._changes = 0
        self._changed = asyncio.Event()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None

    async def listen(self) -> AsyncIterator[Data]:
        """Ends only when its reader leaves."""
        self._listeners += 1
        if self._task is None:
            self._look()
            self._task = asyncio.create_task(self._watch())
        seen = 0
        try:
            while True:
                changed = self._changed
                news = sorted((held for held in self._shown.values() if held[0] > seen), key=lambda held: held[0])
                for number, entry in news:
                    seen = number
                    yield entry
                if not news:
                    await changed.wait()
        finally:
            self._listeners -= 1
            if self._listeners == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            self._look()

    def _look(self) -> None:
        before = self._changes
        for source in self._sources:
            entry = health_entry(source)
            held = self._shown.get(entry["source"])
            if held is None or (held[1]["state"], held[1]["reason"]) != (entry["state"], entry["reason"]):
                self._changes += 1
                self._shown[entry["source"]] = (self._changes, entry)
        if self._changes != before:
            self._changed.set()
            self._changed = asyncio.Event()


def health_entry(source: OpenSource) -> Data:
    """How a source is doing, as the schema shows it."""
    health = source.health()
    return {
        "source": source.manifest.code,
        "state": health.state,
        "reason": health.last_reason.value if health.last_reason is not None else None,
        "lastOkAt": health.last_ok_at,
        "lastFailureAt": health.last_failure_at,
        "p50Ms": health.p50_ms,
    }
