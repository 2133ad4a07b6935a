"""What is issued is kept in one short transaction that requests at the same time share.

A batch that ends an older one (got again) changes more than its own rows; it is told apart by the journal, which then keeps
nothing of it, and its caller does all of it in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.store.errors import StoreUnavailable
from gateway.store.recording.outbox import Waiting

_log = logging.getLogger(__name__)
_LARGEST_BATCH = 128
_LARGEST_QUEUE = 4_096


@dataclass(frozen=True, slots=True)
class Kept:
    """One batch as the tables hold it: rows in the order of their columns. `moment`: the line of the offer's timeline.
    `issued_at_us`: when, which is what an older batch must still be good at to end by it."""

    subject_id: str
    configuration_id: str
    grant_id: str
    issued_at_us: int
    credentials: Sequence[tuple[Any, ...]]
    moment: tuple[Any, ...] | None
    change: tuple[Any, ...]
    waiting: Waiting


class KeepingJournal(Protocol):
    """Writes to one kind of database."""

    async def keep(self, batch: Sequence[Kept]) -> Sequence[bool]:
        """In one transaction, durable on return. False for one that ends an older one: nothing of that is written.

        Raises RowsRefused where the rows, not the store, are bad; StoreUnavailable. Then nothing at all is written, or,
        where the connection broke, it is not known.
        """
        ...

    async def close(self) -> None: ...


class RowsRefused(Exception):
    """The database took none of the batch because something in it does not fit."""


class KeepTogether:
    """Whoever comes while a transaction is under way shares the next one."""

    def __init__(self, journal: KeepingJournal, news: asyncio.Event) -> None:
        """`news` is set after each commit: what is in the ledger's outbox may be sequenced."""
        self._journal, self._news = journal, news
        self._queue: list[tuple[Kept, asyncio.Future[bool]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, kept: Kept) -> bool:
        """False: nothing was written, and the caller is to do it by itself. Raises StoreUnavailable."""
        if len(self._queue) >= _LARGEST_QUEUE:
            raise StoreUnavailable("too many credentials wait to be kept")
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((kept, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="keeping credentials")
        return await answer

    async def close(self) -> None:
        if self._worker is not None:
            await self._worker
        await self._journal.close()

    async def _work(self) -> None:
        """Never raises but what ends the loop: each one waiting is told."""
        while self._queue:
            taken = self._next()
            try:
                said: Sequence[bool] = await self._journal.keep([kept for kept, _ in taken])
            except RowsRefused:  # one bad one must not cost the others theirs; alone, each says what is wrong
                said = [False] * len(taken)
            except BaseException as error:
                if not isinstance(error, StoreUnavailable):
                    _log.error("credentials could not be kept: %s", type(error).__name__)
                for _, answer in taken:
                    if not answer.done():
                        answer.set_exception(
                            error if isinstance(error, StoreUnavailable) else StoreUnavailable("nothing was kept")
                        )
                if not isinstance(error, Exception):
                    raise
                continue
            if any(said):
                self._news.set()
            for (_, answer), one in zip(taken, said, strict=True):
                if not answer.done():
                    answer.set_result(one)

    def _next(self) -> list[tuple[Kept, asyncio.Future[bool]]]:
        """From the queue, in order. Of two for one person's same document by different grants the later one waits for the
        next transaction, so that it finds the earlier one there and ends it."""
        grants: dict[tuple[str, str], str] = {}
        taken: list[tuple[Kept, asyncio.Future[bool]]] = []
        left: list[tuple[Kept, asyncio.Future[bool]]] = []
        for entry in self._queue:
            kept = entry[0]
            same = grants.setdefault((kept.subject_id, kept.configuration_id), kept.grant_id) == kept.grant_id
            (taken if same and len(taken) < _LARGEST_BATCH else left).append(entry)
        self._queue = left
        return taken


def turn_key(one: Kept) -> str:
    """What whoever keeps this document of this person takes turns for."""
    return f"credential/{one.subject_id}/{one.configuration_id}"


def row_of(table: sa.Table) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """From a row by name to the same in the order of the table's columns."""
    row: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*(column.name for column in table.c))
    return row
