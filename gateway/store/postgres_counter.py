"""The counter on PostgreSQL: one prepared statement, one round trip, one durable commit for a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.oauth_counter import CHANGED, OK, Settlement
from gateway.store.postgres_held import HeldConnection

# What is spent goes in in order, so that two replicas never wait for each other in a circle.
_STATEMENT = b"""
WITH good AS (
  SELECT (a.value ->> 0)::int AS number
  FROM jsonb_array_elements(%s::jsonb) AS a
  JOIN oauth_client AS c ON c.client_id = a.value ->> 1 AND c.updated_at_us = (a.value ->> 2)::bigint
  WHERE c.disabled_at_us IS NULL
),
shown AS (
  SELECT s.value ->> 1 AS kind, s.value ->> 2 AS key, max((s.value ->> 3)::bigint) AS until_us
  FROM jsonb_array_elements(%s::jsonb) AS s JOIN good ON good.number = (s.value ->> 0)::int
  GROUP BY 1, 2
),
fresh AS (
  INSERT INTO spent_once (kind, key, until_us) SELECT kind, key, until_us FROM shown ORDER BY kind, key
  ON CONFLICT DO NOTHING RETURNING kind, key
)
SELECT number, NULL, NULL FROM good
UNION ALL
SELECT NULL, kind, key FROM fresh
"""


class PostgresCounter:
    """Implements `gateway.store.oauth_counter.CounterJournal`. The statement is a transaction of its own, and durable."""

    def __init__(self, database: Database) -> None:
        self._held = HeldConnection(database, "settle anything")

    async def settle(self, batch: Sequence[Settlement]) -> Sequence[str]:
        clients = [(number, one.client_id, one.version) for number, one in enumerate(batch)]
        spends = [(n, s.kind, s.key, to_us(s.until)) for n, one in enumerate(batch) for s in one.spends]
        rows = await self._held.ask(_STATEMENT, clients, spends)
        good = {number for number, _, _ in rows if number is not None}
        fresh = {(kind, key) for number, kind, key in rows if number is None}
        return [_said(one, fresh) if number in good else CHANGED for number, one in enumerate(batch)]

    async def close(self) -> None:
        await self._held.let_go()


def _said(settlement: Settlement, fresh: set[tuple[str, str]]) -> str:
    """Takes what it spends out of `fresh`: of two in one batch that show the same, the first has it."""
    said = OK
    for one in settlement.spends:
        if (one.kind, one.key) in fresh:
            fresh.remove((one.kind, one.key))
        elif said == OK:
            said = one.kind
    return said
