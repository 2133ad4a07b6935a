"""Pushed authorization requests (RFC 9126)."""

from __future__ import annotations

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.oauth.keeping import PushedRequest
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.oauth_purge import OAuthPurge
from gateway.store.oauth_secrets import kept
from gateway.store.tables.oauth import oauth_pushed_request as table


class StoredPushedRequests:
    """Implements `gateway.oauth.keeping.PushedRequests`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._purge = OAuthPurge(database, clock)

    async def push(self, request_uri: str, request: PushedRequest) -> None:
        """See the port."""
        row = {
            "request_hash": kept(request_uri),
            "client_id": request.client_id,
            "parameters": orjson.dumps(dict(request.parameters)).decode(),
            "expires_at_us": to_us(request.expires_at),
        }
        async with self._database.write() as connection:
            await connection.execute(sa.insert(table).values(row))
        await self._purge.when_due()

    async def find(self, request_uri: str) -> PushedRequest | None:
        """See the port."""
        async with self._database.read() as connection:
            open_now = sa.select(table).where(*_open(request_uri, to_us(self._clock.now())))
            row = (await connection.execute(open_now)).one_or_none()
        if row is None:
            return None
        return PushedRequest(row.client_id, orjson.loads(row.parameters), expires_at=from_us(row.expires_at_us))

    async def burn(self, request_uri: str) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            return await burn(connection, request_uri, to_us(self._clock.now()))


async def burn(connection: AsyncConnection, request_uri: str, now_us: int) -> bool:
    """One conditional update: of any number who try, one finds it open."""
    done = await connection.execute(sa.update(table).where(*_open(request_uri, now_us)).values(used_at_us=now_us))
    return bool(done.rowcount)


def _open(request_uri: str, now_us: int) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.request_hash == kept(request_uri), table.c.used_at_us.is_(None), table.c.expires_at_us > now_us
