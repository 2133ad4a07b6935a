"""Reading on SQLite where the question is asked: a few rows by key, from the log or the page cache, in tens of microseconds.

Handing such a read to a thread and back costs ten times the read itself (measured: a question about one person 3.8 CPU ms with
the hop, 2.5 without). In WAL a reader waits for no writer, so the event loop is held no longer than the read takes. Only for
statements that find their rows by index and return few; anything else belongs on a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.store.errors import StoreUnavailable

_BUSY_S = 0.25  # only while a crashed log is being recovered, or a schema changes


class SqliteReader:
    """A connection of its own that can only read. Each statement sees what is committed then."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path, self._timeout_s = path, min(timeout_s, _BUSY_S)
        self._connection: sqlite3.Connection | None = None

    async def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Raises StoreUnavailable."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)
                for pragma in ("query_only=ON", "trusted_schema=OFF"):
                    self._connection.execute(f"PRAGMA {pragma}")
            return self._connection.execute(statement, parameters).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            await self.close()
            # Cut off, not chained: a driver's message may quote the row it is about.
            raise StoreUnavailable(f"the database did not read ({type(error).__name__})") from None

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
