"""The contract rows behind a view, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, insert, text
from sqlalchemy.schema import Column, MetaData, Table
from sqlalchemy.types import String

from adapters.sql import SqlKind
from tests.contract.departments import RAW_COLUMNS, RAW_ROWS, Department, department, manifest_for, opening_for
from tests.fakes.postgres import new_database

REQUEST = {
    "view": "v_jzry",
    "key_columns": {"idNo": "sfzh", "name": "xm"},
    "match_on": ["idNo"],
    "order_by": "djbh",
}
ENDLESS = (
    "CREATE VIEW v_jzry AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT jzry.* FROM jzry, n WHERE n.i < 0"
)


def fill(url: URL) -> None:
    engine = create_engine(url)
    table = Table("jzry", MetaData(), *(Column(name, String) for name in RAW_COLUMNS))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(insert(table), RAW_ROWS)
        connection.execute(text("CREATE VIEW v_jzry AS SELECT * FROM jzry"))
    engine.dispose()


@asynccontextmanager
async def sqlite_department(tmp_path: Path) -> AsyncIterator[Department]:
    file = tmp_path / "front.db"
    fill(URL.create("sqlite", database=str(file)))
    manifest = manifest_for("sql", endpoint=f"sqlite+aiosqlite:///{file}", request=REQUEST)
    assert SqlKind().check(manifest) == []
    raw = SqlKind().open(opening_for(manifest, base_dir=tmp_path))

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        away = file.rename(tmp_path / "away.db")
        yield
        away.rename(file)

    @asynccontextmanager
    async def silence() -> AsyncIterator[None]:
        redefine(ENDLESS)
        yield
        redefine("CREATE VIEW v_jzry AS SELECT * FROM jzry")

    def redefine(statement: str) -> None:
        engine = create_engine(URL.create("sqlite", database=str(file)))
        with engine.begin() as connection:
            connection.execute(text("DROP VIEW v_jzry"))
            connection.execute(text(statement))
        engine.dispose()

    yield department(manifest, raw, outage=outage, silence=silence)


@asynccontextmanager
async def postgres_department(tmp_path: Path) -> AsyncIterator[Department]:
    url = new_database("contract")
    fill(url)
    manifest = manifest_for("sql", endpoint=url.render_as_string(hide_password=False), request=REQUEST)
    raw = SqlKind().open(opening_for(manifest, base_dir=tmp_path))
    other = create_engine(url, isolation_level="AUTOCOMMIT")

    def allow_connections(allowed: bool) -> None:
        master = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with master.connect() as connection:
            connection.execute(text(f"ALTER DATABASE contract ALLOW_CONNECTIONS {allowed}"))
            kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'contract'"
            connection.execute(text(kick))
        master.dispose()

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        allow_connections(False)
        yield
        allow_connections(True)

    @asynccontextmanager
    async def silence() -> AsyncIterator[None]:
        with other.connect() as connection:
            connection.execute(text("BEGIN"))
            connection.execute(text("LOCK TABLE jzry IN ACCESS EXCLUSIVE MODE"))
            yield
            connection.execute(text("ROLLBACK"))

    yield department(manifest, raw, outage=outage, silence=silence)
    other.dispose()
