"""Reading on SQLite in one thread hop, where aiosqlite and SQLAlchemy make about ten for one statement."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gateway.store.errors import StoreUnavailable


class SqliteReader:
    """A connection of its own on a thread of its own, that can only read. Each statement sees what is committed then."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._connection: sqlite3.Connection | None = None

    async def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._rows, statement, parameters)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)
                for pragma in ("query_only=ON", "trusted_schema=OFF"):
                    self._connection.execute(f"PRAGMA {pragma}")
            return self._connection.execute(statement, parameters).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            self._disconnect()
            # Cut off, not chained: a driver's message may quote the row it is about.
            raise StoreUnavailable(f"the database did not read ({type(error).__name__})") from None

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
