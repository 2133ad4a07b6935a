"""A destroyed key stays destroyed: in every process, in the mirror, and in a copy that is put back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import Store, StoreRefused, open_store
from gateway.store.errors import StoreUnavailable, SubjectErased
from gateway.store.subject_keys import kept, stored
from gateway.store.subject_keys.tree import leaf_of, path_to
from tests.gateway.store.conftest import Databases, HandClock, with_other_key

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["file", "same kind"])
def apart(request: pytest.FixtureRequest, settings: Settings, databases: Databases, tmp_path: Path) -> Settings:
    """Keys in a file, and in a database of the kind the main one is of."""
    url = f"sqlite:///{tmp_path}/keys.db" if request.param == "file" else databases.empty().database_url
    return replace(settings, subject_keys_url=url, subject_keys_mirror=tmp_path / "mirror")


def sealed_in(store: Store, who: str) -> bytes:
    return store.subject_keys.ring.seal(who, b"here", b"word")


def opens(store: Store, who: str, sealed: bytes) -> bool:
    try:
        return store.subject_keys.ring.unseal(who, b"here", sealed) == b"word"
    except SubjectErased:
        return False


async def nodes_of(store: Store) -> set[str]:
    kept = store.subject_keys._nodes, store.subject_keys._mirror
    found: list[set[str]] = []
    for one in kept:
        assert one is not None
        async with one.database.read() as connection:
            found.append(set(await connection.scalars(sa.text("SELECT node FROM subject_key_node"))))
    assert found[0] == found[1]
    return found[0]


async def test_keys_outlive_a_start_and_a_destruction_reaches_all(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    sealed = {who: sealed_in(store, who) for who in ("s1", "s2")}
    await store.close()
    here, there = await open_store(apart, clock), await open_store(apart, clock)
    assert opens(there, "s1", sealed["s1"])
    await here.subject_keys.destroy("s1")
    await here.subject_keys.destroy("s1")
    assert not opens(here, "s1", sealed["s1"])
    async with asyncio.timeout(5):
        while opens(there, "s1", sealed["s1"]):
            await asyncio.sleep(0.05)
    assert opens(here, "s2", sealed["s2"])
    assert opens(there, "s2", sealed["s2"])
    kept = await nodes_of(here)
    assert not kept & {f"{node:x}" for node in path_to(leaf_of("s1"))}
    assert len(kept) == 64
    await here.close()
    await there.close()


async def test_processes_that_destroy_at_once_destroy_all(apart: Settings, clock: HandClock) -> None:
    stores = [await open_store(apart, clock) for _ in range(3)]
    people = [f"s{number}" for number in range(12)]
    await asyncio.gather(*(stores[number % 3].subject_keys.destroy(who) for number, who in enumerate(people)))
    for store in stores:
        await store.subject_keys.look()
        assert not any(store.subject_keys.ring.exists(who) for who in people)
        assert store.subject_keys.ring.exists("s12")
        await store.close()


async def test_a_first_start_of_several_makes_one_tree(apart: Settings, clock: HandClock) -> None:
    stores = await asyncio.gather(*(open_store(apart, clock) for _ in range(3)))
    sealed = sealed_in(stores[0], "s1")
    assert all(opens(store, "s1", sealed) for store in stores)
    for store in stores:
        await store.close()


async def test_a_mirror_that_fails_leaves_it_unconfirmed_and_the_next_start_finishes_it(
    apart: Settings, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(apart, clock)
    mirror = store.subject_keys._mirror
    assert mirror is not None

    async def broken(leaf: int) -> bool:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(mirror, "destroy", broken)
    with pytest.raises(StoreUnavailable):
        await store.subject_keys.destroy("s1")
    await store.close()
    store = await open_store(apart, clock)
    assert not set(await nodes_of(store)) & {f"{node:x}" for node in path_to(leaf_of("s1"))}
    await store.close()


async def test_a_copy_put_back_is_punctured_again_before_it_is_used(
    settings: Settings, clock: HandClock, tmp_path: Path
) -> None:
    apart = replace(settings, subject_keys_url=f"sqlite:///{tmp_path}/keys.db")
    store = await open_store(apart, clock)
    sealed = sealed_in(store, "s1")
    await store.close()
    shutil.copy(tmp_path / "keys.db", tmp_path / "old.db")
    store = await open_store(apart, clock)
    await store.subject_keys.destroy("s1")
    await store.close()
    for leftover in tmp_path.glob("keys.db*"):
        leftover.unlink()
    shutil.copy(tmp_path / "old.db", tmp_path / "keys.db")
    store = await open_store(apart, clock)
    assert not opens(store, "s1", sealed)
    await store.close()


async def test_a_standby_that_had_not_heard_of_it_opens_nothing_under_a_running_process(
    apart: Settings, clock: HandClock
) -> None:
    """What a failover of the keys' own database does, where its standby is behind."""
    store = await open_store(apart, clock)
    sealed = sealed_in(store, "s1")
    nodes = store.subject_keys._nodes.database
    tables = (kept._store, kept._node, kept._destroyed)
    async with nodes.read() as connection:
        behind = [[row._asdict() for row in await connection.execute(sa.select(one))] for one in tables]
    await store.subject_keys.destroy("s1")
    async with nodes.write() as connection:
        for one, rows in zip(tables, behind, strict=True):
            await connection.execute(sa.delete(one))
            if rows:
                await connection.execute(sa.insert(one), rows)
    await store.subject_keys.look()
    assert not opens(store, "s1", sealed)
    assert not await nodes_of(store) & {f"{node:x}" for node in path_to(leaf_of("s1"))}
    assert store.subject_keys.ring.exists("s2")
    await store.close()


