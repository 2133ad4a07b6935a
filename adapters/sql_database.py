"""One department's database, opened so that it can only be read, and never waited for longer than asked.

An async driver runs in the event loop, any other in a few threads of its own. What only reads is enforced by the
database (SQLite `mode=ro` and `query_only`; PostgreSQL, MySQL and MariaDB by session; Oracle by transaction): for the
rest the department must hand out a user that may only read.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, exc, text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.manifest import Limits

T = TypeVar("T")
Work = Callable[[Connection], T]

_BUSY_WAIT_S: Final = 0.25  # for another's lock on a SQLite file
_STEPS: Final = 200_000  # of SQLite's machine, a few ms, between two looks at the clock (each needs the GIL)
_STATEMENT_BYTES: Final = 1_000_000  # the same SQLite limit holds for values and for our own statement
_RECYCLE_S: Final = 300
_NEEDED_URL: Final = "needs a database URL with a file or server"


class Database(Protocol):
    async def run(self, work: Work[T], *, timeout_s: float) -> T:
        """What `work` makes of a connection. Raises TimeoutError or what the driver raises."""
        ...

    async def close(self) -> None: ...


def open_database(url: URL, limits: Limits, base_dir: Path) -> Database:
    """Connects on first use. Raises ValueError or sqlalchemy's ArgumentError for a URL nothing can be done with."""
    if url.get_backend_name() == "sqlite":
        # aiosqlite is a thread as well, but one that cannot be interrupted
        return ThreadedDatabase(_sqlite_engine(url, base_dir, limits), limits.concurrency)
    settings: dict[str, Any] = {
        "pool_size": limits.concurrency,
        "max_overflow": 0,
        "pool_timeout": limits.timeout_s,
        "pool_recycle": _RECYCLE_S,
        "hide_parameters": True,
    }
    if url.get_backend_name() == "postgresql":
        settings["isolation_level"] = "AUTOCOMMIT"  # one statement a question: BEGIN and ROLLBACK are two round trips
    try:
        engine = create_async_engine(url, **settings)
    except exc.InvalidRequestError:  # not an async driver
        sync_engine = create_engine(url, **settings)
        _only_read(sync_engine, limits)
        return ThreadedDatabase(sync_engine, limits.concurrency)
    _only_read(engine.sync_engine, limits)
    return AsyncDatabase(engine)


class AsyncDatabase:
    """On an async driver."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._ending: set[asyncio.Task[Any]] = set()

    async def run(self, work: Work[T], *, timeout_s: float) -> T:
        task = asyncio.create_task(self._worked(work))
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            self._abandon(task)
            raise TimeoutError
        return task.result()

    async def close(self) -> None:
        if self._ending:
            await asyncio.wait(self._ending, timeout=1.0)
        await self._engine.dispose()

    async def _worked(self, work: Work[T]) -> T:
        async with self._engine.connect() as connection:
            made: T = await connection.run_sync(work)
            return made

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        """Cancel without waiting: the driver may take seconds to tell a server that no longer listens."""
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that nobody reports it as forgotten


class ThreadedDatabase:
    """On a driver that blocks, in at most `threads` threads."""

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(max(1, threads), thread_name_prefix="yimen-sql")

    async def run(self, work: Work[T], *, timeout_s: float) -> T:
        halt = threading.Event()
        deadline = time.monotonic() + timeout_s
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._worked, work, deadline, halt)
        try:
            done, _ = await asyncio.wait({future}, timeout=timeout_s)
        except asyncio.CancelledError:
            _forget(future, halt)
            raise
        if not done:
            _forget(future, halt)
            raise TimeoutError
        return future.result()

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    def _worked(self, work: Work[T], deadline: float, halt: threading.Event) -> T:
        def over() -> bool:
            return halt.is_set() or time.monotonic() >= deadline

        if over():  # it waited for a thread for as long as it had
            raise TimeoutError
        with self._engine.connect() as connection:
            driver_connection = connection.connection.driver_connection
            if isinstance(driver_connection, sqlite3.Connection):
                driver_connection.set_progress_handler(over, _STEPS)
            return work(connection)


def _forget(future: asyncio.Future[Any], halt: threading.Event) -> None:
    halt.set()
    future.cancel()
    future.add_done_callback(lambda done: None if done.cancelled() else done.exception())


def _sqlite_engine(url: URL, base_dir: Path, limits: Limits) -> Engine:
    """A connection a question: the department may replace its file every night, and an open one would go on reading the old."""
    if not url.database or url.database.startswith((":", "file:")):
        raise ValueError(_NEEDED_URL)
    path = (base_dir / url.database).absolute()

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=min(_BUSY_WAIT_S, limits.timeout_s),
            check_same_thread=False,
            isolation_level=None,
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")  # a view may not call what the file alone vouches for
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(limits.max_response_bytes, _STATEMENT_BYTES))
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _only_read(engine: Engine, limits: Limits) -> None:
    """Has every new connection (Oracle: every transaction) of `engine` refuse to write and to think too long."""
    milliseconds = max(1, int(limits.timeout_s * 1000))
    by_session = {
        "postgresql": (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            f"SET statement_timeout = {milliseconds}",
            f"SET idle_in_transaction_session_timeout = {milliseconds}",
        ),
        "mysql": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION max_execution_time = {milliseconds}"),
        "mariadb": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION max_statement_time = {limits.timeout_s}"),
    }.get(engine.dialect.name, ())

    @event.listens_for(engine, "connect")
    def prepare(driver_connection: Any, _record: object) -> None:
        if not by_session:
            return
        cursor = driver_connection.cursor()
        for statement in by_session:
            cursor.execute(statement)
        cursor.close()
        driver_connection.commit()

    if engine.dialect.name == "oracle":

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.execute(text("SET TRANSACTION READ ONLY"))
