"""Who carries the news: PostgreSQL between processes, or the one process itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.services.event_bus import Events, Hear
from gateway.store.engine import Database
from gateway.store.events import Heard, worded


class LocalEvents:
    """Implements `Events` where one process has the database for itself. Commands beside it are heard at the next look."""

    def __init__(self, database: Database, heard: Heard) -> None:
        self._heard = heard
        database.said = heard.take

    def subscribe(self, topic: str, hear: Hear) -> Callable[[], None]:
        return self._heard.subscribe(topic, hear)

    async def publish(self, topic: str, payload: str = "") -> None:
        self._heard.take(worded(topic, payload))


@asynccontextmanager
async def open_events(database: Database) -> AsyncIterator[Events]:
    """Listens while the block runs. Never fails for a database that is away: it is listened to again once it is back."""
    heard = Heard()
    if database.is_sqlite:
        yield LocalEvents(database, heard)
        database.said = None
        return
    from gateway.store.postgres_events import PostgresEvents  # only here: psycopg costs memory where it is not used

    events = PostgresEvents(database, heard)
    listening = asyncio.create_task(events.listen(), name="events")
    try:
        yield events
    finally:
        listening.cancel()
        await asyncio.wait({listening})
