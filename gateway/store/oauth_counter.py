"""Where clients' requests are settled: what they show is spent and their registration is as it was read, in one durable
commit that concurrent requests share.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from gateway.clock import Clock
from gateway.oauth.client import Client
from gateway.oauth.keeping import Spend
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.ids import to_us
from gateway.store.oauth_clients import StoredClients
from gateway.store.replay import StoredReplays
from gateway.store.sqlite_thread import SqliteThread

OK, CHANGED = "OK", "CHANGED"
_KEPT = 1_024
_LARGEST_BATCH = 128
_LARGEST_QUEUE = 4_096
_CURRENT = """
SELECT count(*) FROM json_each(?) AS a JOIN oauth_client AS c
ON c.client_id = a.value ->> 0 AND c.updated_at_us = a.value ->> 1 WHERE c.disabled_at_us IS NULL
"""
_SPEND_ALL = """
INSERT INTO spent_once (kind, key, until_us) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Settlement:
    client_id: str
    version: int
    spends: Sequence[Spend]


class CounterJournal(Protocol):
    """Settles on one kind of database. Raises StoreUnavailable, and then it may have been spent or not."""

    async def settle(self, batch: Sequence[Settlement]) -> Sequence[str]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Known:
    client: Client
    version: int
    until_us: int | None  # when this reading is past by itself: old keys end


class StoredCounter:
    """Implements `gateway.oauth.keeping.Counter`."""

    def __init__(self, journal: CounterJournal, clients: StoredClients, replays: StoredReplays, clock: Clock) -> None:
        self._journal, self._clients, self._replays, self._clock = journal, clients, replays, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._queue: list[tuple[Settlement, asyncio.Future[str]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def find(self, client_id: str) -> Client | None:
        """See the port. Who is not registered is looked up every time."""
        known = self._known.get(client_id)
        if known is None or (known.until_us is not None and known.until_us <= to_us(self._clock.now())):
            self._known.pop(client_id, None)
            found = await self._clients.read(client_id)
            if found is None:
                return None
            known = self._known[client_id] = _Known(*found)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(client_id)
        return known.client

    async def settle(self, client: Client, spends: Sequence[Spend]) -> str:
        """See the port."""
        known = self._known.get(client.client_id)
        if known is None or known.client is not client:
            return CHANGED  # somebody has read it anew meanwhile
        if len(self._queue) >= _LARGEST_QUEUE:
            raise StoreUnavailable("too many requests wait to be settled")
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._queue.append((Settlement(client.client_id, known.version, spends), answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="counter")
        said = await answer
        if said == CHANGED:
            self._known.pop(client.client_id, None)
        await self._replays.purge_when_due()
        return said

    async def close(self) -> None:
        if self._worker is not None:
            await self._worker
        await self._journal.close()

    async def _work(self) -> None:
        """Never raises: each waiting request is told."""
        while self._queue:
            waiting, self._queue = self._queue[:_LARGEST_BATCH], self._queue[_LARGEST_BATCH:]
            asked = [one for one in waiting if not one[1].done()]
            try:
                said = await self._journal.settle([settlement for settlement, _ in asked])
            except BaseException as error:
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(
                            error if isinstance(error, StoreUnavailable) else StoreUnavailable("nothing was settled")
                        )
                if not isinstance(error, Exception):
                    raise
                continue
            for (_, answer), one in zip(asked, said, strict=True):
                if not answer.done():
                    answer.set_result(one)


class SqliteCounter:
    """One thread hop for a whole batch, on a connection of its own; synchronous=FULL, as everywhere but where the evidence's log is synced later."""

    def __init__(self, database: Database) -> None:
        self._turn = database.sole_writer
        self._thread = SqliteThread(database, "counter")

    async def settle(self, batch: Sequence[Settlement]) -> Sequence[str]:
        async with self._turn:
            return await self._thread(self._settle, batch)

    async def close(self) -> None:
        await self._thread.close()

    def _settle(self, batch: Sequence[Settlement]) -> list[str]:
        try:
            connection = self._thread.connection()
            connection.execute("BEGIN IMMEDIATE")
            said = [OK] * len(batch)
            if not self._all(connection, batch):
                connection.execute("ROLLBACK TO shown")
                said = [self._one(connection, settlement) for settlement in batch]
            connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeError) as error:
            self._thread.let_go()  # rolls back
            raise StoreUnavailable(f"the database settles nothing ({type(error).__name__})") from None
        return said

    @staticmethod
    def _all(connection: sqlite3.Connection, batch: Sequence[Settlement]) -> bool:
        """Whether nothing in the batch is to be refused, which is how it nearly always is: few statements, for each one
        has to win the interpreter back from the requests. What it did otherwise is to be undone."""
        clients = [(one.client_id, one.version) for one in batch]
        shown = [(s.kind, s.key, to_us(s.until)) for one in batch for s in one.spends]
        (current,) = connection.execute(_CURRENT, (orjson.dumps(clients).decode(),)).fetchone()
        connection.execute("SAVEPOINT shown")
        spent = connection.execute(_SPEND_ALL, (orjson.dumps(shown).decode(),)).rowcount
        return current == len(clients) and spent == len(shown)

    @staticmethod
    def _one(connection: sqlite3.Connection, settlement: Settlement) -> str:
        current = "SELECT 1 FROM oauth_client WHERE client_id = ? AND updated_at_us = ? AND disabled_at_us IS NULL"
        if connection.execute(current, (settlement.client_id, settlement.version)).fetchone() is None:
            return CHANGED
        said = OK
        for one in settlement.spends:
            spend = "INSERT INTO spent_once (kind, key, until_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            if connection.execute(spend, (one.kind, one.key, to_us(one.until))).rowcount != 1 and said == OK:
                said = one.kind
        return said
