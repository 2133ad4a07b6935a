"""What is disputed at this moment, known by heart: whoever shows facts looks here and not at the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from gateway.services.disputes.ports import Disputed, Disputes

_log = structlog.get_logger(__name__)
EVERY_S = 5.0
"""Seconds until another process's dispute shows here; readers are promised a minute."""
_NOTHING: frozenset[Disputed] = frozenset()


class OpenDisputes:
    """Implements `gateway.federation.disputed.DisputedFacts`. One small read every few seconds, whatever is asked meanwhile."""

    def __init__(self, disputes: Disputes) -> None:
        self._disputes = disputes
        self._by_subject: Mapping[str, frozenset[Disputed]] = {}

    def of(self, subject_id: str) -> frozenset[Disputed]:
        return self._by_subject.get(subject_id, _NOTHING)

    async def look(self) -> None:
        found: dict[str, set[Disputed]] = {}
        for one in await self._disputes.all_open():
            found.setdefault(one.subject_id, set()).add(one)
        self._by_subject = {subject: frozenset(held) for subject, held in found.items()}

    @asynccontextmanager
    async def watching(self, every_s: float = EVERY_S) -> AsyncIterator[None]:
        """While the block runs. A look that fails leaves what was known: a doubt is better kept than lost."""
        stopping = asyncio.Event()

        async def watch() -> None:
            while not stopping.is_set():
                try:
                    await self.look()
                except Exception as error:  # also one of ours: or no doubt would be shown from then on
                    _log.warning("disputes_not_read", reason=type(error).__name__)
                try:
                    await asyncio.wait_for(stopping.wait(), every_s)
                except TimeoutError:
                    continue

        task = asyncio.create_task(watch(), name="disputes")
        try:
            yield
        finally:
            stopping.set()
            await task
