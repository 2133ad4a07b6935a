"""Sessions, and the steps of a browser on its way to one. Both are found by a hash of their cookie only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.login_ports import OpenSession
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.login_accounts import hashed
from gateway.store.tables.login import login_account, login_session, login_step

_TOUCH_S = 60  # a session's idle time is written once a minute, not with every page


class StoredSessions:
    """Implements `gateway.services.login_ports.Sessions`."""

    def __init__(self, database: Database, clock: Clock, *, demo: bool) -> None:
        """Without `demo`, sessions of demo accounts are dead: the demo may have run on this database before."""
        self._database, self._clock, self._demo = database, clock, demo

    async def open(self, cookie: str, session: OpenSession, org_id: str, idle_until: datetime, until: datetime) -> None:
        """See the port. The login is on record with it."""
        now = self._clock.now()
        row = {
            "cookie_hash": hashed(cookie), "session_id": session.session_id, "user_id": session.user_id,
            "level": session.level, "amr": orjson.dumps(session.amr).decode(),
            "auth_time_us": to_us(session.auth_time), "idle_until_us": to_us(idle_until), "expires_at_us": to_us(until),
        }  # fmt: skip
        detail = {"level": session.level, "amr": list(session.amr)}
        async with self._database.write() as connection:
            over = login_session.c.expires_at_us <= to_us(now)
            await connection.execute(sa.delete(login_session).where(over))
            await connection.execute(sa.insert(login_session).values(row))
            change = Change("LOGGED_IN", session.session_id, org_id, session.user_id, detail=detail)
            await record_change(connection, now, change)

    async def find(self, cookie: str, idle_s: float) -> OpenSession | None:
        """See the port."""
        now = self._clock.now()
        now_us = to_us(now)
        table = login_session
        live = [table.c.cookie_hash == hashed(cookie), table.c.expires_at_us > now_us, table.c.idle_until_us > now_us]
        if not self._demo:
            of_demo = sa.select(login_account.c.user_id).where(login_account.c.demo)
            live.append(table.c.user_id.not_in(of_demo))
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(table).where(*live))).one_or_none()
        if row is None:
            return None
        until_us = min(to_us(now + timedelta(seconds=idle_s)), row.expires_at_us)
        if until_us - row.idle_until_us >= _TOUCH_S * 1_000_000:
            async with self._database.write() as connection:
                await connection.execute(sa.update(table).where(*live).values(idle_until_us=until_us))
        return OpenSession(
            row.session_id, row.user_id, row.level, tuple(orjson.loads(row.amr)), from_us(row.auth_time_us)
        )

    async def close(self, cookie: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(sa.delete(login_session).where(login_session.c.cookie_hash == hashed(cookie)))

    async def close_all(self, user_id: str) -> None:
        async with self._database.write() as connection:
            await close_sessions(connection, user_id)


async def close_sessions(connection: AsyncConnection, user_id: str) -> None:
    """For whoever changes an officer in a transaction of their own."""
    await connection.execute(sa.delete(login_session).where(login_session.c.user_id == user_id))


class StoredSteps:
    """Implements `gateway.services.login_ports.Steps`. What a step carries is sealed: a verifier, a new secret."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock

    async def begin(self, cookie: str, purpose: str, data: Mapping[str, Any], until: datetime) -> None:
        (sealed,) = await self._keys.seal((_place(hashed(cookie), purpose), orjson.dumps(dict(data))))
        row = {
            "cookie_hash": hashed(cookie), "purpose": purpose, "data_ct": sealed.ciphertext, "key_id": sealed.key_id,
            "alg_id": sealed.alg_id, "expires_at_us": to_us(until),
        }  # fmt: skip
        async with self._database.write() as connection:
            over = login_step.c.expires_at_us <= to_us(self._clock.now())
            await connection.execute(sa.delete(login_step).where(over))
            await connection.execute(sa.insert(login_step).values(row))

    async def look(self, cookie: str, purpose: str) -> dict[str, Any] | None:
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(login_step).where(*self._live(cookie, purpose)))).one_or_none()
        return await self._data(row)

    async def take(self, cookie: str, purpose: str) -> dict[str, Any] | None:
        """See the port."""
        taken = sa.delete(login_step).where(*self._live(cookie, purpose)).returning(*login_step.c)
        async with self._database.write() as connection:
            row = (await connection.execute(taken)).one_or_none()
        return await self._data(row)

    async def _data(self, row: sa.Row[Any] | None) -> dict[str, Any] | None:
        if row is None:
            return None
        sealed = Sealed(row.data_ct, row.key_id, row.alg_id)
        data: dict[str, Any] = orjson.loads(await self._keys.unseal(_place(row.cookie_hash, row.purpose), sealed))
        return data

    def _live(self, cookie: str, purpose: str) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            login_step.c.cookie_hash == hashed(cookie),
            login_step.c.purpose == purpose,
            login_step.c.expires_at_us > to_us(self._clock.now()),
        )


def _place(cookie_hash: bytes, purpose: str) -> Place:
    return Place("login_step", f"data_ct/{purpose}", bytes(cookie_hash).hex())
