"""`yimen db migrate | status`, and the store that a command opens for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.store import HEAD, Store, migrate_store, open_store, store_revision


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """For one command; a gateway that runs beside it sees at once what it does. Raises what `open_store` raises."""
    store = await open_store(settings, SystemClock())
    try:
        yield store
    finally:
        await store.close()


async def migrate_database(settings: Settings) -> str:
    done = await migrate_store(settings)
    return f"数据库已是版本 {HEAD} The database is at version {HEAD} ({done})"


async def database_status(settings: Settings) -> str:
    found = await store_revision(settings)
    return f"数据库版本 database: {found or '-'}; 程序版本 program: {HEAD}"
