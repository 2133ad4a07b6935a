"""What is issued, kept on SQLite: one thread hop for a whole batch, where aiosqlite would make one for every statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from gateway.store.credentials.keeping import Kept, RowsRefused
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.sqlite_thread import SqliteThread
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential, credential_offer_event
from gateway.store.tables.ledger import ledger_outbox

_OLDER = """
SELECT a.value ->> 0 FROM json_each(?) AS a WHERE EXISTS (
  SELECT 1 FROM credential AS c WHERE c.subject_id = a.value ->> 1 AND c.configuration_id = a.value ->> 2
  AND c.grant_id <> a.value ->> 3 AND c.state <> 'REVOKED' AND c.valid_until_us > a.value ->> 4)
"""


class SqliteKeeping:
    """Implements `KeepingJournal`. Its own connection on its own thread; takes the store's turn to write like everyone."""

    def __init__(self, database: Database) -> None:
        self._turn = database.sole_writer
        self._thread = SqliteThread(database, "keeping")
        self._credential, self._moment, self._change, self._outbox = (
            str(sa.insert(table).compile(dialect=sqlite.dialect(paramstyle="qmark")))
            for table in (credential, credential_offer_event, change_event, ledger_outbox)
        )

    async def keep(self, batch: Sequence[Kept]) -> Sequence[bool]:
        async with self._turn:
            return await self._thread(self._keep, batch)

    async def close(self) -> None:
        await self._thread.close()

    def _keep(self, batch: Sequence[Kept]) -> list[bool]:
        try:
            connection = self._thread.connection()
            connection.execute("BEGIN IMMEDIATE")
            asked = [(n, k.subject_id, k.configuration_id, k.grant_id, k.issued_at_us) for n, k in enumerate(batch)]
            older = {number for (number,) in connection.execute(_OLDER, (orjson.dumps(asked).decode(),))}
            fresh = [kept for number, kept in enumerate(batch) if number not in older]
            connection.executemany(self._credential, [row for kept in fresh for row in kept.credentials])
            connection.executemany(self._moment, [kept.moment for kept in fresh if kept.moment is not None])
            connection.executemany(self._change, [kept.change for kept in fresh])
            connection.executemany(
                self._outbox, [(one.waiting.id, one.waiting.due_at_us, one.waiting.entry) for one in fresh]
            )
            connection.execute("COMMIT")
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, UnicodeError, OverflowError):
            self._thread.let_go()  # rolls back
            raise RowsRefused from None
        except sqlite3.Error as error:
            self._thread.let_go()
            raise StoreUnavailable(f"the database does not keep credentials ({error.sqlite_errorname})") from None
        return [number not in older for number in range(len(batch))]
