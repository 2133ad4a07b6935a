"""One database behind one door: SQLite in a single process, or PostgreSQL; `read` and `write` mean the same on both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.settings import Settings
from gateway.store.errors import StoreRefused, StoreUnavailable
from gateway.store.sole_writer import SoleWriter
from gateway.store.sqlite_reader import SqliteReader

_WRITE, _OWNER, _NEWS, _SAID = "yimen_write", "yimen_database", "yimen_news", "yimen_said"
_CONNECT_S = 3
_SQLITE_READERS = 2


class Reader(Protocol):
    """Asks one kind of database what is read in every request."""

    async def rows(self, statement: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """Raises StoreUnavailable."""
        ...

    async def close(self) -> None: ...


class Sorting(Protocol):
    """What was written in haste is put where it is looked for; for a transaction, once it has the store's turn."""

    async def fold(self) -> None: ...

    async def fold_in_turn(self) -> None: ...


class Database:
    """The engine and its two kinds of connection. Open with `open_database`.

    `read` runs each statement by itself; `write` is one transaction that is durable when the block ends: SQLite in WAL
    with synchronous=FULL (records of access: ADR 0024), PostgreSQL with the server's own (checked) synchronous_commit.
    """

    def __init__(
        self, engine: AsyncEngine, *, timeout_s: float, connect_arguments: Mapping[str, Any] | None = None
    ) -> None:
        self.engine = engine
        self._connect_arguments = connect_arguments or {}
        self.timeout_s = timeout_s
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.ledger: Any = None
        """The ledger's `Outbox`, for whoever records; set where the store is opened."""
        self.ledger_news = asyncio.Event()
        """Set after each commit that put something into the outbox; whoever waits for it clears it."""
        self.said: Callable[[str], None] | None = None
        """Told, on SQLite, what transactions had to say (`events.say`), once each is committed."""
        self._writing = engine.execution_options(**{_WRITE: True, _OWNER: self})
        self.sole_writer = SoleWriter(sqlite_path(engine.url) if self.is_sqlite else None, timeout_s)
        self.writer: asyncio.Task[Any] | None = None
        """Whose turn that is, where it was taken by `write`."""
        self.sorting: Sorting | None = None
        """What must be done before anybody looks; set where the store is opened."""
        self._reader = self._shortest_way()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Raises StoreUnavailable where the database does not answer."""
        if self.sorting is not None:
            await self.sorting.fold()
        with self.faults():
            async with self._reading.connect() as connection:
                yield connection

    async def rows(self, statement: sa.TextClause, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """Of one statement that stands on every request's road, by the shortest way. Raises StoreUnavailable."""
        for note in self.engine.sync_engine.dispatch.before_cursor_execute:  # whoever listens hears this one, too
            note(None, None, statement.text, parameters, None, False)
        return await self._reader.rows(statement.text, parameters)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction. Raises StoreUnavailable, and then nothing of it is stored."""
        with self.faults():
            async with self._turn(), self._writing.begin() as connection:
                connection.info.pop(_NEWS, None)  # of a transaction that came to nothing
                connection.info.pop(_SAID, None)
                yield connection
                news, said = connection.info.pop(_NEWS, False), connection.info.pop(_SAID, ())
        if news:
            self.ledger_news.set()
        for one in said:
            if self.said is not None:
                self.said(one)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if not self.is_sqlite:
            yield
            return
        async with self.sole_writer:
            self.writer = asyncio.current_task()
            try:
                if self.sorting is not None:
                    await self.sorting.fold_in_turn()
                yield
            finally:
                self.writer = None

    async def peek(self, statement: str) -> Sequence[Any]:
        """SQLite alone: the rows of one that finds them at once, read where it is asked. Raises StoreUnavailable."""
        return await self._reader.rows(statement, {})

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that can say ON CONFLICT, in this database's words."""
        return insert_on(self.engine.dialect.name, table)

    def _shortest_way(self) -> Reader:
        if self.is_sqlite:
            return SqliteReader(sqlite_path(self.engine.url), self.timeout_s)
        from gateway.store.postgres_reader import PostgresReader  # only here: psycopg costs memory where it is not used

        return PostgresReader(self.connect_arguments(), self.timeout_s)

    async def lasting_connection(self) -> AsyncConnection:
        """One to keep, each statement by itself; whoever takes it gives it back by closing it."""
        return await self._reading.connect()

    def connect_arguments(self) -> dict[str, Any]:
        """What the driver connects with, for whoever needs a connection that the pool never sees."""
        return {**self.engine.dialect.create_connect_args(self.engine.url)[1], **self._connect_arguments}

    @contextlib.contextmanager
    def faults(self) -> Any:
        """What the database is at fault for becomes ours, without statement, parameters or address."""
        try:
            yield
        except (DBAPIError, PoolTimeout, OSError) as error:
            # Cut off, not chained: a driver's message may quote the row it is about.
            what = (
                "cannot be reached: is it running, and is database_url right?"
                if _unreached(error)
                else "did not do its work"
            )
            raise StoreUnavailable(f"the database {what} ({fault_name(error)})") from None

    async def close(self) -> None:
        await self._reader.close()
        await self.engine.dispose()


