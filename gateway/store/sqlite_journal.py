"""Access events on SQLite: one commit and one sync for a whole batch, with what lets its requests in."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

import orjson

from gateway.caller import Admission
from gateway.errors import GatewayError
from gateway.services.ledger.ports import LedgerHalted
from gateway.store.door import OK, REPLAYED, REVOKED, names_of
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import HALTED, Asked, EventRow, RowRefused
from gateway.store.ids import to_us
from gateway.store.sqlite_door import REVOKED_AMONG, SPEND
from gateway.store.sqlite_log import SqliteLog
from gateway.store.sqlite_thread import SqliteThread
from gateway.store.tables import access_event, access_event_pending

_FOLD_EVERY = 128
"""Records; then they are taken into their tables, where the ledger's turn has not done it before."""
_MOST_AT_ONCE = 512
_LAST = "SELECT max(number) FROM (SELECT number FROM access_event_pending ORDER BY number LIMIT ?)"
_EVENT = ", ".join(column.name for column in access_event.c)
_ROW = [column.name for column in access_event_pending.c if column.name != "number"]
_PENDING = f"INSERT INTO access_event_pending ({', '.join(_ROW)}) VALUES ({', '.join('?' * len(_ROW))})"  # noqa: S608  (names of columns)
# In order, so that a page of an index is met once.
_FOLD = (
    f"INSERT INTO access_event ({_EVENT}) SELECT {_EVENT} FROM access_event_pending WHERE number <= ? ORDER BY number",  # noqa: S608
    """
INSERT OR IGNORE INTO access_event_subject (subject_id, event_id)
SELECT one.value, p.id FROM access_event_pending AS p, json_each(p.subjects) AS one WHERE p.number <= ?
ORDER BY one.value, p.id
""",
    "INSERT INTO ledger_outbox (id, due_at_us, entry) "
    "SELECT id, due_at_us, entry FROM access_event_pending WHERE number <= ? ORDER BY id",
    "DELETE FROM access_event_pending WHERE number <= ?",
)
_LOG_PAGES = 4_000
"""16 MB; then what sorts records writes the log back itself. Whoever else commits does it at a quarter of that."""
_NOT_HERE = "PRAGMA wal_autocheckpoint=0"  # writing the log back waits for the disk: on the thread alone
_IMPATIENT = "PRAGMA busy_timeout=0"  # where the loop is nobody is waited for, from the first statement on
_PRAGMAS = ("PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=OFF", _NOT_HERE, _IMPATIENT)
"""Committing only writes the log; `SqliteLog` then makes it durable. What is written here refers to nothing, or was written
with what it refers to."""

_KIND = 0xFF  # of an extended result code, the part that says what kind it is

_FEW = 8
"""Names a statement of its own is made for: 8 CPU us where the door's, which takes any number, costs 29."""


