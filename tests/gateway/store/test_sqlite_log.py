"""On SQLite a record is durable when the log is synced, which the loop awaits: nobody is answered before, and a sync that
failed is made good before anything else is written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from gateway.clock import SystemClock
from gateway.errors import EvidenceUnavailable
from gateway.settings import Settings
from gateway.store import Store, migrate_store, open_store, sqlite_journal, sqlite_log
from gateway.store.errors import StoreUnavailable
from gateway.store.sqlite_journal import SqliteJournal
from gateway.store.sqlite_log import WAYS, SqliteLog
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's queue is Linux' own")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path}/y.db", master_key=bytes(range(32)))


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    await migrate_store(settings)
    store = await open_store(settings, SystemClock())
    yield store
    await store.close()


@pytest.fixture
def journal(store: Store) -> SqliteJournal:
    assert isinstance(store.evidence._journal, SqliteJournal)
    return store.evidence._journal


@pytest.fixture
def pipe() -> Iterator[int]:
    """The kernel syncs none: EINVAL."""
    reading, writing = os.pipe()
    yield writing
    os.close(reading)
    os.close(writing)


def _recorded(settings: Settings) -> int:
    """By another connection; sorted in or not."""
    with contextlib.closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as connection:
        (many,) = connection.execute(
            "SELECT (SELECT count(*) FROM access_event_pending) + (SELECT count(*) FROM access_event)"
        ).fetchone()
        return int(many)


async def test_nobody_is_answered_before_what_was_committed_is_on_the_disk(
    settings: Settings, store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go, seen = asyncio.Event(), asyncio.Event(), []
    sync = journal._log.sync

    async def slowly() -> None:
        seen.append(_recorded(settings))
        reached.set()
        await go.wait()
        await sync()

    monkeypatch.setattr(journal._log, "sync", slowly)
    recording = asyncio.create_task(store.evidence.record(event()))
    await asyncio.wait_for(reached.wait(), 10)
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen == [1]
    assert not recording.done()
    go.set()
    await asyncio.wait_for(recording, 10)


async def test_others_write_while_a_sync_is_under_way(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def never_ending() -> None:
        reached.set()
        await go.wait()

    monkeypatch.setattr(journal._log, "sync", never_ending)
    recording = asyncio.create_task(store.evidence.record(event()))
    await asyncio.wait_for(reached.wait(), 10)
    async with asyncio.timeout(10), store.database.write():
        assert not recording.done()
    go.set()
    await recording


async def test_after_a_sync_that_failed_the_log_is_taken_in_before_anything_is_written(
    settings: Settings, store: Store, journal: SqliteJournal, pipe: int, tmp_path: Path
) -> None:
    await store.evidence.record(event())
    _instead(journal._log, os.dup(pipe))
    with pytest.raises(EvidenceUnavailable, match="does not reach the disk"):
        await store.evidence.record(event())
    assert journal._log.in_doubt
    journal._log.let_go()
    journal._timeout_ms = 50  # so long the one in the way is waited for
    log = tmp_path / "y.db-wal"
    with contextlib.closing(sqlite3.connect(tmp_path / "y.db")) as reader:  # in the way of taking it all in
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM access_event_pending").fetchone()[0]
        with pytest.raises(EvidenceUnavailable, match="somebody still reads it"):
            await store.evidence.record(event())
        assert journal._log.in_doubt
        assert before == 2
    assert _recorded(settings) == 2, "something was written upon a log in doubt"
    large = log.stat().st_size
    await store.evidence.record(event())
    assert not _doubted(journal)
    assert log.stat().st_size < large, "the log was not taken into the database first"
    assert _recorded(settings) == 3


async def test_a_connection_that_was_let_go_takes_its_file_along(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await store.evidence.record(event())
    with monkeypatch.context() as patched:
        patched.setattr(sqlite_journal, "_pending", lambda _row: 1 / 0)
        with pytest.raises(EvidenceUnavailable):
            await store.evidence.record(event())
    assert journal._log._is_old
    await store.evidence.record(event())
    held = journal._log._file
    assert held is not None
    assert os.fstat(held).st_ino == (tmp_path / "y.db-wal").stat().st_ino


async def test_the_file_of_before_is_closed_on_the_loop_alone(tmp_path: Path) -> None:
    """Closed while a sync begins, its number would be another file's, which would be synced in its place."""
    (tmp_path / "y.db-wal").write_bytes(b"before")
    log = SqliteLog(tmp_path / "y.db")
    await log.sync()
    held = log._file
    assert held is not None
    await asyncio.to_thread(log.let_go)
    os.fstat(held)
    (tmp_path / "y.db-wal").unlink()
    (tmp_path / "y.db-wal").write_bytes(b"after")
    await log.sync()
    assert log._file is not None
    assert os.fstat(log._file).st_ino == (tmp_path / "y.db-wal").stat().st_ino
    (tmp_path / "y.db-wal").unlink()
    log.let_go()
    with pytest.raises(StoreUnavailable):
        await log.sync()
    assert log.in_doubt
    log.close()


