"""One connection of the pool, kept for one prepared statement that is asked again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreUnavailable


class HeldConnection:
    """A connection that turns out broken is replaced by the next question; this one is refused, since it is not known
    whether it was carried out."""

    def __init__(self, database: Database, doing: str, setting: bytes | None = None) -> None:
        """`doing` ends the sentence of a failure; `setting` is said once on every new connection."""
        self._database, self._doing, self._setting = database, doing, setting
        self._held: AsyncConnection | None = None

    async def ask(self, statement: bytes, *parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows. Each parameter goes as JSON. Raises StoreUnavailable."""
        texts = [orjson.dumps(one).decode() for one in parameters]
        try:
            async with asyncio.timeout(2 * self._database.timeout_s):  # the server's own limit is half of it
                driver = await self._driver()
                return await (await driver.execute(statement, texts, prepare=True)).fetchall()
        except TimeoutError:
            await self.let_go()
            raise StoreUnavailable(f"the database took too long to {self._doing}") from None
        except psycopg.Error as error:
            await self.let_go()
            raise StoreUnavailable(f"the database does not {self._doing} ({fault_name(error)})") from None
        except BaseException:
            await self.let_go()
            raise

    async def let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(Exception):
                await held.invalidate()  # the pool must not hand out a connection that is set like this one
            with contextlib.suppress(Exception):
                await held.close()

    async def _driver(self) -> psycopg.AsyncConnection[Any]:
        fresh = self._held is None
        if self._held is None:
            with self._database.faults():
                self._held = await self._database.lasting_connection()
        driver = (await self._held.get_raw_connection()).driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)  # noqa: S101  (for the type checker)
        if fresh and self._setting is not None:
            await driver.execute(self._setting)
        return driver
