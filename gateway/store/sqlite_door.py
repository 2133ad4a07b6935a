"""The door on SQLite: one thread hop for a whole batch, on a connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import orjson

from gateway.store.door import Batch
from gateway.store.engine import Database, prepare_sqlite, sqlite_path
from gateway.store.errors import StoreUnavailable

_SPEND = "INSERT INTO spent_once (kind, key, until_us) VALUES ('dpop', ?, ?) ON CONFLICT DO NOTHING"
_REVOKED = """
SELECT DISTINCT a.value ->> 0 FROM json_each(?) AS a
CROSS JOIN revocation AS r ON r.kind = a.value ->> 1 AND r.id = a.value ->> 2 WHERE r.at_us >= a.value ->> 3
"""


class SqliteDoor:
    """synchronous=NORMAL: in WAL a commit then survives this process, and the evidence's own commit, which syncs the same
    log and comes later, makes it survive the machine before anything is answered."""

    def __init__(self, database: Database) -> None:
        self._turn = database.sole_writer
        self._path, self._timeout_s = sqlite_path(database.engine.url), database.timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="door")
        self._connection: sqlite3.Connection | None = None

    async def ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        loop = asyncio.get_running_loop()
        if not batch.proofs:  # readers need no turn
            return await loop.run_in_executor(self._thread, self._ask, batch)
        async with self._turn:
            return await loop.run_in_executor(self._thread, self._ask, batch)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        try:
            connection = self._connected()
            fresh = []
            if batch.proofs:
                connection.execute("BEGIN IMMEDIATE")
                fresh = [proof[0] for proof in batch.proofs if connection.execute(_SPEND, proof).rowcount == 1]
            revoked = connection.execute(_REVOKED, (orjson.dumps(batch.named).decode(),)).fetchall()
            if batch.proofs:
                connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeError, TypeError) as error:
            self._disconnect()  # rolls back
            raise StoreUnavailable(f"the database does not open the door ({type(error).__name__})") from None
        return frozenset(fresh), frozenset(number for (number,) in revoked)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=self._timeout_s)
            prepare_sqlite(self._connection, None)
            self._connection.execute("PRAGMA synchronous=NORMAL")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
