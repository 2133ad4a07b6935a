"""Who shares a commit with whom, and that waiting for the disk or for another process never holds the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence

import psycopg
import pytest
import sqlalchemy as sa

from gateway.errors import EvidenceUnavailable
from gateway.settings import Settings
from gateway.store import Store, sqlite_journal
from gateway.store.engine import _unreached, sqlite_path
from gateway.store.evidence import EventRow, StoredEvidence
from gateway.store.sqlite_journal import SqliteJournal
from gateway.store.tables import access_event
from tests.gateway.store.conftest import HandClock
from tests.gateway.store.events import event
from tests.gateway.store.outboxes import make_outbox

pytestmark = pytest.mark.anyio


class Noting:
    """A journal that takes as long as it is told, and notes how many rows came together."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = asyncio.Event()
        self.go.set()

    async def write(self, rows: Sequence[EventRow], asked: Sequence[object] = ()) -> Sequence[str]:
        self.batches.append(len(rows))
        await self.go.wait()
        return ["OK"] * len(asked)

    async def close(self) -> None: ...


def evidence(journal: Noting, at_work: int) -> StoredEvidence:
    made = StoredEvidence(journal, make_outbox(), asyncio.Event(), HandClock(), timeout_s=5)
    made.in_company_of(lambda: at_work)
    return made


async def test_who_is_alone_waits_for_nobody() -> None:
    journal = Noting()
    kept = evidence(journal, 1)
    loop = asyncio.get_running_loop()
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    loop.call_soon(turn)
    await kept.record(event())
    assert journal.batches == [1]
    assert turns < 20  # a millisecond of a loop that spins is hundreds


async def test_those_at_work_beside_share_one_commit() -> None:
    journal = Noting()
    kept = evidence(journal, 3)
    first = asyncio.create_task(kept.record(event()))
    await asyncio.sleep(0)  # it stands in the line, and the writer waits for the others
    await asyncio.sleep(0)
    assert journal.batches == []
    await asyncio.gather(first, kept.record(event()), kept.record(event()))
    assert journal.batches == [3]


async def test_who_never_comes_is_waited_for_once_and_not_again_at_once() -> None:
    journal = Noting()
    kept = evidence(journal, 2)  # somebody is at work and stays there
    for _ in range(10):
        await kept.record(event())
    assert journal.batches == [1] * 10
    assert kept._in_vain > 0


async def worked(turns: int) -> None:
    """What another request does on the loop, in turns that each take their time."""
    for _ in range(turns):
        time.sleep(0.000_3)
        await asyncio.sleep(0)


async def test_whose_work_the_loop_is_at_shares_the_commit_whoever_did_not_come_before() -> None:
    journal = Noting()
    kept = evidence(journal, 2)
    kept._in_vain = 16  # nobody is waited for with hands in the lap

    async def other() -> None:
        await worked(4)
        await kept.record(event())

    await asyncio.gather(kept.record(event()), other())
    assert journal.batches == [2]


async def test_a_loop_that_is_always_busy_keeps_nobodys_record_for_long() -> None:
    journal = Noting()
    kept = evidence(journal, 2)
    kept._in_vain = 16
    busy = asyncio.create_task(worked(10_000))
    began = time.perf_counter()
    await asyncio.wait_for(kept.record(event()), 2)
    assert time.perf_counter() - began < 0.5  # two milliseconds, where nobody else wants this processor
    assert journal.batches == [1]
    assert not busy.done()
    busy.cancel()


async def test_closing_waits_for_no_company() -> None:
    journal = Noting()
    kept = evidence(journal, 9)
    asked = asyncio.create_task(kept.record(event()))
    await asyncio.sleep(0)
    await kept.close()
    await asked
    assert journal.batches == [1]


async def test_another_process_that_writes_is_waited_for_on_the_thread(settings: Settings, store: Store) -> None:
    if not settings.sqlite:
        pytest.skip("PostgreSQL has no such lock")
    await store.evidence.record(event())  # the connection is open: from now on it is tried where it is
    path = sqlite_path(store.database.engine.url)
    holding, free = threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            holding.set()
            free.wait(10)
            other.execute("COMMIT")
        other.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert await asyncio.to_thread(holding.wait, 10)
    waiting = asyncio.create_task(store.evidence.record(event()))
    for _ in range(50):  # the loop goes on turning while it waits
        await asyncio.sleep(0)
    assert not waiting.done()
    free.set()
    receipt = await waiting
    await asyncio.to_thread(holder.join)
    assert receipt.id in await _ids(store)
    await store.evidence.record(event())  # and afterwards it is impatient again
    journal = store.evidence._journal
    (left,) = journal._thread.connection().execute("PRAGMA busy_timeout").fetchone()  # type: ignore[attr-defined]
    assert left == 0


async def test_what_was_begun_in_place_and_failed_is_rolled_back(settings: Settings, store: Store) -> None:
    await store.evidence.record(event())
    bad = event(policy_version=None)  # not null in the table
    answers = await asyncio.gather(store.evidence.record(bad), return_exceptions=True)
    assert type(answers[0]).__name__ == "EvidenceUnavailable"
    receipt = await store.evidence.record(event())
    assert receipt.id in await _ids(store)
    assert len(await _ids(store)) == 2


async def _ids(store: Store) -> list[str]:
    async with store.database.read() as connection:
        return list(await connection.scalars(sa.select(access_event.c.id).order_by(access_event.c.id)))


def test_a_server_that_does_not_answer_is_told_from_one_that_refuses() -> None:
    silent = psycopg.OperationalError("connection refused")
    assert _unreached(silent)
    assert not _unreached(psycopg.errors.LockNotAvailable("waited too long"))
    assert not _unreached(sqlite3.OperationalError("database is locked"))


async def test_who_gives_up_waiting_for_sorting_leaves_its_transaction_alone(settings: Settings, store: Store) -> None:
    """A reader whose client is gone is cancelled, and with it goes the store's turn; the thread is still sorting."""
    if not settings.sqlite:
        pytest.skip("on PostgreSQL nothing is sorted in")
    first = await store.evidence.record(event())
    journal = store.evidence._journal
    assert isinstance(journal, SqliteJournal)
    within, go = threading.Event(), threading.Event()
    sort = journal._fold

    def slowly() -> None:
        connection = journal._thread.connection()
        connection.execute("BEGIN IMMEDIATE")
        within.set()
        go.wait(10)
        connection.execute("ROLLBACK")
        sort()

    journal._fold = slowly  # type: ignore[method-assign]
    reader = asyncio.create_task(_ids(store))
    assert await asyncio.to_thread(within.wait, 10)
    reader.cancel()
    await asyncio.wait({reader})
    journal._fold = sort  # type: ignore[method-assign]
    recording = asyncio.create_task(store.evidence.record(event()))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not recording.done()
    go.set()
    receipt = await recording
    assert await _ids(store) == [first.id, receipt.id]
    names = ("synchronous", "foreign_keys", "wal_autocheckpoint", "busy_timeout")
    pragmas = [journal._thread.connection().execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert pragmas == [1, 0, 0, 0]  # NORMAL (the log is synced after it), OFF, never, at once


async def test_a_fault_of_ours_in_the_middle_leaves_no_transaction_open(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not settings.sqlite:
        pytest.skip("on PostgreSQL it is one statement")
    first = await store.evidence.record(event())

    def broken(_row: EventRow) -> tuple[object, ...]:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_journal, "_pending", broken)
        with pytest.raises(EvidenceUnavailable):
            await store.evidence.record(event())
    receipt = await store.evidence.record(event())
    assert await _ids(store) == [first.id, receipt.id]
