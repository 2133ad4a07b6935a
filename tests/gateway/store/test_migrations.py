"""The road from nothing to tables.py: one way, once, and never over a newer database."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import HEAD, StoreRefused, StoreUnavailable, migrate_store, open_store, store_revision
from gateway.store.engine import open_database
from gateway.store.migrate import alembic_config
from gateway.store.tables import metadata
from tests.gateway.store.conftest import Databases


@pytest.mark.anyio
async def test_an_empty_database_gets_exactly_the_tables(databases: Databases) -> None:
    settings = databases.empty()
    assert await store_revision(settings) is None
    file = make_url(settings.database_url).database if settings.database_url.startswith("sqlite") else None
    assert file is None or not Path(file).exists(), "asking made a file"
    assert (await migrate_store(settings)).before is None
    assert (await migrate_store(settings)).before == HEAD
    assert await store_revision(settings) == HEAD
    database = open_database(settings)

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


def test_the_code_knows_its_own_last_step_and_no_step_goes_back() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert scripts.get_heads() == [HEAD]
    for script in scripts.walk_revisions():
        with pytest.raises(NotImplementedError, match="forward"):
            script.module.downgrade()


@pytest.mark.anyio
async def test_replicas_starting_together_on_an_empty_database_agree(databases: Databases) -> None:
    settings = databases.empty()
    stores = await asyncio.gather(*(open_store(settings, SystemClock()) for _ in range(3)))
    ids = {tuple(await store.subjects.intern(["440606199003070017"])) for store in stores}
    assert len(ids) == 1
    async with stores[0].database.read() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM data_key")) == 2
        assert await connection.scalar(sa.text("SELECT count(*) FROM heartbeat")) == 1
    for store in stores:
        await store.close()


@pytest.mark.anyio
async def test_a_newer_database_is_refused_in_plain_words_and_left_alone(databases: Databases) -> None:
    settings = databases.migrated()
    database = open_database(settings)
    async with database.write() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(StoreRefused, match=r"revision 9999.*newer version.*nothing was changed"):
        await open_store(settings, SystemClock())
    assert await store_revision(settings) == "9999"


@pytest.mark.anyio
async def test_a_migration_that_fails_leaves_the_database_as_it_was(databases: Databases) -> None:
    settings = databases.empty()
    database = open_database(settings)
    async with database.write() as connection:
        await connection.execute(sa.text("CREATE TABLE officer_token (x INTEGER)"))  # in the way of a later statement
    with pytest.raises(StoreRefused, match="undone"):
        await migrate_store(settings)
    async with database.read() as connection:
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    assert names == ["officer_token"]
    await database.close()


@pytest.mark.anyio
async def test_a_database_that_is_not_there_is_a_plain_error_without_its_password(tmp_path: Path) -> None:
    nowhere = Settings(
        database_url="postgresql+psycopg://yimen:hunter2hunter2@127.0.0.1:9/yimen", master_key=bytes(range(32))
    )
    with pytest.raises(StoreUnavailable) as caught:
        await open_store(nowhere, SystemClock())
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreUnavailable):
        await open_store(replace(nowhere, database_url=f"sqlite:///{blocked}/sub/y.db"), SystemClock())
    (tmp_path / "not.db").write_bytes(b"this is no database" * 100)
    with pytest.raises((StoreUnavailable, StoreRefused)):
        await open_store(replace(nowhere, database_url=f"sqlite:///{tmp_path}/not.db"), SystemClock())


@pytest.mark.anyio
async def test_sqlite_is_durable_and_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "y.db"
    store = await open_store(Settings(database_url=f"sqlite:///{path}", master_key=bytes(range(32))), SystemClock())
    async with store.database.read() as connection:
        values = [
            await connection.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert values == ["wal", 2, 1]
    for file in path.parent.iterdir():
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    await store.close()


@pytest.mark.anyio
async def test_a_server_that_may_lose_commits_is_refused(databases: Databases) -> None:
    settings = databases.migrated()
    if settings.sqlite:
        pytest.skip("SQLite is told to be durable, not asked")
    lax = replace(settings, database_url=settings.database_url + "&options=-c%20synchronous_commit%3Doff")
    with pytest.raises(StoreRefused, match="synchronous_commit"):
        await open_store(lax, SystemClock())


@pytest.mark.anyio
async def test_the_persons_of_a_record_are_found_without_reading_everybodys(databases: Databases) -> None:
    """A proof page asks for one record's persons, and a check of the store for a page of records'."""
    settings = databases.migrated()
    database = open_database(settings)
    look = "SELECT subject_id FROM access_event_subject WHERE event_id = 'x'"
    async with database.read() as connection:
        if settings.sqlite:
            plan = str((await connection.execute(sa.text(f"EXPLAIN QUERY PLAN {look}"))).all())
        else:
            await connection.execute(sa.text("SET enable_seqscan = off"))  # an empty table would be read as a whole
            plan = str((await connection.execute(sa.text(f"EXPLAIN {look}"))).all())
    await database.close()
    assert "ix_access_event_subject_event" in plan
