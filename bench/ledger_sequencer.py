"""The log as `bench.ledger_append` runs it: by itself beside PostgreSQL, or in the process of those who append to SQLite."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.engine import Database, open_database, prepare_sqlite, sqlite_path
from gateway.store.ids import OrderedIds
from gateway.store.keys import open_keys
from gateway.store.ledger.log import StoredLog
from ledger.checkpoint import Checkpoint
from ledger.entry import Entry
from ledger.note import sign_note

_MOST, _CHECKPOINT_S = 5_000, 0.2  # as in gateway.services.ledger.keeper and the settings
_new_id = OrderedIds()


def entry(salt: str) -> bytes:
    return bytes(Entry("query", "org-1", datetime(2026, 11, 23, tzinfo=UTC), salt.encode()[-32:]))


def row() -> tuple[str, bytes]:
    id_ = _new_id(time.time_ns() // 1000)
    return id_, entry(id_)


async def open_log(settings: Settings) -> tuple[Database, StoredLog]:
    database, clock = open_database(settings), SystemClock()
    keys = await open_keys(database, settings.master_key or b"", clock)
    log = StoredLog(
        database, keys, clock, StoredAlerts(database, clock).raise_within, record_change, longest_delay_s=600.0
    )
    await log.open("bench.example/ledger", "2026")
    return database, log


async def keep(log: StoredLog, done: asyncio.Event, kept: Callable[[int], None]) -> None:
    """As the keeper does it: a batch and a checkpoint every 0.2 s; when done, until nothing waits."""
    signed = -1
    while True:
        last, began = done.is_set(), time.monotonic()
        if await log.lead():
            while await log.sequence(_MOST) == _MOST:
                pass
            tree = await log.tree()
            if tree.size > signed:
                note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await log.signers())
                await log.keep_checkpoint(tree, note)
                kept(tree.size)
                await log.publish(tree.shard, tree.size)
                signed = tree.size
        if last:
            return
        await asyncio.sleep(max(0.01, began + _CHECKPOINT_S - time.monotonic()))


class SharedCommits:
    """Callers who come while a commit is under way share the next, as access events do."""

    def __init__(self, database: Database) -> None:
        self._turn, self._path = database.sole_writer, sqlite_path(database.engine.url)
        self._thread = ThreadPoolExecutor(1)
        self._queue: list[tuple[tuple[str, bytes], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._connection: sqlite3.Connection | None = None

    async def append(self, one: tuple[str, bytes]) -> None:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((one, durable))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_on())
        await durable

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    async def _write_on(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            async with self._turn:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write, [one for one, _ in batch])
            for _, durable in batch:
                durable.set_result(None)
            await asyncio.sleep(0)  # who was answered comes again, and shares the next
        self._writer = None

    def _write(self, rows: list[tuple[str, bytes]]) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, check_same_thread=False)
            prepare_sqlite(self._connection, None)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO ledger_outbox (id, due_at_us, entry) VALUES (?, 0, ?)", rows)
        self._connection.execute("COMMIT")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


async def _beside(url: str, told: Path) -> None:
    """Until a line comes in; each kept checkpoint is told with the time of day."""
    database, log = await open_log(Settings(database_url=url, master_key=bytes(32), demo=True))
    done, out = asyncio.Event(), os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    asyncio.get_running_loop().add_reader(sys.stdin, done.set)
    await keep(log, done, lambda size: _tell(out, size))
    await log.close()
    await database.close()


def _tell(out: int, size: int) -> None:
    os.write(out, f"{size} {time.time()}\n".encode())


if __name__ == "__main__":
    uvloop.run(_beside(sys.argv[1], Path(sys.argv[2])))
