"""News on PostgreSQL: LISTEN on a connection kept for it, NOTIFY within the transaction that has something to say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import psycopg
import structlog

from gateway.services.event_bus import Hear
from gateway.store.engine import Database, fault_name
from gateway.store.events import CHANNEL, Heard, worded

_log = structlog.get_logger("yimen.events")
_LISTEN = f"LISTEN {CHANNEL}".encode()
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', %s)"
_AGAIN_S, _LONGEST_S = 0.2, 5.0
_ALIVE_S = 30.0
"""How long a silent connection is trusted: one that leads nowhere says nothing, and so does a day on which nothing happens."""


class PostgresEvents:
    """Implements `Events`. What is said while nobody listens is lost, so each new connection begins with `missed`."""

    def __init__(self, database: Database, heard: Heard) -> None:
        self._database, self._heard = database, heard

    def subscribe(self, topic: str, hear: Hear) -> Callable[[], None]:
        return self._heard.subscribe(topic, hear)

    async def publish(self, topic: str, payload: str = "") -> None:
        said = worded(topic, payload)
        async with self._database.read() as connection:
            await connection.exec_driver_sql(_NOTIFY, (said,))

    async def listen(self) -> None:
        """Until cancelled, whatever becomes of the connection."""
        pause = _AGAIN_S
        while True:
            try:
                async with await self._connected() as connection:
                    await connection.execute(_LISTEN)
                    pause = _AGAIN_S
                    self._heard.missed()  # from here on everything is heard; what was said before is not
                    await self._hear(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("events_not_heard", reason=fault_name(error))
            await asyncio.sleep(pause)
            pause = min(_LONGEST_S, 2 * pause)

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        """Outside the pool, whose connections are for asking."""
        return await psycopg.AsyncConnection.connect(**self._database.connect_arguments(), autocommit=True)

    async def _hear(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Returns never; raises once the connection is of no use."""
        while True:
            async with contextlib.aclosing(connection.notifies(timeout=_ALIVE_S)) as news:
                async for one in news:
                    self._heard.take(one.payload)
            async with asyncio.timeout(self._database.timeout_s):
                await connection.execute(b"SELECT 1")
