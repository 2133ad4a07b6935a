"""On SQLite a record is durable when the log is synced, which the loop awaits: nobody is answered before, and a sync that
failed is made good before anything else is written."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.errors import EvidenceUnavailable
from gateway.settings import Settings
from gateway.store import Store, migrate_store, open_store, sqlite_journal, sqlite_log
from gateway.store.errors import StoreUnavailable
from gateway.store.sole_writer import SoleWriter
from gateway.store.sqlite_journal import SqliteJournal
from gateway.store.sqlite_log import WAYS, SqliteLog
from tests.gateway.store.events import event

pytestmark = pytest.mark.anyio
_ITS_OWN = (OSError, SystemError, ValueError)
"""What the ways raise: each one of these."""
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


async def test_after_a_sync_that_failed_the_log_is_taken_in_before_anybody_writes_anything(
    settings: Settings, store: Store, journal: SqliteJournal, pipe: int, tmp_path: Path
) -> None:
    await store.evidence.record(event())
    _instead(journal._log, os.dup(pipe))
    with pytest.raises(EvidenceUnavailable, match="does not reach the disk"):
        await store.evidence.record(event())
    turn = store.database.sole_writer
    assert _doubted(store)
    journal._log.let_go()
    turn._timeout_s = 0.05  # so long the one in the way is waited for
    log = tmp_path / "y.db-wal"
    with contextlib.closing(sqlite3.connect(tmp_path / "y.db")) as reader:  # in the way of taking it all in
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM access_event_pending").fetchone()[0]
        with pytest.raises(EvidenceUnavailable, match="somebody still reads it"):
            await store.evidence.record(event())
        with pytest.raises(StoreUnavailable, match="somebody still reads it"):
            async with store.database.write():
                pytest.fail("upon a log in doubt nobody writes")
        with pytest.raises(StoreUnavailable):
            await store.health.ping()
        assert _doubted(store)
        assert before == 2
    assert _recorded(settings) == 2, "something was written upon a log in doubt"
    large = log.stat().st_size
    await store.evidence.record(event())
    assert not _doubted(store)
    assert log.stat().st_size < large, "the log was not taken into the database first"
    assert _recorded(settings) == 3
    await store.health.ping()


async def test_a_sync_that_was_cut_off_leaves_the_log_in_doubt(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.evidence.record(event())
    began = asyncio.Event()

    async def never(_file: int) -> None:
        began.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(journal._log._way, "fdsync", never)
        syncing = asyncio.create_task(journal._log.sync())
        await asyncio.wait_for(began.wait(), 10)
        syncing.cancel()
        await asyncio.wait({syncing})
    assert _doubted(store)
    await store.evidence.record(event())
    assert not _doubted(store)


@pytest.mark.parametrize("fault", [RuntimeError, OverflowError, OSError])
async def test_whatever_a_way_raises_leaves_the_log_in_doubt(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    await store.evidence.record(event())

    async def broken(_file: int) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(journal._log._way, "fdsync", broken)
        with pytest.raises(EvidenceUnavailable, match=fault.__name__):
            await store.evidence.record(event())
    assert _doubted(store)


async def test_the_logs_file_is_open_before_anything_is_committed(
    settings: Settings, store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells each open file of an error once: one that is opened later never hears of it."""
    seen = []
    write = journal._at_once

    def looked(*given: Any) -> Any:
        seen.append((journal._log.is_open, _recorded(settings)))
        return write(*given)

    monkeypatch.setattr(journal, "_at_once", looked)
    await store.evidence.record(event())
    journal._release()
    await store.evidence.record(event())
    assert seen == [(True, 0), (True, 1)]


@pytest.mark.parametrize("faulty", ["record", "sort"])
async def test_a_connection_that_was_let_go_takes_its_file_along(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faulty: str
) -> None:
    await store.evidence.record(event())
    with monkeypatch.context() as patched:
        if faulty == "record":
            patched.setattr(sqlite_journal, "_pending", lambda _row: 1 / 0)
            with pytest.raises(EvidenceUnavailable):
                await store.evidence.record(event())
        else:
            patched.setattr(sqlite_journal, "_FOLD", ("no statement",))
            with pytest.raises(StoreUnavailable):
                await journal.fold()
    assert not journal._log.is_open
    await store.evidence.record(event())
    assert journal._log._file is not None
    assert os.fstat(journal._log._file).st_ino == (tmp_path / "y.db-wal").stat().st_ino
    assert not _doubted(store)