async def test_sorting_writes_the_log_back_and_recording_never_does(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sqlite_journal, "_LOG_PAGES", 1)
    await store.evidence.record(event())
    await journal.fold()

    def _in_the_database_alone() -> int:
        alone = shutil.copy(tmp_path / "y.db", tmp_path / "alone.db")
        with contextlib.closing(sqlite3.connect(alone)) as connection:
            return int(connection.execute("SELECT count(*) FROM access_event").fetchone()[0])

    assert _in_the_database_alone() == 1
    await store.evidence.record(event())
    assert _in_the_database_alone() == 1
    names = ("synchronous", "foreign_keys", "wal_autocheckpoint")
    pragmas = [journal._thread.connection().execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert pragmas == [1, 0, 0]  # NORMAL, OFF, never


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.rpartition(".")[2])
async def test_each_way_syncs_and_says_when_it_does_not(way: ModuleType, tmp_path: Path, pipe: int) -> None:
    with open(tmp_path / "any", "wb") as file:
        context = await sqlite_log._tried(way, file.fileno())
        with pytest.raises(Exception):  # noqa: B017  (each has its own)
            await context.fdsync(pipe)
        file.write(b"more")
        await context.fdsync(file.fileno())
        context.close()  # type: ignore[no-untyped-call]
    with pytest.raises(Exception):  # noqa: B017
        await sqlite_log._tried(way, pipe)


@_linux
def test_the_kernels_own_queue_comes_first() -> None:
    assert [way.__name__ for way in WAYS] == [
        "caio.linux_aio_asyncio", "caio.thread_aio_asyncio", "caio.python_aio_asyncio",
    ]  # fmt: skip


async def test_where_one_way_does_not_work_the_next_is_taken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forbidden:
        def __init__(self, **_: object) -> None:
            raise PermissionError("a container's rules")

    refused = SimpleNamespace(__name__="refused", AsyncioContext=Forbidden)
    await migrate_store(settings)
    monkeypatch.setattr(sqlite_log, "WAYS", (refused, WAYS[-1]))
    store = await open_store(settings, SystemClock())
    await store.evidence.record(event())
    assert isinstance(store.evidence._journal, SqliteJournal)
    assert isinstance(store.evidence._journal._log._way, WAYS[-1].AsyncioContext)
    await store.close()
    monkeypatch.setattr(sqlite_log, "WAYS", (refused,))
    store = await open_store(settings, SystemClock())
    with pytest.raises(EvidenceUnavailable, match="PermissionError"):
        await store.evidence.record(event())
    await store.close()


def _doubted(journal: SqliteJournal) -> bool:
    return journal._log.in_doubt


def _instead(log: SqliteLog, file: int) -> None:
    assert log._file is not None
    os.close(log._file)
    log._file = file
