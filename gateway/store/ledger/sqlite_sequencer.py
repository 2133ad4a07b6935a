"""Sequencing on SQLite: its own connection on its own thread, and the store's turn to write like everyone else.

Who leads holds a lock on a file beside the database, which the system lets go when the process dies; and the fence, since
a lock on a file is advice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator

from gateway.services.ledger.ports import NotLeading
from gateway.store.engine import Database, sqlite_path
from gateway.store.errors import StoreUnavailable
from gateway.store.ledger.sequencing import (
    DUE,
    ENTRY_DOUBLED,
    FENCE,
    HEAD,
    LOOK,
    Broken,
    Growth,
    Head,
    Steps,
    broken_tile,
    grown,
    head_of,
)
from gateway.store.sqlite_thread import SqliteThread
from ledger.encoding import HASH_BYTES
from ledger.merkle import leaf_hash

_TAKE = f"SELECT id, entry FROM ledger_outbox WHERE {DUE} ORDER BY id LIMIT :most"  # noqa: S608  (our own words only)
_REMOVE = f"DELETE FROM ledger_outbox WHERE {DUE} AND id <= :last"  # noqa: S608  (just what was taken: it was in order)
_GROW = (
    "UPDATE ledger_shard SET size = ?, root = ?, frontier = ? "
    "WHERE shard = ? AND fence = ? AND size = ? AND state = 'ACTIVE' AND halted IS NULL"
)
_TILE = (
    "INSERT INTO ledger_tile (shard, level, n, hashes) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (shard, level, n) DO UPDATE SET hashes = excluded.hashes"
)
_REPEATED = (
    "DELETE FROM ledger_outbox WHERE EXISTS "
    "(SELECT 1 FROM ledger_entry e WHERE e.id = ledger_outbox.id AND e.entry = ledger_outbox.entry)"
)


class SqliteSequencer:
    """Implements `sequencing.Sequencer`."""

    def __init__(self, database: Database, steps: Steps) -> None:
        self._database, self._turn, self._steps = database, database.sole_writer, steps
        self._path, self._thread = sqlite_path(database.engine.url), SqliteThread(database, "ledger")
        self._lock: int | None = None
        self._fence: int | None = None
        self.term = 0

    @property
    def fence(self) -> int:
        if self._fence is None:
            raise NotLeading("this process does not lead")
        return self._fence

    async def lead(self) -> bool:
        if self._fence is not None:
            return True
        if not self._locked():
            return False
        async with self._turn:
            self._fence = await self._thread(self._take_fence)
            self.term += 1
        return self._fence is not None

    async def sequence(self, most: int, now_us: int, furthest_us: int) -> int:
        fence = self.fence
        due = {"now": now_us, "furthest": furthest_us, "most": most}
        try:
            async with self._turn:
                if self._database.sorting is not None:  # what was recorded in haste belongs into the outbox first
                    await self._database.sorting.fold_in_turn()
                return await self._thread(self._sequence, fence, due)
        except NotLeading:
            await self.step_down()
            raise

    async def step_down(self) -> None:
        lock, self._lock, self._fence = self._lock, None, None
        if lock is not None:
            os.close(lock)

    async def close(self) -> None:
        await self.step_down()
        await self._thread.close()

    def _locked(self) -> bool:
        if self._lock is not None:
            return True
        try:
            lock = os.open(f"{self._path}-leader", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"the ledger's lock file cannot be opened ({type(error).__name__})") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _take_fence(self) -> int | None:
        with self._faults():
            found = self._thread.connection().execute(FENCE).fetchall()
            return int(found[0][0]) if found else None

    def _sequence(self, fence: int, due: dict[str, int]) -> int:
        with self._faults():
            connection = self._thread.connection()
            seen = connection.execute(LOOK, due).fetchone()
            head_of(seen).held_by(fence)
            if not seen[-1]:
                return 0
            self._steps("sequence/found")
            connection.execute("BEGIN IMMEDIATE")
            try:
                return self._write(connection, fence, due)
            except sqlite3.IntegrityError:
                connection.execute("ROLLBACK")
            # What was committed was written once more, by somebody who did not hear of it.
            if connection.execute(_REPEATED).rowcount == 0:
                raise Broken(ENTRY_DOUBLED, "two different entries have one id")
            connection.execute("BEGIN IMMEDIATE")
            return self._write(connection, fence, due)

    def _write(self, connection: sqlite3.Connection, fence: int, due: dict[str, int]) -> int:
        head = head_of(connection.execute(HEAD).fetchone())
        head.held_by(fence)
        taken = connection.execute(_TAKE, due).fetchall()
        leaves = [leaf_hash(entry) for _, entry in taken]
        connection.executemany(
            "INSERT INTO ledger_entry (shard, number, id, leaf_hash, entry) VALUES (?, ?, ?, ?, ?)",
            [
                (head.shard, number, id_, leaf, entry)
                for number, ((id_, entry), leaf) in enumerate(zip(taken, leaves, strict=True), head.size)
            ],
        )
        self._steps("sequence/entered")
        if connection.execute(_REMOVE, {**due, "last": taken[-1][0] if taken else ""}).rowcount != len(taken):
            raise NotLeading("the outbox changed under us")
        self._steps("sequence/taken")
        self._grow(connection, head, grown(head, leaves))
        self._steps("sequence/grown")
        connection.execute("COMMIT")
        self._steps("sequence/committed")
        return len(taken)

    def _grow(self, connection: sqlite3.Connection, head: Head, growth: Growth) -> None:
        for (level, n), (position, hashes) in growth.tiles.items():
            key = (head.shard, level, n)
            found = connection.execute(
                "SELECT hashes FROM ledger_tile WHERE shard = ? AND level = ? AND n = ?", key
            ).fetchone()
            before = found[0] if found else b""
            if len(before) != position * HASH_BYTES:
                raise broken_tile(*key)
            connection.execute(_TILE, (*key, before + hashes))
        new = (growth.size, growth.root, growth.frontier)
        if connection.execute(_GROW, (*new, head.shard, head.fence, head.size)).rowcount != 1:
            raise NotLeading("the shard changed under us")

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Whatever goes wrong, the transaction is rolled back by letting its connection go."""
        try:
            yield
        except sqlite3.Error as error:
            self._thread.let_go()
            raise StoreUnavailable(f"the database does not sequence ({error.sqlite_errorname})") from None
        except BaseException:
            self._thread.let_go()
            raise
