"""What every test of this folder stands on: a PostgreSQL, and replicas as an operator starts them."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.flows.faults_ledger.serving import manifests
from tests.flows.faults_ledger.test_killed import free_port
from tests.gateway.bootstrap.conftest import Serve, serve
from tests.replicas.replicas import Replicas
from tests.replicas.standby import Server, place

__all__ = ["serve"]


@pytest.fixture(scope="session")
def one_server() -> Iterator[Server]:
    """PostgreSQL for all tests of this folder that need one and no more."""
    folder = place()
    server = Server(folder / "server", free_port())
    try:
        server.begin()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def postgresql(one_server: Server) -> str:
    """The URL of a new, empty database."""
    name = f"t{secrets.token_hex(6)}"
    await one_server.ask(f"CREATE DATABASE {name}")
    return one_server.url(name)


@pytest.fixture
async def keys_database(one_server: Server) -> str:
    """Where the persons' keys lie: several hosts need PostgreSQL for that, too."""
    name = f"k{secrets.token_hex(6)}"
    await one_server.ask(f"CREATE DATABASE {name}")
    return one_server.url(name)


@pytest.fixture
async def replicas(serve: Serve, postgresql: str, keys_database: str, tmp_path: Path) -> AsyncIterator[Replicas]:
    """None runs yet; all of them are gone when the test ends."""
    async with AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Replicas.balancer())
        given = {
            "manifests_dir": manifests(tmp_path), "database_url": postgresql, "subject_keys_url": keys_database,
            "public_url": balancer.url, "ledger_origin": "ledger.example/log", "drain_s": 5, "drain_announce_s": 1,
        }  # fmt: skip
        yield Replicas(serve, given, balancer, stack)
