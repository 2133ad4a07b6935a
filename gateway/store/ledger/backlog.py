"""How many entries wait for their index."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.store.engine import Database
from gateway.store.tables.ledger import ledger_outbox

_MOST = 1_000_000


async def waiting(database: Database) -> int:
    """A million at most; those that are not due yet count, too. Raises StoreUnavailable."""
    some = sa.select(ledger_outbox.c.id).limit(_MOST).subquery()
    async with database.read() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0)
