"""The door on PostgreSQL: one prepared statement, one round trip, for a whole batch."""

from __future__ import annotations

from gateway.store.door import Batch
from gateway.store.engine import Database
from gateway.store.postgres_held import HeldConnection

_STATEMENT = b"""
WITH proof AS (SELECT value ->> 0 AS key, (value ->> 1)::bigint AS until_us FROM jsonb_array_elements(%s::jsonb)),
named AS (
  SELECT (value ->> 0)::int AS number, value ->> 1 AS kind, value ->> 2 AS id, (value ->> 3)::bigint AS since_us
  FROM jsonb_array_elements(%s::jsonb)
),
fresh AS (
  INSERT INTO spent_once (kind, key, until_us) SELECT 'dpop', key, until_us FROM proof ORDER BY key
  ON CONFLICT DO NOTHING RETURNING key
)
SELECT key, NULL::int FROM fresh
UNION ALL
SELECT NULL, n.number FROM named n JOIN revocation r ON r.kind = n.kind AND r.id = n.id WHERE r.at_us >= n.since_us
"""


class PostgresDoor:
    """Keeps one of the pool's connections, with synchronous_commit=off for it alone: the evidence's own commit, which comes
    later in the same log and is synchronous, makes the spending durable before anything is answered.
    """

    def __init__(self, database: Database) -> None:
        self._held = HeldConnection(database, "open the door", b"SET synchronous_commit = off")

    async def ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        rows = await self._held.ask(_STATEMENT, batch.proofs, batch.named)
        return frozenset(key for key, _ in rows if key is not None), frozenset(n for _, n in rows if n is not None)

    async def close(self) -> None:
        await self._held.let_go()
