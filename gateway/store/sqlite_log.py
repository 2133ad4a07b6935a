"""What SQLite committed with synchronous=NORMAL made to survive the machine, too: one sync of its log, which the loop awaits.

SQLite's own FULL makes the same system call within COMMIT, where a thread has to wait for it: each commit then costs several
ways through the interpreter's lock. Here the kernel waits for the disk, and the loop goes on meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import ModuleType

import caio
import structlog
from caio.asyncio_base import AsyncioContextBase

from gateway.store.errors import StoreUnavailable

_said = structlog.get_logger("yimen.store")
_AT_ONCE = 8
WAYS: tuple[ModuleType, ...] = tuple(
    way for way in (caio.linux_aio_asyncio, caio.thread_aio_asyncio, caio.python_aio_asyncio) if way is not None
)
"""The kernel's queue; threads in C; threads in Python. Not io_uring: it does this on a thread of its own, and is the first
thing that container hosts forbid."""


class SqliteLog:
    """Stands beside a connection that stays open; while there is one, SQLite keeps the log's file. On one event loop."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-wal")
        self._file: int | None = None
        self._is_old = False
        self._way: AsyncioContextBase | None = None
        self.in_doubt = False
        """Whether a sync failed. What the kernel could not write it may call written the next time it is asked: nothing in the
        log is known to be durable until all of it was taken into the database (a checkpoint)."""

    async def sync(self) -> None:
        """What was committed before is durable on return. Raises StoreUnavailable."""
        try:
            if self._way is None:
                self._way = await _first_that_works(self._path.parent)
            await self._way.fdsync(self._opened())
        except Exception as error:  # each way has errors of its own
            self.in_doubt = True
            raise StoreUnavailable(f"the database's log does not reach the disk ({type(error).__name__})") from None

    def let_go(self) -> None:
        """The connection beside it was closed, on whichever thread; the next one's log may be another file. Nothing is closed
        here: a sync may be about to begin, and the file's number would be another file's."""
        self._is_old = True

    def close(self) -> None:
        """On the loop, when nothing is being synced."""
        self._close_file()
        if self._way is not None:
            self._way.close()  # type: ignore[no-untyped-call]  # caio has no type there
            self._way = None

    def _opened(self) -> int:
        if self._is_old:
            self._is_old = False
            self._close_file()
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


async def _first_that_works(folder: Path) -> AsyncioContextBase:
    """Tried on a file of its own: a sync of the log that failed must not be made good by another way's. Raises what the last
    one raised."""
    with tempfile.TemporaryFile(dir=folder) as file:
        for way in WAYS[:-1]:
            try:
                return await _tried(way, file.fileno())
            except Exception as error:
                _said.warning("disk_sync_another_way", refused=way.__name__, reason=type(error).__name__)
        return await _tried(WAYS[-1], file.fileno())


async def _tried(way: ModuleType, file: int) -> AsyncioContextBase:
    context: AsyncioContextBase = way.AsyncioContext(max_requests=_AT_ONCE)
    try:
        await context.fdsync(file)
    except BaseException:
        context.close()  # type: ignore[no-untyped-call]
        raise
    return context
