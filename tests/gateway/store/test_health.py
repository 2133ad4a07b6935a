"""Ready means that a write works now."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import Store, StoreUnavailable, open_store
from gateway.store import health as health_module
from gateway.store.ids import to_us
from gateway.store.tables import heartbeat
from tests.gateway.store.conftest import HandClock


@pytest.mark.anyio
async def test_a_ping_writes_but_not_for_everyone_who_asks(store: Store, clock: HandClock) -> None:
    await asyncio.gather(*(store.ping() for _ in range(20)))
    asked_at = clock.now()
    clock.forward(10)
    await store.ping()
    async with store.database.read() as connection:
        assert await connection.scalar(sa.select(heartbeat.c.at_us)) == to_us(asked_at)


@pytest.mark.anyio
async def test_a_store_that_takes_no_writes_is_not_ready_until_it_does(
    settings: Settings, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_GOOD_FOR_S", 0.0)
    store = await open_store(replace(settings, database_timeout_s=0.3), clock)
    await store.ping()
    other: sqlite3.Connection | psycopg.Connection
    if settings.sqlite:
        other = sqlite3.connect(settings.database_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(settings.database_url.replace("+psycopg", ""))
        other.execute("LOCK TABLE heartbeat")
    with pytest.raises(StoreUnavailable):
        await store.ping()
    other.rollback()
    other.close()
    await store.ping()
    await store.close()
