"""What SQLite committed with synchronous=NORMAL made to survive the machine, too: one sync of its log, which the loop awaits.

SQLite's own FULL makes the same system call within COMMIT, where a thread has to wait for it: each commit then costs several
ways through the interpreter's lock. Here the kernel waits for the disk, and the loop goes on meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from types import ModuleType
from typing import Protocol

import caio
import structlog

from gateway.store.errors import StoreUnavailable
from gateway.store.sole_writer import SoleWriter

_said = structlog.get_logger("yimen.store")
_AT_ONCE = 8
WAYS: tuple[ModuleType, ...] = tuple(
    way for way in (caio.linux_aio_asyncio, caio.thread_aio_asyncio, caio.python_aio_asyncio) if way is not None
)
"""The kernel's queue; threads in C; threads in Python. Not io_uring: it does this on a thread of its own, and is the first
thing that container hosts forbid."""


class Syncing(Protocol):
    """What we use of a way's `AsyncioContext`."""

    def fdsync(self, fd: int) -> Awaitable[object]: ...

    def close(self) -> object: ...


class SqliteLog:
    """Stands beside a connection that stays open; while there is one, SQLite keeps the log's file. On one event loop.

    Whoever commits looks first whether it `is_open`: the kernel tells each open file of an error once, so a file opened after
    the commit might never hear that what was committed did not reach the disk.
    """

    def __init__(self, turn: SoleWriter) -> None:
        self._turn = turn
        self._file: int | None = None
        self._is_old = False
        self._way: Syncing | None = None

    @property
    def is_open(self) -> bool:
        return self._file is not None and not self._is_old

    async def open(self, database: Path) -> None:
        """`database`: as the connection beside it calls it, which has begun the log. Raises StoreUnavailable."""
        self._close_file()
        self._is_old = False  # first: whoever lets go from here on is heard by `sync`
        path = database.with_name(f"{database.name}-wal")
        try:
            if self._way is None:
                self._way = await _first_that_works(path.parent)
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except Exception as error:
            raise StoreUnavailable(f"the database's log cannot be synced ({type(error).__name__})") from None

    async def sync(self) -> None:
        """What was committed since it was opened is durable on return. Raises StoreUnavailable; then, and where it is cut
        off, the log is in doubt."""
        sure = False
        try:
            if self._way is None or self._file is None or self._is_old:
                raise StoreUnavailable("the database's log is another one than was to be synced")
            await self._way.fdsync(self._file)
            sure = True
        except StoreUnavailable:
            raise
        except Exception as error:  # each way has errors of its own
            raise StoreUnavailable(f"the database's log does not reach the disk ({type(error).__name__})") from None
        finally:
            if not sure:
                self._turn.in_doubt = True

    def let_go(self) -> None:
        """The connection beside it was closed, on whichever thread; the next one's log may be another file. Nothing is closed
        here: a sync may be about to begin, and the file's number would be another file's."""
        self._is_old = True

    def close(self) -> None:
        """On the loop, when nothing is being synced."""
        self._close_file()
        if self._way is not None:
            self._way.close()
            self._way = None

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


async def _first_that_works(folder: Path) -> Syncing:
    """Tried on a file of its own: a sync of the log that failed must not be made good by another way's. Raises what the last
    one raised."""
    with tempfile.TemporaryFile(dir=folder) as file:
        for way in WAYS[:-1]:
            try:
                return await _tried(way, file.fileno())
            except Exception as error:
                _said.warning("disk_sync_another_way", refused=way.__name__, reason=type(error).__name__)
        return await _tried(WAYS[-1], file.fileno())


async def _tried(way: ModuleType, file: int) -> Syncing:
    context: Syncing = way.AsyncioContext(max_requests=_AT_ONCE)
    try:
        await context.fdsync(file)
    except BaseException:
        context.close()
        raise
    return context
