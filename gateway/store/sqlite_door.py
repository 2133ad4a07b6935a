"""The door on SQLite: one thread hop for a whole batch, on a connection of its own."""

from __future__ import annotations

import sqlite3

import orjson

from gateway.store.door import Batch
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.sqlite_thread import SqliteThread

SPEND = "INSERT INTO spent_once (kind, key, until_us) VALUES ('dpop', ?, ?) ON CONFLICT DO NOTHING"
REVOKED_AMONG = """
SELECT DISTINCT a.value ->> 0 FROM json_each(?) AS a
CROSS JOIN revocation AS r ON r.kind = a.value ->> 1 AND r.id = a.value ->> 2 WHERE r.at_us >= a.value ->> 3
"""


class SqliteDoor:
    """synchronous=NORMAL: in WAL a commit then survives this process, and the evidence, which has the same log
    synced later, makes it survive the machine before anything is answered."""

    def __init__(self, database: Database) -> None:
        self._turn = database.sole_writer
        self._thread = SqliteThread(database, "door", "PRAGMA synchronous=NORMAL")

    async def ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        if not batch.proofs:  # readers need no turn
            return await self._thread(self._ask, batch)
        async with self._turn:
            return await self._thread(self._ask, batch)

    async def close(self) -> None:
        await self._thread.close()

    def _ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        try:
            connection = self._thread.connection()
            fresh = []
            if batch.proofs:
                connection.execute("BEGIN IMMEDIATE")
                fresh = [proof[0] for proof in batch.proofs if connection.execute(SPEND, proof).rowcount == 1]
            revoked = connection.execute(REVOKED_AMONG, (orjson.dumps(batch.named).decode(),)).fetchall()
            if batch.proofs:
                connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeError, TypeError) as error:
            self._thread.let_go()  # rolls back
            raise StoreUnavailable(f"the database does not open the door ({type(error).__name__})") from None
        return frozenset(fresh), frozenset(number for (number,) in revoked)
