"""Asking the sources, batched breadth-first: per level of an operation one lookup per (noun, key names,
granted fields, source).

The fields of a level ask within a few turns of the event loop; the lookups leave once a turn brings no more of them.
Equal keys are asked once for the whole operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.errors import Reason, SourceUnavailable
from adapters.source import Answer, Failed, Key, Lookup, Page
from gateway.federation.catalog import Offer, Snapshot
from gateway.federation.fields import base_field

_GRACE_S = 0.05
_Group = tuple[str, tuple[str, ...], frozenset[str]]  # noun, key names, granted fields: what one lookup has in common
Asked = tuple[Sequence[Offer], Sequence[Answer]]


@dataclass(slots=True)
class _Batch:
    keys: dict[Key, asyncio.Future[Asked]] = field(default_factory=dict)
    offers: Sequence[Offer] = ()


class Loader:
    """One operation's way to the sources."""

    def __init__(self, snapshot: Snapshot, deadline: float) -> None:
        """`deadline` is on the event loop's clock, in seconds."""
        self._snapshot = snapshot
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_at(deadline + _GRACE_S, self._expire)
        self._batches: list[_Batch] = []
        self._known: dict[tuple[_Group, Key], asyncio.Future[Asked]] = {}
        self._pending: dict[_Group, _Batch] = {}
        self._loads = 0
        self._pages: dict[tuple[str, tuple[str, ...], Key, Page], asyncio.Task[Asked]] = {}
        self._granted: dict[tuple[int, frozenset[str]], frozenset[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def load(
        self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None], fields: frozenset[str]
    ) -> asyncio.Future[Asked]:
        """The offers that were asked about one key, and their answers, in step. Never fails.

        `fields` are those granted for this key's subject: keys of different grants go in different lookups.
        """
        group = (noun, by, fields)
        key = tuple(links.get(name) for name in by)
        found = self._known.get((group, key))
        if found is None:
            found = self._known[(group, key)] = self._loop.create_future()
            self._loads += 1
            if not self._pending:
                self._loop.call_soon(self._dispatch, 0)
            self._pending.setdefault(group, _Batch()).keys[key] = found
        return found

    async def page(self, noun: str, by: tuple[str, ...], key: Key, page: Page, fields: frozenset[str]) -> Asked:
        """One page of the most authoritative source that pages this noun; the same page is asked for once."""
        place = (noun, by, key, page)
        task = self._pages.get(place)
        if task is None:
            task = self._pages[place] = self._loop.create_task(self._page(noun, by, key, page, fields))
        await asyncio.wait({task}, timeout=max(self._deadline - self._loop.time(), 0))
        if not task.done() or task.cancelled():
            offers = self._snapshot.answering(noun, by)[:1]
            return offers, [Failed(Reason.TIMEOUT)] * len(offers)
        return task.result()

    async def _page(self, noun: str, by: tuple[str, ...], key: Key, page: Page, fields: frozenset[str]) -> Asked:
        offers = self._snapshot.answering(noun, by)[:1]
        answers = [await self._ask(offer, by, [key], page, fields) for offer in offers]
        return offers, [found[0] for found in answers]

    def _fields(self, offer: Offer, fields: frozenset[str]) -> frozenset[str]:
        """Of the granted fields those this source has; a code's raw word comes with the code."""
        place = (id(offer), fields)
        known = self._granted.get(place)
        if known is None:
            known = self._granted[place] = frozenset(name for name in fields if base_field(name) in offer.fields)
        return known

    def close(self) -> None:
        """Stop what is still under way."""
        self._timer.cancel()
        for batch in self._pending.values():  # asked for, and never sent
            for future in batch.keys.values():
                future.cancel()
        self._pending = {}
        self._stop()

    def _dispatch(self, seen: int) -> None:
        """Once a whole turn brought nothing new: graphql-core comes to the fields of a list a turn after those of an object."""
        if self._loads != seen:
            self._loop.call_soon(self._dispatch, self._loads)
            return
        pending, self._pending = self._pending, {}
        for group, batch in pending.items():
            self._batches.append(batch)
            task = self._loop.create_task(self._answer(group, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, group: _Group, batch: _Batch) -> None:
        noun, by, fields = group
        offers = self._snapshot.answering(noun, by)
        keys = list(batch.keys)
        batch.offers = offers
        try:
            if len(offers) == 1:
                answers: Sequence[Sequence[Answer]] = [await self._ask(offers[0], by, keys, None, fields)]
            else:
                answers = await asyncio.gather(*(self._ask(offer, by, keys, None, fields) for offer in offers))
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

    async def _ask(
        self, offer: Offer, by: tuple[str, ...], keys: Sequence[Key], page: Page | None, fields: frozenset[str]
    ) -> Sequence[Answer]:
        remaining = self._deadline - self._loop.time()
        if remaining <= 0:
            return [Failed(Reason.TIMEOUT)] * len(keys)
        lookup = Lookup(offer.spec.noun, offer.spec.by, _narrowed(offer, by, keys), self._fields(offer, fields), page)
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
