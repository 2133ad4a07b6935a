"""The seeds of a record's persons stand with its event; those of earlier versions stand apart, and are found there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import HEAD, Store, open_store
from gateway.store.engine import sqlite_path
from gateway.store.recording.outbox import seeds_of
from gateway.store.tables import access_event, access_event_subject
from ledger.entry import parse_entry
from tests.gateway.store.conftest import HandClock, OpenStore
from tests.gateway.store.events import event
from tests.gateway.store.recording.test_openings import commits, entry_of

pytestmark = pytest.mark.anyio


def test_each_has_their_piece_in_the_order_of_ids_and_what_stands_apart_stays_there() -> None:
    assert seeds_of(b"aabb", [("y", None), ("x", None)]) == [("x", b"aa"), ("y", b"bb")]
    assert seeds_of(b"aabb", []) == []
    assert seeds_of(b"aabbc", [("y", None), ("x", None)]) == [("x", b""), ("y", b"")], "nothing goes unseen behind them"
    assert seeds_of(None, [("x", b"aa"), ("y", None)]) == [("x", b"aa"), ("y", None)]
    assert seeds_of(b"aabb", [("x", b"cc"), ("y", None)]) == [("x", b"cc"), ("y", None)]


async def fits(store: Store, record_id: str) -> bool:
    opened = await store.openings.open(record_id)
    return opened is not None and commits(parse_entry(await entry_of(store, record_id)), opened)


async def test_a_record_of_an_earlier_version_still_opens(store: Store) -> None:
    receipt = await store.evidence.record(event(["s2", "s1"]))
    assert await fits(store, receipt.id)
    async with store.database.write() as connection:
        joined = await connection.scalar(sa.select(access_event.c.seed_ct)) or b""
        for subject_id, seed_ct in seeds_of(bytes(joined), [("s1", None), ("s2", None)]):
            whose = access_event_subject.c.subject_id == subject_id
            await connection.execute(sa.update(access_event_subject).where(whose).values(seed_ct=seed_ct))
        await connection.execute(sa.update(access_event).values(seed_ct=None))
    assert await fits(store, receipt.id)


async def test_what_still_waited_when_the_version_changed_is_taken_along(
    settings: Settings, open_replica: OpenStore, clock: HandClock, tmp_path: Path
) -> None:
    if not settings.sqlite:
        pytest.skip("only on SQLite a record waits")
    store, copy = await open_replica(), tmp_path / "copy.db"
    receipts = [await store.evidence.record(event(who)) for who in (["s2", "s1"], [])]
    with (
        closing(sqlite3.connect(sqlite_path(store.database.engine.url))) as here,
        closing(sqlite3.connect(copy, isolation_level=None)) as there,
    ):
        here.backup(there)
        there.execute("ALTER TABLE access_event_pending ADD COLUMN seeds BLOB")
        there.execute("UPDATE access_event_pending SET seeds = seed_ct, seed_ct = NULL WHERE subjects IS NOT NULL")
        assert there.execute("SELECT count(*), count(seeds) FROM access_event_pending").fetchone() == (2, 1)
        assert there.execute("UPDATE alembic_version SET version_num = '0017'").rowcount == 1
    assert HEAD > "0017"
    later = await open_store(replace(settings, database_url=f"sqlite:///{copy}"), clock)
    try:
        assert [await fits(later, receipt.id) for receipt in receipts] == [True, True]
        async with later.database.read() as connection:
            apart = await connection.execute(
                sa.select(access_event_subject.c.subject_id, access_event_subject.c.seed_ct)
            )
            assert {subject_id: len(seed_ct) for subject_id, seed_ct in apart.all()} == {"s1": 125, "s2": 125}
    finally:
        await later.close()
