"""Asking the sources, batched breadth-first: per level of an operation one lookup per (noun, key names,
granted fields, source).

A level that is known as a whole leaves at once. Fields that ask one by one (graphql-core's) ask within a few turns of the
event loop; their lookups leave once a turn brings no more of them. Equal keys are asked once for the whole operation,
whichever way they were asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from adapters.errors import Reason
from adapters.prompt import ADAPTER_FAULT, Begun, answers_of, asked
from adapters.source import Answer, Failed, Key, Lookup, Page
from gateway.federation.abroad import Abroad
from gateway.federation.catalog import Offer, Snapshot

_GRACE_S = 0.05
_TIMEOUT = Failed(Reason.TIMEOUT)
Asked = tuple[Sequence[Offer], Sequence[Answer]]


class Batch:
    """Keys that leave together; those who wait for them are told once, when they are answered or given up."""

    __slots__ = ("_found", "answers", "done", "group", "keys", "left", "sent", "told", "under_way", "waiting")

    def __init__(self, group: Group, keys: Sequence[Key]) -> None:
        self.group = group
        self.keys = list(keys)
        self.answers: Sequence[Sequence[Answer]] = ()  # one for each key, in step with the group's offers
        self.sent = False
        self.left = 0  # offers that have not answered
        self.told: list[Sequence[Answer]] = []  # what each of them did, in step
        self.under_way: list[Begun] = []
        self.waiting: list[_One | _All] = []
        self.done = False
        self._found: dict[Key, Sequence[Answer]] | None = None

    def answer(self, key: Key) -> Sequence[Answer]:
        if self._found is None:
            self._found = dict(zip(self.keys, self.answers, strict=True))
        return self._found[key]

    def settle(self, answers: Sequence[Sequence[Answer]]) -> None:
        self.answers, self.done = answers, True
        for waiting in self.waiting:
            waiting.settled(self)

    def stop(self) -> None:
        """What is still under way is not waited for."""
        under_way, self.under_way = self.under_way, []
        if self.left:
            for begun in under_way:
                begun.cancel()

    def cancel(self) -> None:
        self.done = True
        for waiting in self.waiting:
            waiting.future.cancel()


class Group:
    """All that one operation asks of one noun by the same key names with the same fields granted."""

    __slots__ = ("batches", "by", "fields", "noun", "offers", "pending")

    def __init__(self, noun: str, by: tuple[str, ...], fields: frozenset[str], offers: Sequence[Offer]) -> None:
        self.noun, self.by, self.fields, self.offers = noun, by, fields, offers
        self.batches: dict[Key, Batch] = {}  # every key that was asked for, and what it went with
        self.pending: Batch | None = None  # not sent yet

    def put(self, keys: Iterable[Key]) -> Batch | None:
        """What was not asked for yet goes with the next batch: that one where it is a new one."""
        batches = self.batches
        if not batches:
            first = self.pending = Batch(self, ())
            self.batches = dict.fromkeys(keys, first)
            first.keys = list(self.batches)
            return first
        new = dict.fromkeys(key for key in keys if key not in batches)
        if not new:
            return None
        made = None
        if self.pending is None:
            made = self.pending = Batch(self, ())
        self.pending.keys += new
        batches.update(dict.fromkeys(new, self.pending))
        return made

    def answer(self, key: Key) -> Sequence[Answer]:
        """Of a key that is answered."""
        return self.batches[key].answer(key)


class _One:
    """Somebody who waits for one key."""

    __slots__ = ("future", "key")

    def __init__(self, key: Key, future: asyncio.Future[Asked]) -> None:
        self.key, self.future = key, future

    def settled(self, batch: Batch) -> None:
        if not self.future.done():
            self.future.set_result((batch.group.offers, batch.answer(self.key)))


class _All:
    """A level that waits for several batches."""

    __slots__ = ("future", "left")

    def __init__(self, left: int, future: asyncio.Future[None]) -> None:
        self.left, self.future = left, future

    def settled(self, batch: Batch) -> None:
        self.left -= 1
        if self.left == 0 and not self.future.done():
            self.future.set_result(None)


class Loader:
    """One operation's way to the sources."""

    def __init__(self, snapshot: Snapshot, deadline: float, abroad: Abroad | None = None) -> None:
        """`deadline` is on the event loop's clock, in seconds."""
        self._snapshot = snapshot
        self._abroad = abroad or Abroad(None)
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._groups: dict[tuple[str, tuple[str, ...], frozenset[str]], Group] = {}
        self._batches: list[Batch] = []
        self._loads = 0
        self._sending = False
        self._pages: dict[tuple[str, tuple[str, ...], Key, Page], asyncio.Task[Asked]] = {}

    def group(self, noun: str, by: tuple[str, ...], fields: frozenset[str]) -> Group:
        """`fields` are those granted: keys of different grants go in different lookups."""
        place = (noun, by, fields)
        found = self._groups.get(place)
        if found is None:
            found = self._groups[place] = Group(noun, by, fields, self._answering(noun, by))
        return found

    def load(
        self, noun: str, by: tuple[str, ...], links: Mapping[str, str | None], fields: frozenset[str]
    ) -> asyncio.Future[Asked]:
        """The offers that were asked about one key, and their answers, in step. Never fails."""
        return self.one(self.group(noun, by, fields), tuple(map(links.get, by)))

    def one(self, group: Group, key: Key) -> asyncio.Future[Asked]:
        """As `load`. Each asker has a future of its own: who stops waiting stops nobody else."""
        future: asyncio.Future[Asked] = self._loop.create_future()
        self._put(group, (key,))
        batch = group.batches[key]
        waiting = _One(key, future)
        if batch.done:
            waiting.settled(batch)
            return future
        batch.waiting.append(waiting)
        if not self._sending:
            self._sending = True
            self._loop.call_soon(self._dispatch, 0)
        return future

    async def level(self, asked: Sequence[tuple[Group, Sequence[Key]]]) -> Sequence[Sequence[Sequence[Answer]]]:
        """A whole level: for each of `asked` the answers to its keys, in order. Never fails."""
        needed: dict[Batch, None] = {}
        for group, keys in asked:
            first = not group.batches
            self._put(group, keys)
            if first and group.pending is not None:
                needed[group.pending] = None
            else:
                needed.update(dict.fromkeys(map(group.batches.__getitem__, keys)))
        self._send()
        waited = [batch for batch in needed if not batch.done]
        if waited:
            level = _All(len(waited), self._loop.create_future())
            for batch in waited:
                batch.waiting.append(level)
            await level.future
        return [_in_order(group, keys) for group, keys in asked]

    def _put(self, group: Group, keys: Sequence[Key]) -> None:
        made = group.put(keys)
        if made is not None:
            self._batches.append(made)
        self._loads += len(keys)

    async def page(self, noun: str, by: tuple[str, ...], key: Key, page: Page, fields: frozenset[str]) -> Asked:
        """One page of the most authoritative source that pages this noun; the same page is asked for once."""
        place = (noun, by, key, page)
        task = self._pages.get(place)
        if task is None:
            task = self._pages[place] = self._loop.create_task(self._page(noun, by, key, page, fields))
        await asyncio.wait({task}, timeout=max(self._deadline - self._loop.time(), 0))
        if not task.done() or task.cancelled():
            offers = self._answering(noun, by)[:1]
            return offers, [_TIMEOUT] * len(offers)
        return task.result()

    async def _page(self, noun: str, by: tuple[str, ...], key: Key, page: Page, fields: frozenset[str]) -> Asked:
        offers = self._answering(noun, by)[:1]
        answers = []
        for offer in offers:
            left_s = min(self._deadline - self._loop.time(), offer.source.manifest.limits.timeout_s)
            if left_s > 0:
                lookup = self._lookup(offer, by, (key,), page, fields)
                found = self._checked(offer, 1, await answers_of(offer.source.source, lookup, left_s))
            else:
                found = [_TIMEOUT]
            answers.append(found[0])
        return offers, answers

    def _answering(self, noun: str, by: tuple[str, ...]) -> Sequence[Offer]:
        return self._abroad.asked(self._snapshot.answering(noun, by))

    def close(self) -> None:
        """Stop what is still under way."""
        if self._timer is not None:
            self._timer.cancel()
        for batch in self._batches:
            if not batch.done:
                batch.group.pending = None
                batch.cancel()
        self._stop()
        for group in self._groups.values():
            group.batches = {}  # a batch knows its group: in a circle they would wait for the collector

    def _dispatch(self, seen: int) -> None:
        """Once a whole turn brought nothing new: graphql-core comes to the fields of a list a turn after those of an object."""
        if self._loads != seen:
            self._loop.call_soon(self._dispatch, self._loads)
            return
        self._sending = False
        self._send()

    def _send(self) -> None:
        """Everything that waits to be asked leaves now."""
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline + _GRACE_S, self._expire)
        for batch in self._batches:
            if not batch.sent and not batch.done:
                batch.group.pending = None
                self._begin(batch)

    def _begin(self, batch: Batch) -> None:
        """Every source of a batch is asked at once."""
        group = batch.group
        offers, keys = group.offers, tuple(batch.keys)
        batch.sent = True
        left_s = self._deadline - self._loop.time()
        batch.left = len(offers)
        batch.told = [()] * len(offers)
        if not offers:
            batch.settle([()] * len(keys))
        for place, offer in enumerate(offers):
            if left_s <= 0:
                self._told(batch, place, [_TIMEOUT] * len(keys))
                continue
            lookup = self._lookup(offer, group.by, keys, None, group.fields)
            limit_s = offer.source.manifest.limits.timeout_s
            told = partial(self._told, batch, place)
            batch.under_way.append(asked(offer.source.source, lookup, limit_s if limit_s < left_s else left_s, told))

    def _told(self, batch: Batch, place: int, answers: Sequence[Answer]) -> None:
        batch.told[place] = self._checked(batch.group.offers[place], len(batch.keys), answers)
        batch.left -= 1
        if batch.left == 0 and not batch.done:
            told = batch.told
            batch.settle(list(zip(told[0]) if len(told) == 1 else zip(*told, strict=True)))

    def _expire(self) -> None:
        """Each source keeps its own time; this is for one that does not. What is open is not known, and that is said."""
        for batch in self._batches:
            if not batch.done:
                batch.group.pending = None
                unknown = [_TIMEOUT] * len(batch.group.offers)
                batch.settle([unknown] * len(batch.keys))
        self._stop()

    def _stop(self) -> None:
        for batch in self._batches:
            batch.stop()
        for task in self._pages.values():
            task.cancel()

    def _lookup(
        self, offer: Offer, by: tuple[str, ...], keys: tuple[Key, ...], page: Page | None, fields: frozenset[str]
    ) -> Lookup:
        spec, own = offer.spec, self._snapshot.fields_of(offer, fields)
        along = None if offer.hops is None else self._abroad.along(offer)
        return Lookup(spec.noun, spec.by, keys if spec.by == by else _narrowed(offer, by, keys), own, page, along)

    def _checked(self, offer: Offer, keys: int, answers: Sequence[Answer]) -> Sequence[Answer]:
        if len(answers) != keys:
            return [ADAPTER_FAULT] * keys
        if offer.hops is not None:
            self._abroad.keep(answers)
        return answers


def _in_order(group: Group, keys: Sequence[Key]) -> Sequence[Sequence[Answer]]:
    if keys:
        batch = group.batches[keys[0]]
        if len(batch.keys) == len(keys) and batch.keys == keys:  # they went together, each once
            return batch.answers
    return list(map(group.answer, keys))


def _narrowed(offer: Offer, by: tuple[str, ...], keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """The keys in the parts this offer is asked by."""
    places = [by.index(name) for name in offer.spec.by]
    return tuple(tuple(key[place] for place in places) for key in keys)
