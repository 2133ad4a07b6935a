"""Access events on SQLite: one thread hop for a whole batch, where aiosqlite would make one for every statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from gateway.services.ledger.ports import LedgerHalted
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import HALTED, EventRow, RowRefused
from gateway.store.sqlite_thread import SqliteThread
from gateway.store.tables import access_event, access_event_subject
from gateway.store.tables.ledger import ledger_outbox


class SqliteJournal:
    """Its own connection on its own thread; takes the store's turn to write like everyone else."""

    def __init__(self, database: Database) -> None:
        self._turn = database.sole_writer
        self._thread = SqliteThread(database, "evidence")
        self._event_sql, self._subject_sql, self._outbox_sql = (
            str(sa.insert(table).compile(dialect=sqlite.dialect(paramstyle="qmark")))
            for table in (access_event, access_event_subject, ledger_outbox)
        )

    async def write(self, rows: Sequence[EventRow]) -> None:
        async with self._turn:
            await self._thread(self._write, rows)

    async def close(self) -> None:
        await self._thread.close()

    def _write(self, rows: Sequence[EventRow]) -> None:
        try:
            connection = self._thread.connection()
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
            self._thread.let_go()  # rolls back
            raise RowRefused from None
        except sqlite3.Error as error:
            self._thread.let_go()
            raise StoreUnavailable(f"the database does not take records ({error.sqlite_errorname})") from None
