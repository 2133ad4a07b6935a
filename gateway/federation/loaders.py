"""Asking the sources, batched breadth-first: per level of an operation one lookup per (noun, key names, source).

Every field of a level asks in the same turn of the event loop; the lookups leave at the end of that turn. Equal keys
are asked once for the whole operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.errors import Reason, SourceUnavailable
from adapters.source import Answer, Failed, Key, Lookup, Page
from gateway.federation.catalog import Offer, Snapshot
from gateway.federation.fields import base_field

_GRACE_S = 0.05
Asked = tuple[Sequence[Offer], Sequence[Answer]]


@dataclass(slots=True)
class _Batch:
    keys: dict[Key, asyncio.Future[Asked]] = field(default_factory=dict)
    offers: Sequence[Offer] = ()


class Loader:
    """One operation's way to the sources."""

    def __init__(self, snapshot: Snapshot, fields: Callable[[str], frozenset[str]], deadline: float) -> None:
        """`fields(noun)` are the granted fields; `deadline` is on the event loop's clock, in seconds."""
        self._snapshot = snapshot
        self._fields = fields
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_at(deadline + _GRACE_S, self._expire)
        self._batches: list[_Batch] = []
        self._known: dict[tuple[str, tuple[str, ...], Key], asyncio.Future[Asked]] = {}
        self._pending: dict[tuple[str, tuple[str, ...]], _Batch] = {}
        self._pages: dict[tuple[str, tuple[str, ...], Key, Page], asyncio.Task[Asked]] = {}
        self._narrowed: dict[int, frozenset[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None]) -> asyncio.Future[Asked]:
        """The offers that were asked about one key, and their answers, in step. Never fails."""
        key = tuple(links.get(name) for name in by)
        found = self._known.get((noun, by, key))
        if found is None:
            found = self._known[(noun, by, key)] = self._loop.create_future()
            if not self._pending:
                self._loop.call_soon(self._dispatch)
            self._pending.setdefault((noun, by), _Batch()).keys[key] = found
        return found

    async def page(self, noun: str, by: tuple[str, ...], key: Key, page: Page) -> Asked:
        """One page of the most authoritative source that pages this noun; the same page is asked for once."""
        place = (noun, by, key, page)
        task = self._pages.get(place)
        if task is None:
            task = self._pages[place] = self._loop.create_task(self._page(noun, by, key, page))
        await asyncio.wait({task}, timeout=max(self._deadline - self._loop.time(), 0))
        if not task.done() or task.cancelled():
            offers = self._snapshot.answering(noun, by)[:1]
            return offers, [Failed(Reason.TIMEOUT)] * len(offers)
        return task.result()

    async def _page(self, noun: str, by: tuple[str, ...], key: Key, page: Page) -> Asked:
        offers = self._snapshot.answering(noun, by)[:1]
        answers = [await self._ask(offer, by, [key], page) for offer in offers]
        return offers, [found[0] for found in answers]

    def _granted(self, offer: Offer) -> frozenset[str]:
        """Of the granted fields those this source has; a code's raw word comes with the code."""
        known = self._narrowed.get(id(offer))
        if known is None:
            asked = self._fields(offer.spec.noun)
            known = frozenset(name for name in asked if base_field(name) in offer.fields)
            self._narrowed[id(offer)] = known
        return known

    def close(self) -> None:
        """Stop what is still under way."""
        self._timer.cancel()
        self._stop()

    def _dispatch(self) -> None:
        pending, self._pending = self._pending, {}
        for (noun, by), batch in pending.items():
            self._batches.append(batch)
            task = self._loop.create_task(self._answer(noun, by, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, noun: str, by: tuple[str, ...], batch: _Batch) -> None:
        offers = self._snapshot.answering(noun, by)
        keys = list(batch.keys)
        batch.offers = offers
        try:
            if len(offers) == 1:
                answers: Sequence[Sequence[Answer]] = [await self._ask(offers[0], by, keys, None)]
            else:
                answers = await asyncio.gather(*(self._ask(offer, by, keys, None) for offer in offers))
        except asyncio.CancelledError:
            for future in batch.keys.values():
                future.cancel()
            raise
        for index, future in enumerate(batch.keys.values()):
            if not future.done():
                future.set_result((offers, [found[index] for found in answers]))

    def _expire(self) -> None:
        """Each source keeps its own time; this is for one that does not. What is open is not known, and that is said."""
        for batch in self._batches:
            for future in batch.keys.values():
                if not future.done():
                    future.set_result((batch.offers, [Failed(Reason.TIMEOUT)] * len(batch.offers)))
        self._stop()

    def _stop(self) -> None:
        for task in (*self._tasks, *self._pages.values()):
            task.cancel()

    async def _ask(self, offer: Offer, by: tuple[str, ...], keys: Sequence[Key], page: Page | None) -> Sequence[Answer]:
        remaining = self._deadline - self._loop.time()
        if remaining <= 0:
            return [Failed(Reason.TIMEOUT)] * len(keys)
        lookup = Lookup(offer.spec.noun, offer.spec.by, _narrowed(offer, by, keys), self._granted(offer), page)
        try:
            return await offer.source.source.fetch(
                lookup, timeout_s=min(remaining, offer.source.manifest.limits.timeout_s)
            )
        except SourceUnavailable as error:
            return [Failed(error.reason, error.retry_at, error.detail)] * len(keys)
        except Exception:  # a fault in an adapter is that source's fault, not the answer's
            return [Failed(Reason.GARBAGE, detail="adapter fault")] * len(keys)


def _narrowed(offer: Offer, by: tuple[str, ...], keys: Sequence[Key]) -> tuple[Key, ...]:
    """The keys in the parts this offer is asked by."""
    if offer.spec.by == by:
        return tuple(keys)
    places = [by.index(name) for name in offer.spec.by]
    return tuple(tuple(key[place] for place in places) for key in keys)
