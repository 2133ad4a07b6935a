"""No record, no release: what was acknowledged is on disk, and what could not be is refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
import threading
from datetime import datetime
from pathlib import Path
from subprocess import PIPE, Popen

import psycopg
import pytest
import sqlalchemy as sa

from gateway.errors import EvidenceUnavailable
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import StoredEvidence
from gateway.store.ids import OrderedIds, to_us
from gateway.store.tables import access_event, access_event_subject
from tests.gateway.store.conftest import START, HandClock, OpenStore
from tests.gateway.store.events import AT, event
from tests.gateway.store.outboxes import make_outbox


async def rows_of(store: Store) -> list[sa.Row]:
    async with store.database.read() as connection:
        return list((await connection.execute(sa.select(access_event).order_by(access_event.c.id))).all())


async def subjects_of(store: Store) -> set[tuple[str, str]]:
    async with store.database.read() as connection:
        found = await connection.execute(sa.select(access_event_subject.c.event_id, access_event_subject.c.subject_id))
        return {(event_id, subject_id) for event_id, subject_id in found}


@pytest.mark.anyio
async def test_an_event_is_stored_whole(store: Store) -> None:
    receipt = await store.evidence.record(event(subjects=["s1", "s2", "s1"]))
    assert receipt.recorded_at == START
    (row,) = await rows_of(store)
    assert (row.id, row.at_us, row.recorded_at_us) == (receipt.id, to_us(AT), to_us(START))
    assert (row.actor_org, row.actor_user, row.purpose) == ("org-1", "user-1", "RECEPTION")
    assert (row.case_no, row.reference, row.decision) == ("(2026)粤0604刑初123号", None, "ALLOW")
    assert json.loads(row.fields) == ["identity.name", "identity.sex"]
    assert (json.loads(row.rule_ids), json.loads(row.legal_basis)) == (["rule-1"], ["社矫法 5"])
    assert (row.policy_version, json.loads(row.states)) == ("v1", {"FRESH": 2})
    assert (bytes(row.result_digest), bytes(row.result_salt)) == (b"\x00digest\xff", b"salt")
    assert await subjects_of(store) == {(receipt.id, "s1"), (receipt.id, "s2")}


@pytest.mark.anyio
async def test_an_event_about_nobody_is_stored_too(store: Store) -> None:
    receipt = await store.evidence.record(event(subjects=[]))
    assert [row.id for row in await rows_of(store)] == [receipt.id]


@pytest.mark.anyio
async def test_concurrent_records_all_stand_in_the_order_they_came(store: Store) -> None:
    receipts = await asyncio.gather(*(store.evidence.record(event([f"s{number}"])) for number in range(600)))
    ids = [receipt.id for receipt in receipts]
    assert ids == sorted(ids)
    assert [row.id for row in await rows_of(store)] == ids
    assert await subjects_of(store) == {(receipt, f"s{number}") for number, receipt in enumerate(ids)}


@pytest.mark.anyio
@pytest.mark.parametrize("bad", [{"reference": "a\0b"}, {"case_no": "\ud800"}, {"at": datetime(2026, 1, 1)}])  # noqa: DTZ001
async def test_an_event_that_cannot_be_stored_is_refused_and_costs_nobody_else_theirs(store: Store, bad: dict) -> None:
    answers = await asyncio.gather(
        *(store.evidence.record(one) for one in (event(), event(**bad), event())), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == ["Receipt", "EvidenceUnavailable", "Receipt"]
    assert len(await rows_of(store)) == 2


@pytest.mark.anyio
async def test_a_row_only_the_database_refuses_costs_nobody_else_theirs(store: Store) -> None:
    bad = event(policy_version=None)  # not null in the table
    answers = await asyncio.gather(
        *(store.evidence.record(one) for one in (event(), bad, event())), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == ["Receipt", "EvidenceUnavailable", "Receipt"]
    assert len(await rows_of(store)) == 2
    assert (await store.evidence.record(event())).id


@pytest.mark.anyio
async def test_a_database_that_cannot_be_written_means_no_receipt_until_it_can(
    settings: Settings, store: Store
) -> None:
    table = "access_event_pending" if settings.sqlite else "access_event"
    rename(settings, table, "gone")
    with pytest.raises(EvidenceUnavailable):
        await store.evidence.record(event())
    rename(settings, "gone", table)
    receipt = await store.evidence.record(event())
    assert [row.id for row in await rows_of(store)] == [receipt.id]


@pytest.mark.anyio
async def test_records_that_cannot_be_sorted_in_are_kept_and_nobody_reads_past_them(
    settings: Settings, store: Store
) -> None:
    """On SQLite they wait in a table of their own: durable, and whoever looks is told that nothing can be said."""
    if not settings.sqlite:
        pytest.skip("on PostgreSQL nothing waits")
    rename(settings, "access_event", "gone")
    receipt = await store.evidence.record(event())
    with pytest.raises(StoreUnavailable):
        await rows_of(store)
    rename(settings, "gone", "access_event")
    assert [row.id for row in await rows_of(store)] == [receipt.id]


def rename(settings: Settings, table: str, to: str) -> None:
    """By somebody who knows nothing of our turns."""
    statement, url = f"ALTER TABLE {table} RENAME TO {to}", settings.database_url
    if settings.sqlite:
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
            other.execute(statement)
        return
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute(statement)


@pytest.mark.anyio
async def test_a_server_that_dropped_our_connection_costs_no_record(settings: Settings, store: Store) -> None:
    if settings.sqlite:
        pytest.skip("SQLite has no server")
    await store.evidence.record(event())
    with psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'yimen'")
    await store.evidence.record(event())
    assert len(await rows_of(store)) == 2


@pytest.mark.anyio
async def test_a_lock_held_by_another_process_means_no_receipt(
    settings: Settings, clock: HandClock, tmp_path: Path
) -> None:
    from dataclasses import replace

    from gateway.store import open_store

    store = await open_store(replace(settings, database_timeout_s=0.3), clock)
    url = settings.database_url
    other: sqlite3.Connection | psycopg.Connection
    if settings.sqlite:
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(url.replace("+psycopg", ""))
        other.execute("LOCK TABLE access_event IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(EvidenceUnavailable):
        await store.evidence.record(event())
    other.rollback()
    other.close()
    receipt = await store.evidence.record(event())
    assert receipt.id in {row.id for row in await rows_of(store)}
    await store.close()


@pytest.mark.anyio
async def test_a_caller_that_gives_up_harms_nobody(store: Store) -> None:
    tasks = [asyncio.create_task(store.evidence.record(event())) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kept = {answer.id for answer in answers[1::2]}  # type: ignore[union-attr]
    assert len(kept) == 10
    assert kept <= {row.id for row in await rows_of(store)}


@pytest.mark.anyio
async def test_closing_writes_what_was_accepted_and_takes_no_more(store: Store, open_replica: OpenStore) -> None:
    tasks = [asyncio.create_task(store.evidence.record(event())) for _ in range(50)]
    await asyncio.sleep(0)
    await store.evidence.close()
    assert len({receipt.id for receipt in await asyncio.gather(*tasks)}) == 50
    with pytest.raises(EvidenceUnavailable):
        await store.evidence.record(event())
    assert len(await rows_of(await open_replica())) == 50


class StuckJournal:
    """A disk that never answers; `batches` shows what it was handed."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = asyncio.Event()

    async def write(self, rows: list[object]) -> None:  # type: ignore[override]
        self.batches.append(len(rows))
        await self.go.wait()

    async def close(self) -> None: ...