async def test_a_main_database_put_back_learns_again_what_is_destroyed(
    settings: Settings, apart: Settings, clock: HandClock
) -> None:
    store = await open_store(apart, clock)
    await store.subject_keys.destroy("s1")
    async with store.database.write() as connection:
        await connection.execute(sa.text("DELETE FROM subject_key_destroyed"))
    await store.close()
    store = await open_store(apart, clock)
    async with store.database.read() as connection:
        listed = await connection.scalar(sa.text("SELECT leaf FROM subject_key_destroyed"))
    assert listed == f"{leaf_of('s1'):x}"
    await store.close()


async def test_missing_or_foreign_keys_are_never_made_anew(apart: Settings, clock: HandClock, tmp_path: Path) -> None:
    await (await open_store(apart, clock)).close()
    for elsewhere in (tmp_path / "new", None):
        lost = replace(apart, subject_keys_url=f"sqlite:///{tmp_path}/none.db", subject_keys_mirror=elsewhere)
        with pytest.raises(StoreRefused, match="keys are missing; set subject_keys_url"):
            await open_store(lost, clock)


async def test_another_databases_keys_are_refused(apart: Settings, databases: Databases, clock: HandClock) -> None:
    await (await open_store(apart, clock)).close()
    other = replace(with_other_key(databases.migrated()), subject_keys_url=apart.subject_keys_url)
    with pytest.raises(StoreRefused, match="belong to another database"):
        await open_store(other, clock)


async def test_another_master_key_opens_the_same_keys(apart: Settings, clock: HandClock) -> None:
    store = await open_store(apart, clock)
    sealed = sealed_in(store, "s1")
    await store.close()
    store = await open_store(with_other_key(apart, previous=apart.master_key), clock)
    assert opens(store, "s1", sealed)
    await store.close()


async def test_nothing_of_a_destroyed_node_stays_in_the_file(
    settings: Settings, clock: HandClock, tmp_path: Path
) -> None:
    apart = replace(settings, subject_keys_url=f"sqlite:///{tmp_path}/keys.db")
    store = await open_store(apart, clock)
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        (root,) = connection.execute("SELECT seed_ct FROM subject_key_node").fetchone()
    await store.subject_keys.destroy("s1")
    await store.close()
    assert all(root not in path.read_bytes() for path in tmp_path.glob("keys.db*"))


async def test_whoever_reads_meanwhile_keeps_a_destruction_unconfirmed(
    settings: Settings, clock: HandClock, tmp_path: Path
) -> None:
    """SQLite keeps the old page in its log as long as somebody reads it: a backup that runs, a shell left open."""
    url = f"sqlite:///{tmp_path}/keys.db"
    store = await open_store(replace(settings, subject_keys_url=url, database_timeout_s=1), clock)
    reader = sqlite3.connect(tmp_path / "keys.db", isolation_level=None)

    def left() -> bool:
        return any(root in path.read_bytes() for path in tmp_path.glob("keys.db*"))

    reader.execute("BEGIN")
    (root,) = reader.execute("SELECT seed_ct FROM subject_key_node").fetchone()
    with pytest.raises(StoreUnavailable):
        await store.subject_keys.destroy("s1")
    assert left()
    reader.close()
    await store.subject_keys.destroy("s1")
    assert not left()
    await store.close()


async def test_a_start_clears_what_a_killed_process_left_behind(
    settings: Settings, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = replace(settings, subject_keys_url=f"sqlite:///{tmp_path}/keys.db")
    other, store = await open_store(apart, clock), await open_store(apart, clock)  # the last to close clears up, too
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        (root,) = connection.execute("SELECT seed_ct FROM subject_key_node").fetchone()

    async def killed() -> None:
        raise StoreUnavailable("killed")

    monkeypatch.setattr(store.subject_keys._nodes, "forget", killed)
    with pytest.raises(StoreUnavailable):
        await store.subject_keys.destroy("s1")
    assert any(root in path.read_bytes() for path in tmp_path.glob("keys.db*"))
    third = await open_store(apart, clock)
    assert not any(root in path.read_bytes() for path in tmp_path.glob("keys.db*"))
    for one in (third, store, other):
        await one.close()


def test_two_databases_of_one_state_folder_do_not_meet(tmp_path: Path) -> None:
    settings = Settings(database_url="sqlite:///x", master_key=bytes(32), state_dir=tmp_path)
    assert stored.default_url(settings, "a" * 32) != stored.default_url(settings, "b" * 32)
