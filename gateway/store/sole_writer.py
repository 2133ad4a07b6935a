"""Whose turn it is to write: SQLite has one writer, and nobody writes upon a log that may not be on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from types import TracebackType

from gateway.store.errors import StoreUnavailable


class SoleWriter:
    """`async with` it for a turn. Waiting here costs nothing, waiting in SQLite's busy handler sleeps."""

    def __init__(self, database: Path | None, timeout_s: float) -> None:
        """`database`: SQLite's file, None where there is none."""
        self._lock = asyncio.Lock()
        self._database, self._timeout_s = database, timeout_s
        self.in_doubt = False
        """Whether a sync of the log failed (`SqliteLog`). What the kernel could not write it may call written the next time it
        is asked, so whatever is committed after it might be lost with it: before anybody writes, all of the log is taken into
        the database, which is synced."""

    async def __aenter__(self) -> None:
        """Raises StoreUnavailable while the log is in doubt."""
        await self._lock.acquire()
        if self.in_doubt and self._database is not None:
            try:
                await asyncio.to_thread(_take_in, self._database, self._timeout_s)
            except BaseException:
                self._lock.release()
                raise
            self.in_doubt = False

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


def _take_in(database: Path, timeout_s: float) -> None:
    """The whole log into the database, which is then synced."""
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=timeout_s)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"the database's log does not reach the disk, nor the database ({error.sqlite_errorname})"
        ) from None
    if busy:
        raise StoreUnavailable("the database's log did not reach the disk, and somebody still reads it")
