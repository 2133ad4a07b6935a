"""The door on PostgreSQL: one prepared statement, one round trip, for a whole batch."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import orjson
import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.door import Batch
from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreUnavailable

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

    A connection that turns out broken is replaced by the next batch; this one is refused, since it is not known whether
    its proofs were spent.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: AsyncConnection | None = None

    async def ask(self, batch: Batch) -> tuple[frozenset[str], frozenset[int]]:
        parameters = (orjson.dumps(batch.proofs).decode(), orjson.dumps(batch.named).decode())
        try:
            async with asyncio.timeout(2 * self._database.timeout_s):  # the server's own limit is half of it
                driver = await self._driver()
                rows = await (await driver.execute(_STATEMENT, parameters, prepare=True)).fetchall()
        except TimeoutError:
            await self._let_go()
            raise StoreUnavailable("the database took too long at the door") from None
        except psycopg.Error as error:
            await self._let_go()
            raise StoreUnavailable(f"the database does not open the door ({fault_name(error)})") from None
        except BaseException:
            await self._let_go()
            raise
        return frozenset(key for key, _ in rows if key is not None), frozenset(n for _, n in rows if n is not None)

    async def close(self) -> None:
        await self._let_go()

    async def _driver(self) -> psycopg.AsyncConnection[Any]:
        fresh = self._held is None
        if self._held is None:
            with self._database.faults():
                self._held = await self._database.lasting_connection()
        driver = (await self._held.get_raw_connection()).driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101  (for the type checker)
        if fresh:
            await driver.execute("SET synchronous_commit = off")
        return driver

    async def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(Exception):
                await held.invalidate()  # the pool must not hand out a connection that is set like this one
            with contextlib.suppress(Exception):
                await held.close()
