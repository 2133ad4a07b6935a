"""Workers replaced one by one while people ask, and a socket that somebody else opened."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import aiohttp
import pytest

from gateway.errors import SettingsInvalid
from gateway.settings import Settings
from tests.gateway.bootstrap.conftest import Serve, Serving

pytestmark = pytest.mark.anyio


async def until(serving: Serving, event: str) -> None:
    """Two processes start one after the other: that takes longer than one."""
    async with asyncio.timeout(90):
        while f'"event":"{event}"' not in serving.log:
            assert serving.process.returncode is None, serving.log
            await asyncio.sleep(0.05)


async def asking(url: str, stop: asyncio.Event) -> list[int]:
    """A client that keeps its connections, as long as it may; no token is needed to be told that one is missing."""
    said = []
    async with aiohttp.ClientSession(trust_env=False) as session:
        while not stop.is_set():
            async with session.post(f"{url}/graphql", json={"query": "{ hello }"}) as reply:
                await reply.read()
                said.append(reply.status)
            await asyncio.sleep(0.01)
    return said


async def test_workers_are_replaced_one_by_one_and_nobody_notices(serve: Serve, postgresql: str) -> None:
    async with serve("--workers", "2", database_url=postgresql, listening=2) as serving:
        before = {one.pid for one in serving.workers()}
        stop = asyncio.Event()
        clients = [asyncio.create_task(asking(serving.url, stop)) for _ in range(6)]
        serving.signal(signal.SIGUSR2)
        await until(serving, "workers_replaced")
        stop.set()
        said = [status for one in await asyncio.gather(*clients) for status in one]
        assert set(said) == {401}, "a client was refused, or its connection broke"
        assert before.isdisjoint({one.pid for one in serving.workers()})
        assert len(serving.workers()) == 2
        assert "worker_died" not in serving.log
        assert serving.log.count('"event":"listening"') == 4
        serving.signal(signal.SIGTERM)
        assert await serving.end() == 0


async def test_a_replacement_that_cannot_start_leaves_those_who_answer(
    serve: Serve, postgresql: str, tmp_path: Path
) -> None:
    async with serve("--workers", "2", database_url=postgresql, listening=2) as serving:
        before = {one.pid for one in serving.workers()}
        (tmp_path / "manifests" / "bad.toml").write_text("[source]\n", encoding="utf-8")
        serving.signal(signal.SIGUSR2)
        await until(serving, "replacing_given_up")
        assert {one.pid for one in serving.workers()} == before
        async with aiohttp.ClientSession(trust_env=False) as session, session.get(f"{serving.url}/readyz") as reply:
            assert reply.status == 200
        serving.signal(signal.SIGTERM)
        assert await serving.end() == 0


async def test_what_alone_serves_is_not_ended_by_the_signal(serve: Serve) -> None:
    async with serve() as serving:
        serving.signal(signal.SIGUSR2)
        async with aiohttp.ClientSession(trust_env=False) as session, session.get(f"{serving.url}/livez") as reply:
            assert reply.status == 200


def test_auto_is_one_worker_per_core_and_one_with_sqlite() -> None:
    given = {"YIMEN_DEMO": "true", "YIMEN_WORKERS": "auto"}
    assert Settings.load(given, None).processes == 1
    shared = given | {"YIMEN_DATABASE_URL": "postgresql+psycopg://h/d"}
    assert Settings.load(shared, None).processes == len(os.sched_getaffinity(0))
    with pytest.raises(SettingsInvalid, match="workers must be auto or a whole number from 1 to 64"):
        Settings.load(given | {"YIMEN_WORKERS": "many"}, None)


def test_a_socket_of_the_service_manager_is_taken_over() -> None:
    """systemd hands it over as descriptor 3 and says to which process."""
    script = """
    import os, socket, sys
    from gateway.web.serve import inherited
    assert inherited() is None
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    print(inherited().getsockname()[1])
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LISTEN_")}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], preexec_fn=lambda: os.dup2(listener.fileno(), 3),
            pass_fds=(3,), env=environ, cwd=Path(__file__).parents[3], capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
        assert int(done.stdout) == listener.getsockname()[1]


def test_the_process_that_only_starts_workers_is_light() -> None:
    """What it does not load it does not weigh: a third of a worker."""
    script = "import sys, gateway.bootstrap.serving; print(*{'sqlalchemy', 'strawberry', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


def test_libraries_that_few_workers_use_wait_for_their_first_use() -> None:
    script = "import sys, gateway.bootstrap.composition, adapters.rest_answer; print(*{'lxml', 'webauthn', 'alembic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
