"""`yimen db migrate | status`."""

from __future__ import annotations

from gateway.settings import Settings
from gateway.store import HEAD, migrate_store, store_revision


async def migrate_database(settings: Settings) -> str:
    done = await migrate_store(settings)
    return f"数据库已是版本 {HEAD} The database is at version {HEAD} ({done})"


async def database_status(settings: Settings) -> str:
    found = await store_revision(settings)
    return f"数据库版本 database: {found or '-'}; 程序版本 program: {HEAD}"
