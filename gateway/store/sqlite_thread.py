"""A connection to SQLite on a thread of its own: a whole transaction takes one hop, where aiosqlite makes one a statement."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from gateway.store.engine import Database, prepare_sqlite, sqlite_path

P = ParamSpec("P")
T = TypeVar("T")


class SqliteThread:
    """Call it with work for that thread; the work asks for the `connection` and, when anything goes wrong, lets it go, which
    rolls back. Who writes takes the store's turn first (`Database.sole_writer`). Close it before the database."""

    def __init__(self, database: Database, name: str, *pragmas: str) -> None:
        """`pragmas`: of this connection alone, run when it is opened."""
        self._path, self._timeout_s, self._pragmas = sqlite_path(database.engine.url), database.timeout_s, pragmas
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None

    async def __call__(self, work: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*arguments, **more))

    def connection(self) -> sqlite3.Connection:
        """On the thread: opened when first needed. Raises sqlite3.Error."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=self._timeout_s)
            prepare_sqlite(self._connection, None)
            for pragma in self._pragmas:
                self._connection.execute(pragma)
        return self._connection

    def let_go(self) -> None:
        """On the thread: what was begun is rolled back, and the next one gets a fresh connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def close(self) -> None:
        await self(self.let_go)
        self._thread.shutdown(wait=False)
