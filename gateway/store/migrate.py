"""Brings a database to this code's tables: at start and by command, one replica at a time, never backwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreRefused

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0018"
"""The revision of tables.py. Known without alembic, which costs start time and memory and is rarely needed."""

_ADVISORY_LOCK = 0x79696D656E  # "yimen"
_WAIT_S = 120


@dataclass(frozen=True, slots=True)
class Migrated:
    """What happened: `before` is None for an empty database; both are equal when there was nothing to do."""

    before: str | None
    after: str


async def revision(database: Database) -> str | None:
    """The database's revision, None where there are no tables of ours."""
    async with database.read() as connection:
        return await connection.run_sync(_revision)


async def migrate(database: Database) -> Migrated:
    """All in one transaction: done, or as it was.

    Raises StoreRefused for a database newer than this code, StoreUnavailable where it does not answer.
    """
    if await revision(database) == HEAD:
        return Migrated(HEAD, HEAD)
    async with database.write() as connection:
        if not database.is_sqlite:  # there, BEGIN IMMEDIATE is the lock
            await connection.execute(sa.text(f"SET LOCAL statement_timeout = '{_WAIT_S}s'"))
            await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_WAIT_S}s'"))
            await connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        return await connection.run_sync(_upgrade)


def _upgrade(connection: sa.Connection) -> Migrated:
    from alembic import command
    from alembic.script import ScriptDirectory

    before = _revision(connection)  # again, now under the lock: another replica may have been here
    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and before not in known:
        raise StoreRefused(
            f"the database is at revision {before}, this yimen knows only up to {HEAD}: it was used by a newer version. "
            "Install that version; nothing was changed"
        )
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        raise StoreRefused(f"the migration failed and was undone ({fault_name(error)})") from error
    return Migrated(before, HEAD)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def alembic_config() -> Config:
    """For commands and tests; there is no alembic.ini, the scripts travel in the wheel."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
