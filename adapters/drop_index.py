"""The index of a dropped set: an embedded SQLite file, so that a lookup never reads a drop again.

Readers see the set before or after a drop, never between: a drop is one transaction. A crash within it leaves the
old set (the write-ahead log of an unfinished transaction is ignored). Backend's promise: what `commit` returned from
is on disk (synchronous = FULL).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.drop_writer import Writer
from adapters.errors import Reason, SourceUnavailable

_LAYOUT: Final = 1  # raise it when the tables or the forms of keys change: the index is then made anew
_ASKED_AT_ONCE: Final = 500
_SCHEMA: Final = """
CREATE TABLE drops (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL, shown TEXT NOT NULL, digest BLOB NOT NULL,
  dated_at REAL NOT NULL, mtime_ns INTEGER NOT NULL, received_at REAL NOT NULL, live INTEGER NOT NULL,
  records INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0, doubtful INTEGER NOT NULL DEFAULT 0,
  refused TEXT NOT NULL DEFAULT '');
CREATE INDEX drops_digest ON drops (digest);
CREATE TABLE records (
  id INTEGER PRIMARY KEY, drop_id INTEGER NOT NULL, ident BLOB NOT NULL, same BLOB NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX records_same ON records (drop_id, same);
CREATE INDEX records_ident ON records (ident);
CREATE TABLE keys (mac BLOB NOT NULL, record_id INTEGER NOT NULL, drop_id INTEGER NOT NULL,
  PRIMARY KEY (mac, record_id)) WITHOUT ROWID;
CREATE INDEX keys_record ON keys (record_id);
CREATE TABLE doubts (mac BLOB NOT NULL, drop_id INTEGER NOT NULL, PRIMARY KEY (mac, drop_id)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Drop:
    """One delivery as the index remembers it. `refused` is "" for one that was used."""

    id: int
    name: bytes  # MAC of the file name
    shown: str
    digest: bytes
    dated_at: datetime
    mtime_ns: int
    received_at: datetime
    live: bool
    records: int
    bad: int
    doubtful: bool  # a line was lost whose key could not be read
    refused: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A sealed record and the date of the drop it came in."""

    body: bytes
    dated_at: datetime


@dataclass(frozen=True, slots=True)
class View:
    """What one consistent look at the index shows. `drop` is the newest used one; None before the first."""

    drop: Drop | None
    doubtful: bool
    rows: tuple[tuple[Stored, ...], ...]  # per key asked
    doubts: tuple[bool, ...]  # per key asked: a line about it was lost


class DropIndex:
    """One file, two connections: one for the thread that takes drops, one for lookups. Thread-safe.

    `fingerprint` stands for all that the content depends on (columns, keys, encryption key) and is part of the file's
    name: a changed manifest has an index of its own, read anew from the drops, while the old one still answers.
    A damaged file is made anew. Raises SourceUnavailable(DOWN) for every fault of the disk.
    """

    def __init__(self, directory: Path, source: str, fingerprint: str) -> None:
        self._directory, self._source = directory, source
        self._path = directory / f"{source}.{fingerprint}.{_LAYOUT}.drop.db"
        self._read_lock, self._write_lock = threading.Lock(), threading.RLock()
        with self._faults():
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._remove()
                self._open()

    def find(self, keys: Sequence[frozenset[bytes]]) -> View:
        """The rows for each key; keys are sets of MACs, any of which will do."""
        asked = sorted(set().union(*keys)) if keys else []
        with self._faults(), self._read_lock:
            self._reader.execute("BEGIN")
            try:
                newest = self._newest(self._reader)
                doubtful = bool(self._reader.execute("SELECT 1 FROM drops WHERE live AND doubtful LIMIT 1").fetchone())
                found: dict[bytes, dict[int, Stored]] = {}
                doubts: set[bytes] = set()
                for start in range(0, len(asked), _ASKED_AT_ONCE):
                    some = asked[start : start + _ASKED_AT_ONCE]
                    marks = ",".join("?" * len(some))
                    for mac, record_id, body, dated_at in self._reader.execute(
                        "SELECT k.mac, r.id, r.body, d.dated_at FROM keys k JOIN records r ON r.id = k.record_id"  # noqa: S608  (only "?" marks are put in)
                        f" JOIN drops d ON d.id = r.drop_id WHERE k.mac IN ({marks})",
                        some,
                    ):
                        found.setdefault(mac, {})[record_id] = Stored(body, _instant(dated_at))
                    sql = f"SELECT mac FROM doubts WHERE mac IN ({marks})"  # noqa: S608  (only "?" marks are put in)
                    doubts.update(mac for (mac,) in self._reader.execute(sql, some))
            finally:
                self._reader.execute("COMMIT")
        return View(
            newest, doubtful, tuple(_merged(found, macs) for macs in keys), tuple(bool(doubts & macs) for macs in keys)
        )

    def newest(self) -> Drop | None:
        """The newest drop in use."""
        with self._faults(), self._read_lock:
            return self._newest(self._reader)

    def by_digest(self, digest: bytes) -> Drop | None:
        """The last delivery of this very content."""
        with self._faults(), self._read_lock:
            return _first(self._reader, "WHERE digest = ? ORDER BY id DESC", (digest,))

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """One transaction: kept as a whole when the block ends, dropped as a whole when it raises."""
        with self._faults(), self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._read_lock:
            self._reader.close()
        with self._write_lock:
            self._writer.close()

    def forget_others(self) -> None:
        """Remove the indexes of earlier manifests, now that this one answers; whoever still has one open keeps it."""
        for path in self._directory.glob(f"{self._source}.*.drop.db*"):
            if not path.name.startswith(self._path.name):
                path.unlink(missing_ok=True)

    def _open(self) -> None:
        # Made here first, since SQLite would make it readable for the group; its -wal and -shm copy this mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("BEGIN IMMEDIATE")
        if self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'drops'").fetchone() is None:
            for statement in _SCHEMA.split(";"):
                self._writer.execute(statement)
        self._writer.execute("COMMIT")
        self._reader = self._connect()
        self._newest(self._reader)  # a damaged file shows here

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -8192")  # KiB
        connection.execute("PRAGMA journal_size_limit = 67108864")
        return connection

    def _remove(self) -> None:
        for name in ("_reader", "_writer"):
            if hasattr(self, name):
                getattr(self, name).close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @staticmethod
    def _newest(connection: sqlite3.Connection) -> Drop | None:
        return _first(connection, "WHERE live ORDER BY dated_at DESC, mtime_ns DESC, id DESC", ())

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            # SQLite's texts name tables and the disk, never values; an OSError's would name paths
            detail = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
            raise SourceUnavailable(self._source, Reason.DOWN, f"the index cannot be used: {detail}") from error


def _merged(found: dict[bytes, dict[int, Stored]], macs: frozenset[bytes]) -> tuple[Stored, ...]:
    rows: dict[int, Stored] = {}
    for mac in macs:
        rows.update(found.get(mac, {}))
    return tuple(rows[record] for record in sorted(rows))


def _first(connection: sqlite3.Connection, where: str, values: tuple[object, ...]) -> Drop | None:
    sql = (
        "SELECT id, name, shown, digest, dated_at, mtime_ns, received_at, live, records, bad, doubtful, refused"  # noqa: S608  (`where` is one of our own clauses)
        f" FROM drops {where} LIMIT 1"
    )
    row = connection.execute(sql, values).fetchone()
    if row is None:
        return None
    number, name, shown, digest, dated_at, mtime_ns, received_at, live, records, bad, doubtful, refused = row
    return Drop(
        number, name, shown, digest, _instant(dated_at), mtime_ns, _instant(received_at),
        bool(live), records, bad, bool(doubtful), refused,
    )  # fmt: skip


def _instant(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
