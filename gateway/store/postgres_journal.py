"""Access events on PostgreSQL: one prepared statement, one round trip, for a whole batch and all its tables."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.ledger.ports import LedgerHalted
from gateway.store.door import OK, batch_of
from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import HALTED, Asked, EventRow, RowRefused
from gateway.store.ids import to_us
from gateway.store.tables import access_event


class PostgresJournal:
    """The statement is a transaction of its own.

    Keeps one of the pool's connections. A connection that turns out broken is replaced and the batch written again;
    ids make that harmless.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statement = _one_statement()
        self._names = [str(column.name) for column in access_event.c]
        self._held: AsyncConnection | None = None
        self._driver: psycopg.AsyncConnection[Any] | None = None

    async def write(self, rows: Sequence[EventRow], asked: Sequence[Asked] = ()) -> Sequence[str]:
        whose = {at: number for number, one in enumerate(asked) for at in range(one.first, one.end)}
        batch = [
            dict(zip(self._names, map(_plain, row.columns), strict=True))
            | {
                "subjects": row.subjects,
                "due": row.waiting.due_at_us,
                "entry": row.waiting.entry.hex(),
                "number": whose.get(at),
            }
            for at, row in enumerate(rows)
        ]
        admissions = [one.admission for one in asked]
        shown = [
            (number, one.admission.proof_key, to_us(one.admission.proof_until), rows[one.first].waiting.id)
            for number, one in enumerate(asked)
        ]
        parts = (shown, batch_of(admissions).named, batch)
        parameters = tuple([orjson.dumps(part).decode() for part in parts])
        fresh = self._held is None
        try:
            async with asyncio.timeout(2 * self._database.timeout_s):  # the server's own limit is half of it
                return await self._execute(parameters, len(asked))
        except TimeoutError:
            await self._let_go()
            raise StoreUnavailable("the database took too long to take records") from None
        except psycopg.OperationalError as error:
            await self._let_go()
            if fresh or isinstance(error, psycopg.errors.QueryCanceled):
                raise StoreUnavailable(f"the database does not take records ({fault_name(error)})") from None
            return await self._again(parameters, len(asked))
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError):
            raise RowRefused from None
        except BaseException:
            await self._let_go()
            raise

    async def close(self) -> None:
        await self._let_go()

    async def _execute(self, parameters: tuple[str, ...], asked: int) -> Sequence[str]:
        if self._held is None:
            with self._database.faults():
                self._held = await self._database.lasting_connection()
            driver = (await self._held.get_raw_connection()).driver_connection
            assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101  (for the type checker)
            self._driver = driver
        assert self._driver is not None  # noqa: S101  (for the type checker)
        told = await (await self._driver.execute(self._statement, parameters, prepare=True)).fetchall()
        said = [OK] * asked
        for number, word in told:
            if number is None:
                raise LedgerHalted(str(word))
            said[number] = str(word)
        return said

    async def _again(self, parameters: tuple[str, ...], asked: int) -> Sequence[str]:
        """Not known is whether it was carried out; whose event stands there already had its proof spent with it."""
        try:
            return await self._execute(parameters, asked)
        except psycopg.Error as error:
            await self._let_go()
            raise StoreUnavailable(f"the database does not take records ({fault_name(error)})") from None

    async def _let_go(self) -> None:
        held, self._held, self._driver = self._held, None, None
        if held is not None:
            with contextlib.suppress(Exception):
                await held.invalidate()
            with contextlib.suppress(Exception):
                await held.close()


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _one_statement() -> bytes:
    names = ", ".join(column.name for column in access_event.c)
    types = ", ".join(f"{column.name} {_type(column)}" for column in access_event.c)
    values = ", ".join(
        f"decode({column.name}, 'hex')" if isinstance(column.type, sa.LargeBinary) else column.name
        for column in access_event.c
    )
    statement = (
        f"WITH halted AS ({HALTED}), "  # noqa: S608  (our own words only)
        "shown AS (SELECT (value ->> 0)::int AS number, value ->> 1 AS key, (value ->> 2)::bigint AS until_us, "
        "value ->> 3 AS event FROM jsonb_array_elements(%s::jsonb) WHERE NOT EXISTS (SELECT 1 FROM halted)), "
        # In order of their keys: two replicas that meet the same ones wait for each other, and never both.
        "fresh AS (INSERT INTO spent_once (kind, key, until_us) SELECT 'dpop', key, max(until_us) FROM shown "
        "WHERE key IS NOT NULL GROUP BY key ORDER BY key ON CONFLICT DO NOTHING RETURNING key), "
        "named AS (SELECT (value ->> 0)::int AS number, value ->> 1 AS kind, value ->> 2 AS id, "
        "(value ->> 3)::bigint AS since_us FROM jsonb_array_elements(%s::jsonb)), "
        "revoked AS (SELECT DISTINCT n.number FROM named n JOIN revocation r ON r.kind = n.kind AND r.id = n.id "
        "WHERE r.at_us >= n.since_us), "
        # Fresh for the first of a batch that shows it. Written again after a lost connection, its own event stands there.
        "away AS (SELECT number, 'REVOKED' AS said FROM revoked UNION ALL SELECT number, 'REPLAYED' FROM shown s "
        "WHERE key IS NOT NULL AND number NOT IN (SELECT number FROM revoked) "
        "AND number NOT IN (SELECT min(o.number) FROM shown o JOIN fresh USING (key) GROUP BY o.key) "
        "AND NOT EXISTS (SELECT 1 FROM access_event e WHERE e.id = s.event)), "
        f"batch AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS b({types}, subjects jsonb, due bigint, entry text, "
        "number int) WHERE NOT EXISTS (SELECT 1 FROM halted) "
        "AND NOT EXISTS (SELECT 1 FROM away WHERE away.number = b.number)), "
        f"recorded AS (INSERT INTO access_event ({names}) SELECT {values} FROM batch ON CONFLICT DO NOTHING "
        "RETURNING id), "
        "about AS (INSERT INTO access_event_subject (subject_id, event_id) "
        "SELECT one, id FROM batch, jsonb_array_elements_text(subjects) AS one "
        "ON CONFLICT DO NOTHING), "
        # Only with the event itself: written again, it may have left the outbox for the log already.
        "waiting AS (INSERT INTO ledger_outbox (id, due_at_us, entry) "
        "SELECT id, due, decode(entry, 'hex') FROM batch JOIN recorded USING (id)) "
        "SELECT NULL::int, halted FROM halted UNION ALL SELECT number, said FROM away"
    )
    return statement.encode()


def _type(column: sa.Column[object]) -> str:
    return "bigint" if isinstance(column.type, sa.Integer) else "text"  # a BigInteger is an Integer
