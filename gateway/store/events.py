"""News that goes out with the transaction that makes it true: to other processes where there are some, else to our own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.event_bus import LONGEST_PAYLOAD, Hear
from gateway.store.engine import after_commit

CHANNEL = "yimen"
_NOTIFY = sa.text(f"SELECT pg_notify('{CHANNEL}', :said)")


async def say(connection: AsyncConnection, topic: str, payload: str = "") -> None:
    """Heard once the transaction of `connection` (a `Database.write()`) is committed, and not at all where it is not.

    For what happens seldom: PostgreSQL lets only one transaction that says something commit at a time, so the records of
    queries say nothing.
    """
    said = worded(topic, payload)
    if connection.dialect.name == "sqlite":
        after_commit(connection, said)
    else:
        await connection.execute(_NOTIFY, {"said": said})


def worded(topic: str, payload: str) -> str:
    if len(payload.encode()) > LONGEST_PAYLOAD:
        raise ValueError(f"news of {topic} is longer than {LONGEST_PAYLOAD} bytes")
    return f"{topic} {payload}"


class Heard:
    """Who listens in this process. What comes in one turn of the event loop is told at once, each payload once."""

    def __init__(self) -> None:
        self._hears: dict[str, list[Hear]] = {}
        self._news: dict[str, set[str]] = {}
        self._missed = False
        self._due = False

    def subscribe(self, topic: str, hear: Hear) -> Callable[[], None]:
        self._hears.setdefault(topic, []).append(hear)
        return lambda: self._hears[topic].remove(hear)

    def take(self, said: str) -> None:
        topic, _, payload = said.partition(" ")
        if topic in self._hears:
            self._news.setdefault(topic, set()).add(payload)
            self._tell_soon()

    def missed(self) -> None:
        """Something may have been said that we did not hear."""
        self._missed = True
        self._tell_soon()

    def _tell_soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        news, missed = self._news, self._missed
        self._news, self._missed, self._due = {}, False, False
        for topic, hears in list(self._hears.items()):
            if missed or topic in news:
                for hear in list(hears):
                    hear(None if missed else frozenset(news[topic]))