async def test_a_log_that_became_another_one_is_not_taken_for_this_one(
    store: Store, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread, still busy with what somebody gave up, lets the connection go just before it writes."""
    await store.evidence.record(event())

    def elsewhere(*given: Any) -> Any:
        journal._release()
        return None  # on the thread, then

    with monkeypatch.context() as patched:
        patched.setattr(journal, "_at_once", elsewhere)
        with pytest.raises(EvidenceUnavailable, match="another one"):
            await store.evidence.record(event())
    assert _doubted(store)
    await store.evidence.record(event())


async def test_a_database_behind_a_link_has_its_log_beside_itself(settings: Settings, tmp_path: Path) -> None:
    await migrate_store(settings)
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "y.db")
    (link.parent / "link.db-wal").write_bytes(b"left behind by somebody")
    store = await open_store(replace(settings, database_url=f"sqlite:///{link}"), SystemClock())
    await store.evidence.record(event())
    assert isinstance(store.evidence._journal, SqliteJournal)
    held = store.evidence._journal._log._file
    assert held is not None
    assert os.fstat(held).st_ino == (tmp_path / "y.db-wal").stat().st_ino
    await store.close()


async def test_the_file_of_before_is_closed_on_the_loop_alone(tmp_path: Path) -> None:
    """Closed while a sync begins, its number would be another file's, which would be synced in its place."""
    (tmp_path / "y.db-wal").write_bytes(b"before")
    turn = SoleWriter(None, 1)
    log = SqliteLog(turn)
    await log.open(tmp_path / "y.db")
    await log.sync()
    held = log._file
    assert held is not None
    await asyncio.to_thread(log.let_go)
    os.fstat(held)
    with pytest.raises(StoreUnavailable):
        await log.sync()
    assert turn.in_doubt
    (tmp_path / "y.db-wal").unlink()
    (tmp_path / "y.db-wal").write_bytes(b"after")
    await log.open(tmp_path / "y.db")
    await log.sync()
    assert log._file is not None
    assert os.fstat(log._file).st_ino == (tmp_path / "y.db-wal").stat().st_ino
    log.close()


@_linux
async def test_a_store_that_is_closed_leaves_no_file_open(settings: Settings) -> None:
    await migrate_store(settings)
    await _opened_and_closed(settings)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await _opened_and_closed(settings)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


@_linux
async def test_a_way_that_does_not_work_leaves_no_file_open(pipe: int) -> None:
    async def tried() -> int:
        with pytest.raises(_ITS_OWN):
            await sqlite_log._tried(WAYS[0], pipe)
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    assert await tried() == await tried() == await tried()


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
    names = ("synchronous", "foreign_keys", "wal_autocheckpoint", "busy_timeout")
    pragmas = [journal._thread.connection().execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert pragmas == [1, 0, 0, 0]  # NORMAL, OFF, never, at once


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.rpartition(".")[2])
async def test_each_way_syncs_and_says_when_it_does_not(way: ModuleType, tmp_path: Path, pipe: int) -> None:
    with open(tmp_path / "any", "wb") as file:
        context = await sqlite_log._tried(way, file.fileno())
        with pytest.raises(_ITS_OWN):
            await context.fdsync(pipe)
        file.write(b"more")
        await context.fdsync(file.fileno())
        context.close()
    with pytest.raises(_ITS_OWN):
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


def _doubted(store: Store) -> bool:
    return store.database.sole_writer.in_doubt


async def _opened_and_closed(settings: Settings) -> None:
    store = await open_store(settings, SystemClock())
    await store.evidence.record(event())
    await store.close()


def _instead(log: SqliteLog, file: int) -> None:
    assert log._file is not None
    os.close(log._file)
    log._file = file