@pytest.mark.anyio
async def test_a_stuck_disk_bounds_time_and_memory() -> None:
    journal = StuckJournal()
    evidence = StoredEvidence(journal, make_outbox(), asyncio.Event(), HandClock(), timeout_s=0.2)
    tasks = [asyncio.create_task(evidence.record(event())) for _ in range(6000)]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, EvidenceUnavailable) for answer in answers)
    assert {str(answer) for answer in answers} == {"recording took too long", "too many records are waiting"}
    journal.go.set()
    assert (await evidence.record(event())).id
    await evidence.close()


@pytest.mark.anyio
async def test_whoever_arrives_during_a_commit_shares_the_next() -> None:
    journal = StuckJournal()
    evidence = StoredEvidence(journal, make_outbox(), asyncio.Event(), HandClock(), timeout_s=5)
    tasks = [asyncio.create_task(evidence.record(event()))]
    while not journal.batches:
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(evidence.record(event())) for _ in range(30)]
    await asyncio.sleep(0)
    journal.go.set()
    await asyncio.gather(*tasks)
    assert journal.batches == [1, 30]
    await evidence.close()


def test_ids_never_go_down_even_when_the_clock_does() -> None:
    new_id = OrderedIds()
    times = [1_800_000_000_000_000, 1_800_000_000_000_000, 1_800_000_000_500_000, 1_700_000_000_000_000]
    ids = [new_id(at_us) for at_us in times for _ in range(50)]
    assert ids == sorted(set(ids))
    assert all(one[14] == "7" and one[19] in "89ab" for one in ids)
    assert int(ids[0].replace("-", "")[:12], 16) == 1_800_000_000_000


RECORDER = """
import asyncio, sys
from pathlib import Path
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import open_store
from tests.gateway.store.events import event

async def main():
    store = await open_store(
        Settings(database_url=sys.argv[1], master_key=bytes(range(32)), state_dir=Path(sys.argv[2])), SystemClock()
    )
    async def record():
        while True:
            receipt = await store.evidence.record(event())
            sys.stdout.write(receipt.id + "\\n")
            sys.stdout.flush()
    await asyncio.gather(*(record() for _ in range(8)))

asyncio.run(main())
"""


@pytest.mark.anyio
async def test_what_a_killed_process_had_acknowledged_is_there(settings: Settings, open_replica: OpenStore) -> None:
    process = Popen(
        [sys.executable, "-c", RECORDER, settings.database_url, str(settings.state_dir)], stdout=PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged.append(line.strip())
            if len(acknowledged) == 300:
                process.send_signal(signal.SIGKILL)

    reader = threading.Thread(target=read)
    reader.start()
    await asyncio.to_thread(reader.join, 60)
    assert process.wait() == -signal.SIGKILL
    store = await open_replica()
    rows = {row.id for row in await rows_of(store)}
    whole = [one for one in acknowledged if len(one) == 36]
    assert len(whole) >= 300
    assert rows >= set(whole)
    assert {event_id for event_id, _ in await subjects_of(store)} == rows  # never an event without its people