class SqliteJournal:
    """Its own connection on its own thread; takes the store's turn to write like everyone else.

    A record is one row (`access_event_pending`) until `fold` has taken it into `access_event`, `access_event_subject` and
    `ledger_outbox`: entered at once, event, outbox, their indexes and a page for each of twenty persons would be written with
    every answer.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._turn = database, database.sole_writer
        self._timeout_ms = int(database.timeout_s * 1000)
        self._thread = SqliteThread(database, "evidence", *_PRAGMAS)
        self._log = SqliteLog(self._turn)
        self._unfolded = 0
        self._folding: asyncio.Task[None] | None = None

    async def write(self, rows: Sequence[EventRow], asked: Sequence[Asked] = ()) -> Sequence[str]:
        async with self._turn:
            if not self._log.is_open:
                await self._log.open(await self._thread(self._begin))
            said = self._at_once(rows, asked)
            if said is None:
                said = await self._thread(self._write, rows, asked)
        await self._log.sync()
        self._unfolded += len(rows)
        if self._unfolded >= _FOLD_EVERY and (self._folding is None or self._folding.done()):
            self._folding = asyncio.create_task(self._fold_beside(), name="fold")
        return said

    async def fold(self) -> None:
        """Until nobody waits to be found by person, whichever process wrote them; before whatever reads. Raises
        StoreUnavailable."""
        if self._database.writer is not None and self._database.writer is asyncio.current_task():
            return  # who reads within a transaction of their own would wait for themselves
        while await self._waiting():
            async with self._turn:
                await self._thread(self._fold)

    async def fold_in_turn(self) -> None:
        """The same for whoever has the store's turn to write."""
        while await self._waiting():
            await self._thread(self._fold)

    async def close(self) -> None:
        if self._folding is not None:
            await self._folding
        with contextlib.suppress(GatewayError):  # the next start does it
            await self.fold()
        self._log.close()
        await self._thread.close()

    async def _waiting(self) -> bool:
        if await self._database.peek("SELECT 1 FROM access_event_pending LIMIT 1"):
            return True
        self._unfolded = 0
        return False

    async def _fold_beside(self) -> None:
        with contextlib.suppress(GatewayError):  # whoever reads does it, and hears of it
            await self.fold()

    def _at_once(self, rows: Sequence[EventRow], asked: Sequence[Asked]) -> list[str] | None:
        """Where it is asked: each statement takes microseconds, and no disk is waited for. None where another process is
        writing, or the thread is not done with the connection."""
        if not self._thread.is_free:
            return None
        with self._faults():
            connection = self._thread.connection()
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _KIND == sqlite3.SQLITE_BUSY:
                    return None
                raise
            said = self._record(rows, asked)
            connection.execute("COMMIT")
            return said

    def _write(self, rows: Sequence[EventRow], asked: Sequence[Asked]) -> list[str]:
        """The whole of it on the thread, where another process may be waited for."""
        with self._faults(), self._patient() as connection:
            connection.execute("BEGIN IMMEDIATE")
            said = self._record(rows, asked)
            connection.execute("COMMIT")
            return said

    def _record(self, rows: Sequence[EventRow], asked: Sequence[Asked]) -> list[str]:
        """Within a transaction."""
        connection = self._thread.connection()
        halted = connection.execute(HALTED).fetchone()
        if halted is not None:
            connection.execute("ROLLBACK")
            raise LedgerHalted(halted[0])
        said: list[str] = []
        if asked:
            said = _let_in(connection, asked)
            rows = _of_these(rows, asked, said)
        connection.executemany(_PENDING, [_pending(row) for row in rows])
        return said

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """What goes wrong is rolled back, and said as the port has it."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, UnicodeError, OverflowError):
            self._release()
            raise RowRefused from None
        except sqlite3.Error as error:
            self._release()
            raise StoreUnavailable(f"the database does not take records ({error.sqlite_errorname})") from None
        except LedgerHalted:  # rolled back where it was found
            raise
        except BaseException:
            self._release()
            raise

    @contextlib.contextmanager
    def _patient(self) -> Iterator[sqlite3.Connection]:
        """On the thread: other processes' writing is waited for. Elsewhere never, for there the event loop would wait."""
        connection = self._thread.connection()
        connection.execute(f"PRAGMA busy_timeout={self._timeout_ms}")
        try:
            yield connection
        finally:
            connection.execute(_IMPATIENT)

    def _fold(self) -> None:
        """One transaction: it needs no disk of its own, for what it moves stays where it was until it is there; and each event
        was written with it, so nobody need look whether there is one."""
        try:
            with self._patient() as connection:
                connection.execute("BEGIN IMMEDIATE")
                (last,) = connection.execute(_LAST, (_MOST_AT_ONCE,)).fetchone()
                for statement in _FOLD:
                    connection.execute(statement, (last,))
                connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
                connection.execute("COMMIT")
                connection.execute(_NOT_HERE)
        except sqlite3.Error as error:
            self._release()
            raise StoreUnavailable(f"the database does not sort records ({error.sqlite_errorname})") from None

    def _begin(self) -> Path:
        """The database's file as this connection has it, where it has begun its log. Raises StoreUnavailable."""
        with self._faults(), self._patient() as connection:
            connection.execute("SELECT 1 FROM access_event_pending LIMIT 1").fetchone()
            return Path(next(row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main"))

    def _release(self) -> None:
        self._thread.let_go()
        self._log.let_go()


def _pending(row: EventRow) -> tuple[object, ...]:
    subjects = orjson.dumps(row.subjects).decode() if row.subjects else None
    return *row.columns, subjects, row.waiting.due_at_us, row.waiting.entry


def _let_in(connection: sqlite3.Connection, asked: Sequence[Asked]) -> list[str]:
    """Each proof is spent, and of two that show the same one the first has it; a revocation weighs more."""
    said = []
    for one in asked:
        key = one.admission.proof_key
        fresh = key is None or connection.execute(SPEND, (key, to_us(one.admission.proof_until))).rowcount == 1
        said.append(OK if fresh else REPLAYED)
        if _is_dead(connection, one.admission):
            said[-1] = REVOKED
    return said


def _is_dead(connection: sqlite3.Connection, admission: Admission) -> bool:
    named = names_of(admission)
    if len(named) > _FEW:
        asked = orjson.dumps([(0, *name) for name in named]).decode()
        return connection.execute(REVOKED_AMONG, (asked,)).fetchone() is not None
    return connection.execute(_any_revoked(len(named)), list(chain.from_iterable(named))).fetchone() is not None


@lru_cache(maxsize=_FEW + 1)
def _any_revoked(many: int) -> str:
    return " UNION ALL ".join(["SELECT 1 FROM revocation WHERE kind = ? AND id = ? AND at_us >= ?"] * many)


def _of_these(rows: Sequence[EventRow], asked: Sequence[Asked], said: Sequence[str]) -> Sequence[EventRow]:
    """Without what was to be recorded of whom is turned away: they are told nothing of it."""
    away = [one for one, answer in zip(asked, said, strict=True) if answer != OK]
    if not away:
        return rows
    gone = {number for one in away for number in range(one.first, one.end)}
    return [row for number, row in enumerate(rows) if number not in gone]
