"""Access events on SQLite: one thread hop for a whole batch, where aiosqlite would make one for every statement."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from gateway.services.ledger.ports import LedgerHalted
from gateway.store.engine import Database, prepare_sqlite, sqlite_path
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import HALTED, EventRow, RowRefused
from gateway.store.tables import access_event, access_event_subject
from gateway.store.tables.ledger import ledger_outbox


class SqliteJournal:
    """Its own connection on its own thread; takes the store's turn to write like everyone else."""

    def __init__(self, database: Database) -> None:
        self._turn = database.sole_writer
        self._path, self._timeout_s = sqlite_path(database.engine.url), database.timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="evidence")
        self._connection: sqlite3.Connection | None = None
        self._event_sql, self._subject_sql, self._outbox_sql = (
            str(sa.insert(table).compile(dialect=sqlite.dialect(paramstyle="qmark")))
            for table in (access_event, access_event_subject, ledger_outbox)
        )

    async def write(self, rows: Sequence[EventRow]) -> None:
        async with self._turn:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, rows)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _write(self, rows: Sequence[EventRow]) -> None:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            halted = connection.execute(HALTED).fetchone()
            if halted is not None:
                connection.execute("ROLLBACK")
                raise LedgerHalted(halted[0])
            connection.executemany(self._event_sql, [row.columns for row in rows])
            connection.executemany(
                self._subject_sql,
                [(subject_id, row.waiting.id, seed_ct) for row in rows for subject_id, seed_ct in row.subjects],
            )
            connection.executemany(
                self._outbox_sql, [(row.waiting.id, row.waiting.due_at_us, row.waiting.entry) for row in rows]
            )
            connection.execute("COMMIT")
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, UnicodeError, OverflowError):
            self._disconnect()  # rolls back
            raise RowRefused from None
        except sqlite3.Error as error:
            self._disconnect()
            raise StoreUnavailable(f"the database does not take records ({error.sqlite_errorname})") from None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=self._timeout_s)
            prepare_sqlite(self._connection, None)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
