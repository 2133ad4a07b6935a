"""A connection to SQLite on a thread of its own: a whole transaction takes one hop, where aiosqlite makes one a statement."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from gateway.store.engine import Database, prepare_sqlite, sqlite_path

P = ParamSpec("P")
T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class SqliteThread:
    """Call it with work for that thread; the work asks for the `connection` and, when anything goes wrong, lets it go, which
    rolls back. Who writes takes the store's turn first (`Database.sole_writer`); who has it may also use the connection
    where it is, while it `is_free`. Close it before the database.

    One thread that stays and a queue: an executor's future for each piece of work costs twice as much (44 and 25 CPU us).
    """

    def __init__(self, database: Database, name: str, *pragmas: str) -> None:
        """`pragmas`: of this connection alone, run when it is opened."""
        self._path, self._timeout_s, self._pragmas = sqlite_path(database.engine.url), database.timeout_s, pragmas
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._under_way = 0

    async def __call__(self, work: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
        if self._closed:
            raise RuntimeError("this thread has ended")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._under_way += 1
        self._jobs.put((loop, done, work, arguments, more))
        return await done

    def connection(self) -> sqlite3.Connection:
        """Opened when first needed. Raises sqlite3.Error."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=self._timeout_s, check_same_thread=False)
            prepare_sqlite(self._connection, None)
            for pragma in self._pragmas:
                self._connection.execute(pragma)
        return self._connection

    @property
    def is_free(self) -> bool:
        """Whether there is a connection (opening one reads files, which belongs on the thread) and nothing is done with it:
        whoever asked for work may have been cancelled, and gave the turn back, while it goes on."""
        return self._connection is not None and self._under_way == 0

    def let_go(self) -> None:
        """What was begun is rolled back, and the next one gets a fresh connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def close(self) -> None:
        if self._thread is not None and not self._closed:
            await self(self.let_go)
            self._jobs.put(None)
        self._closed = True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, done, work, arguments, more = job
            result, error = None, None
            try:
                result = work(*arguments, **more)
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(self._tell, done, result, error)
            del job, loop, done, work, arguments, more, result, error  # not kept while nothing is to be done

    def _tell(self, done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        """On the loop."""
        self._under_way -= 1
        if done.done():  # whoever asked gave up
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
