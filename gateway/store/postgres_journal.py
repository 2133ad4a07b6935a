"""Access events on PostgreSQL: one prepared statement, one round trip, for a whole batch and all its tables."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.services.ledger.ports import LedgerHalted
from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreUnavailable
from gateway.store.evidence import HALTED, EventRow, RowRefused
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

    async def write(self, rows: Sequence[EventRow]) -> None:
        batch = [
            dict(zip(self._names, map(_plain, row.columns), strict=True))
            | {
                "subjects": [(subject_id, seed_ct.hex()) for subject_id, seed_ct in row.subjects],
                "due": row.waiting.due_at_us,
                "entry": row.waiting.entry.hex(),
            }
            for row in rows
        ]
        parameters = (orjson.dumps(batch).decode(),)
        fresh = self._held is None
        try:
            async with asyncio.timeout(2 * self._database.timeout_s):  # the server's own limit is half of it
                await self._execute(parameters)
        except TimeoutError:
            await self._let_go()
            raise StoreUnavailable("the database took too long to take records") from None
        except psycopg.OperationalError as error:
            await self._let_go()
            if fresh or isinstance(error, psycopg.errors.QueryCanceled):
                raise StoreUnavailable(f"the database does not take records ({fault_name(error)})") from None
            await self._again(parameters)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError):
            raise RowRefused from None
        except BaseException:
            await self._let_go()
            raise

    async def close(self) -> None:
        await self._let_go()

    async def _execute(self, parameters: tuple[str]) -> None:
        if self._held is None:
            with self._database.faults():
                self._held = await self._database.lasting_connection()
        driver = (await self._held.get_raw_connection()).driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101  (for the type checker)
        halted = await (await driver.execute(self._statement, parameters, prepare=True)).fetchone()
        if halted is not None:
            raise LedgerHalted(str(halted[0]))

    async def _again(self, parameters: tuple[str]) -> None:
        try:
            await self._execute(parameters)
        except psycopg.Error as error:
            await self._let_go()
            raise StoreUnavailable(f"the database does not take records ({fault_name(error)})") from None

    async def _let_go(self) -> None:
        held, self._held = self._held, None
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
        f"batch AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS b({types}, subjects jsonb, due bigint, entry text) "
        "WHERE NOT EXISTS (SELECT 1 FROM halted)), "
        f"recorded AS (INSERT INTO access_event ({names}) SELECT {values} FROM batch ON CONFLICT DO NOTHING "
        "RETURNING id), "
        "about AS (INSERT INTO access_event_subject (subject_id, event_id, seed_ct) "
        "SELECT one->>0, id, decode(one->>1, 'hex') FROM batch, jsonb_array_elements(subjects) AS one "
        "ON CONFLICT DO NOTHING), "
        # Only with the event itself: written again, it may have left the outbox for the log already.
        "waiting AS (INSERT INTO ledger_outbox (id, due_at_us, entry) "
        "SELECT id, due, decode(entry, 'hex') FROM batch JOIN recorded USING (id)) "
        "SELECT halted FROM halted"
    )
    return statement.encode()


def _type(column: sa.Column[object]) -> str:
    return "bigint" if isinstance(column.type, sa.Integer) else "text"  # a BigInteger is an Integer