def owner_of(connection: AsyncConnection) -> Database | None:
    """Whose `write()` this is, for whoever was handed the connection alone; None where it is not one."""
    return connection.sync_connection.get_execution_options().get(_OWNER) if connection.sync_connection else None


def announce(connection: AsyncConnection) -> None:
    """Set `ledger_news` once this transaction is committed."""
    connection.info[_NEWS] = True


def after_commit(connection: AsyncConnection, said: str) -> None:
    """Hand `said` to `Database.said` once this transaction is committed."""
    connection.info.setdefault(_SAID, []).append(said)


def insert_on(dialect: str, table: sa.Table) -> Any:
    """`Database.insert` for whoever was handed a connection alone."""
    return (sqlite_insert if dialect == "sqlite" else postgresql_insert)(table)


def fault_name(error: BaseException) -> str:
    """The driver's own class name and code: enough for an operator, and never a value."""
    inner = getattr(error, "orig", None) or error
    code = getattr(inner, "sqlite_errorname", None) or getattr(inner, "sqlstate", None)
    return f"{type(inner).__name__} {code}" if code else type(inner).__name__


def _unreached(error: BaseException) -> bool:
    """A server that answers names its fault by a code (SQLSTATE); without one, there was no connection, or it is gone."""
    inner = getattr(error, "orig", None) or error
    return type(inner).__name__ == "OperationalError" and getattr(inner, "sqlstate", "?") is None


def open_database(settings: Settings) -> Database:
    """Connects to nothing yet. Raises StoreRefused for a URL that names no database of ours."""
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError):
        raise StoreRefused("database_url cannot be read as a database URL") from None
    timeout_s = settings.database_timeout_s
    if url.get_backend_name() == "sqlite":
        return Database(_sqlite(url, timeout_s), timeout_s=timeout_s)
    url, arguments = _postgresql_arguments(url, timeout_s)
    engine = _postgresql(url, arguments, settings.database_pool, timeout_s)
    return Database(engine, timeout_s=timeout_s, connect_arguments=arguments)


def _sqlite(url: URL, timeout_s: float) -> AsyncEngine:
    path = sqlite_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the -wal and -shm files take over its mode
        _begin_log(path, timeout_s)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the database file {path} cannot be opened ({type(error).__name__})") from None
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        connect_args={"timeout": timeout_s},
        pool_size=_SQLITE_READERS,
        max_overflow=0,
        pool_timeout=timeout_s,
        hide_parameters=True,
    )
    sa.event.listen(engine.sync_engine, "connect", prepare_sqlite)
    sa.event.listen(engine.sync_engine, "begin", begin_sqlite)
    return engine


def _begin_log(path: Path, timeout_s: float) -> None:
    """The write-ahead log is switched on before anybody works on the file: SQLite gives up at once, without waiting, where
    the switch meets another's transaction. Of two who start together the later one finds it done, or tries again."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            with contextlib.closing(sqlite3.connect(path, timeout=timeout_s)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def sqlite_path(url: URL) -> Path:
    return Path(url.database or "")


def no_file_yet(settings: Settings) -> bool:
    """Whether the database would be a new file. An address that cannot be read is for `open_database` to refuse."""
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError):
        return False
    return url.get_backend_name() == "sqlite" and not sqlite_path(url).exists()


def prepare_sqlite(connection: Any, _record: object) -> None:
    """Every connection: durable commits, foreign keys, and no transactions begun behind our back."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_sqlite(connection: sa.Connection) -> None:
    """A transaction that will write says so at once: a reader that turns writer half-way cannot wait its turn."""
    if connection.get_execution_options().get(_WRITE):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql_arguments(url: URL, timeout_s: float) -> tuple[URL, dict[str, Any]]:
    """The URL without its options, and those with ours in what the driver connects with."""
    milliseconds = int(timeout_s * 1000)
    limits = (
        f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
        f"-c idle_in_transaction_session_timeout={milliseconds * 2} -c timezone=UTC"
    )
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} {limits}".strip()
    return url.difference_update_query(["options"]), {
        "options": options,
        "connect_timeout": _CONNECT_S,
        "application_name": "yimen",
        "keepalives_idle": 10,  # a server that vanished without a word is noticed in seconds, not hours
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds * 2,
    }


def _postgresql(url: URL, arguments: dict[str, Any], pool: int, timeout_s: float) -> AsyncEngine:
    return create_async_engine(
        url,
        connect_args=arguments,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=timeout_s,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=1800,
    )


async def check_durable(database: Database) -> None:
    """Raises StoreRefused where an acknowledged commit could be lost: then no record would ever be evidence."""
    if database.is_sqlite:
        return
    async with database.read() as connection:
        for name in ("fsync", "synchronous_commit"):
            if await connection.scalar(sa.text(f"SHOW {name}")) == "off":
                raise StoreRefused(f"PostgreSQL runs with {name}=off, so a recorded access could be lost; turn it on")
