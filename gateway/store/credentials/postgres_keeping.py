"""What is issued, kept on PostgreSQL: two prepared statements in one round trip, for a whole batch and all its tables."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa

from gateway.store.credentials.keeping import Kept, RowsRefused, turn_key
from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreUnavailable
from gateway.store.tables import change_event
from gateway.store.tables.credentials import credential, credential_offer_event
from gateway.store.tables.ledger import ledger_outbox

# First, and a statement of its own, so that the next one sees what whoever had the turn before has kept. In order, so that
# two batches never wait for each other in a circle.
_TURNS = b"""
SELECT count(pg_advisory_xact_lock(lock)) FROM (
  SELECT DISTINCT hashtextextended(value ->> 0, 0) AS lock FROM jsonb_array_elements(%s::jsonb) ORDER BY lock
) AS turns
"""


class PostgresKeeping:
    """Implements `KeepingJournal`. What goes in one pipeline is one transaction.

    Its connection is its own, beside the pool's: it is opened when something is issued and kept, for borrowing one, with the
    question whether it lives, costs more than the statements. One that turns out broken is replaced by the next batch.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statement = _one_statement()
        self._held: psycopg.AsyncConnection[Any] | None = None

    async def keep(self, batch: Sequence[Kept]) -> Sequence[bool]:
        asked = [(n, k.subject_id, k.configuration_id, k.grant_id, k.issued_at_us) for n, k in enumerate(batch)]
        rows = [
            [_named(credential, row, number) for number, kept in enumerate(batch) for row in kept.credentials],
            [_named(credential_offer_event, k.moment, n) for n, k in enumerate(batch) if k.moment is not None],
            [_named(change_event, kept.change, number) for number, kept in enumerate(batch)],
            [
                _named(ledger_outbox, (one.id, one.due_at_us, one.entry), number)
                for number, one in enumerate(kept.waiting for kept in batch)
            ],
        ]
        parameters = [orjson.dumps(one).decode() for one in (asked, *rows)]
        turns = orjson.dumps([[turn_key(one)] for one in batch]).decode()
        try:
            async with asyncio.timeout(2 * self._database.timeout_s):  # the server's own limit is half of it
                driver = await self._driver()
                async with driver.pipeline():
                    await driver.execute(_TURNS, [turns], prepare=True)
                    done = await driver.execute(self._statement, parameters, prepare=True)
                found = await done.fetchall()
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError):
            raise RowsRefused from None
        except (psycopg.Error, TimeoutError, OSError) as error:
            await self.close()
            raise StoreUnavailable(f"the database does not keep credentials ({fault_name(error)})") from None
        except BaseException:
            await self.close()
            raise
        older = {number for (number,) in found}
        return [number not in older for number in range(len(batch))]

    async def close(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(psycopg.Error):
                await held.close()

    async def _driver(self) -> psycopg.AsyncConnection[Any]:
        if self._held is None:
            self._held = await psycopg.AsyncConnection.connect(**self._database.connect_arguments(), autocommit=True)
        return self._held


def _named(table: sa.Table, row: Sequence[Any], number: int) -> dict[str, Any]:
    values = (value.hex() if isinstance(value, bytes) else value for value in row)
    return {"n": number, **dict(zip((str(column.name) for column in table.c), values, strict=True))}


def _one_statement() -> bytes:
    tables = (credential, credential_offer_event, change_event, ledger_outbox)
    inserts = ", ".join(_insert(table) for table in tables)
    statement = (
        "WITH asked AS (SELECT (value ->> 0)::int AS n, value ->> 1 AS subject_id, value ->> 2 AS configuration_id, "  # noqa: S608  (our own words only)
        "value ->> 3 AS grant_id, (value ->> 4)::bigint AS at_us FROM jsonb_array_elements(%s::jsonb)), "
        "older AS (SELECT n FROM asked AS a WHERE EXISTS (SELECT 1 FROM credential AS c "
        "WHERE c.subject_id = a.subject_id AND c.configuration_id = a.configuration_id AND c.grant_id <> a.grant_id "
        f"AND c.state <> 'REVOKED' AND c.valid_until_us > a.at_us)), {inserts} SELECT n FROM older"
    )
    return statement.encode()


def _insert(table: sa.Table) -> str:
    names = ", ".join(column.name for column in table.c)
    types = ", ".join(f"{column.name} {_type(column)}" for column in table.c)
    values = ", ".join(
        f"decode({column.name}, 'hex')" if isinstance(column.type, sa.LargeBinary) else column.name
        for column in table.c
    )
    return (
        f"put_{table.name} AS (INSERT INTO {table.name} ({names}) SELECT {values} "  # noqa: S608  (as above)
        f"FROM jsonb_to_recordset(%s::jsonb) AS b(n int, {types}) WHERE n NOT IN (SELECT n FROM older))"
    )


def _type(column: sa.Column[object]) -> str:
    return "bigint" if isinstance(column.type, sa.Integer) else "text"  # a BigInteger is an Integer
