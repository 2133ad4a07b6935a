"""Stopping: every process, at once, and nothing is forgotten of why."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Alert
from gateway.clock import Clock
from gateway.services.ledger.ports import Exhibit
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.tables.ledger import ledger_exhibit, ledger_shard
from ledger.entry import canonical

RaiseWithin = Callable[[AsyncConnection, Alert], Awaitable[str]]
"""`StoredAlerts.raise_within`: handed in, since alerts stand in the ledger themselves."""
_HALTED = "SELECT halted FROM ledger_shard WHERE state = 'ACTIVE' AND halted IS NOT NULL"
_LOOK_S = 1.0


class Halted:
    """Whether the ledger takes anything. Read by every process.

    What is guaranteed: `sequence`, `keep_checkpoint` and the journals of access events read the row in their own
    transaction. On SQLite nothing of theirs commits after a halt; on PostgreSQL no number and no signature does, and of
    records only what was being written at that instant. Whoever asks here notices within a second, at once in the process
    that halted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reason: str | None = None
        self._looked = float("-inf")

    async def reason(self) -> str | None:
        """A code; None while the ledger takes entries. Raises StoreUnavailable."""
        if time.monotonic() - self._looked >= _LOOK_S:
            rows = await self._database.rows(sa.text(_HALTED), {})
            self._reason, self._looked = (rows[0][0] if rows else None), time.monotonic()
        return self._reason

    def forget(self) -> None:
        """The next one who asks looks."""
        self._looked = float("-inf")


class Halting:
    """Exhibits, the alarm that goes with each, and the halt."""

    def __init__(self, database: Database, clock: Clock, raise_within: RaiseWithin, halted: Halted) -> None:
        self._database, self._clock, self._raise_within, self._halted = database, clock, raise_within, halted

    async def halt(self, reason: str, exhibit: Exhibit) -> None:
        """See `SequencedLog.halt`. The first reason stays; the exhibit is kept whichever it was."""
        async with self._database.write() as connection:
            stop = sa.update(ledger_shard).where(ledger_shard.c.state == "ACTIVE", ledger_shard.c.halted.is_(None))
            values = {"halted": reason[:64], "halted_at_us": to_us(self._clock.now())}
            await connection.execute(stop.values(values))
            await self._keep(connection, exhibit)
        self._halted.forget()

    async def keep_exhibit(self, exhibit: Exhibit) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await self._keep(connection, exhibit)

    async def _keep(self, connection: AsyncConnection, exhibit: Exhibit) -> None:
        row = {
            "id": exhibit_id(exhibit), "shard": exhibit.shard, "at_us": to_us(self._clock.now()),
            "kind": exhibit.kind, "about": exhibit.about, "documents": orjson.dumps(dict(exhibit.documents)).decode(),
        }  # fmt: skip
        insert = self._database.insert(ledger_exhibit).values(row).on_conflict_do_nothing()
        if (await connection.execute(insert)).rowcount == 0:
            return
        detail = {"kind": exhibit.kind, "shard": exhibit.shard, "exhibit": row["id"]}
        about = f"{exhibit.kind} {exhibit.about}"  # of one witness, another wrong is another alert: an open one is not repeated
        alert = Alert("A13_LEDGER_BREAK", "S1", "SYSTEM", about, SYSTEM_ORG, detail=detail)
        await self._raise_within(connection, alert)


SYSTEM_ORG = ""
"""Nobody's own: whoever watches everything sees it."""


def exhibit_id(exhibit: Exhibit) -> str:
    """The same for the same documents, so that they are kept once."""
    said = canonical({
        "shard": exhibit.shard, "kind": exhibit.kind, "about": exhibit.about, "documents": dict(exhibit.documents),
    })  # fmt: skip
    return sha256(said).hexdigest()[:32]
