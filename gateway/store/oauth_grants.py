"""Grants, and the codes and refresh tokens that stand for them. Each single use is one conditional update."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.oauth.keeping import Code, RefreshToken
from gateway.oauth.ports import Grant
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.oauth_pushed import burn
from gateway.store.oauth_secrets import kept
from gateway.store.revocations import revoke
from gateway.store.tables.oauth import oauth_code, oauth_grant, oauth_refresh_token

_SERVER = "authorization-server"
_LONGEST = timedelta(days=1)


class StoredGrants:
    """Implements `gateway.oauth.keeping.Grants`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def authorise(self, request_uri: str, code_text: str, code: Code, grant: Grant) -> bool:
        """See the port."""
        now = self._clock.now()
        row = {
            "code_hash": kept(code_text), "grant_id": code.grant_id, "client_id": code.client_id,
            "redirect_uri": code.redirect_uri, "code_challenge": code.code_challenge, "dpop_jkt": code.dpop_jkt,
            "resource": code.resource, "expires_at_us": to_us(code.expires_at),
        }  # fmt: skip
        async with self._database.write() as connection:
            if not await burn(connection, request_uri, to_us(now)):
                return False
            await self._keep(connection, grant, now)
            await connection.execute(sa.insert(oauth_code).values(row))
        return True

    async def redeem(self, code_text: str) -> Code | None:
        """See the port."""
        code_hash = kept(code_text)
        now = self._clock.now()
        first = (
            sa.update(oauth_code)
            .where(oauth_code.c.code_hash == code_hash, oauth_code.c.used_at_us.is_(None))
            .values(used_at_us=to_us(now))
            .returning(*oauth_code.c)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(first)).one_or_none()
            if row is None:
                query = sa.select(oauth_code.c.grant_id).where(oauth_code.c.code_hash == code_hash)
                grant_id = await connection.scalar(query)
                if grant_id is not None:  # somebody else has had it: whatever came of it dies (RFC 6749, 4.1.2)
                    await self._end(connection, grant_id, now, _SERVER)
                return None
        return _code(row)

    async def look(self, code_text: str) -> Code | None:
        """See the port."""
        query = sa.select(oauth_code).where(oauth_code.c.code_hash == kept(code_text))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _code(row)

    async def redeem_checked(self, code_text: str, *, within_s: int) -> tuple[Grant | None, str | None]:
        """See the port."""
        now = self._clock.now()
        which = oauth_code.c.code_hash == kept(code_text)
        first = sa.update(oauth_code).where(which, oauth_code.c.used_at_us.is_(None)).values(used_at_us=to_us(now))
        async with self._database.write() as connection:
            grant_id = await connection.scalar(first.returning(oauth_code.c.grant_id))
            if grant_id is not None:
                live = sa.select(oauth_grant).where(_grant_is(grant_id), oauth_grant.c.revoked_at_us.is_(None))
                row = (await connection.execute(live)).one_or_none()
                return (None if row is None else _grant(row)), None
            query = sa.select(oauth_code.c.grant_id, oauth_code.c.used_at_us).where(which)
            used = (await connection.execute(query)).one_or_none()
            if used is None or to_us(now) - used.used_at_us <= within_s * 1_000_000:
                return None, None
            await self._end(connection, used.grant_id, now, _SERVER)
            return None, str(used.grant_id)

    async def find(self, grant_id: str) -> Grant | None:
        """See the port."""
        query = sa.select(oauth_grant).where(_grant_is(grant_id), oauth_grant.c.revoked_at_us.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _grant(row)

    async def add_refresh_token(self, token: str, kept_token: RefreshToken) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            return await self._add(connection, token, kept_token)

    async def find_refresh_token(self, token: str) -> RefreshToken | None:
        """See the port."""
        live = (
            sa.select(oauth_refresh_token)
            .join(oauth_grant, oauth_grant.c.grant_id == oauth_refresh_token.c.grant_id)
            .where(
                oauth_refresh_token.c.token_hash == kept(token),
                oauth_refresh_token.c.used_at_us.is_(None),
                oauth_refresh_token.c.expires_at_us > to_us(self._clock.now()),
                oauth_grant.c.revoked_at_us.is_(None),
            )
        )
        async with self._database.read() as connection:
            row = (await connection.execute(live)).one_or_none()
        if row is None:
            return None
        issued_at, expires_at = from_us(row.issued_at_us), from_us(row.expires_at_us)
        return RefreshToken(row.grant_id, row.client_id, row.resource, issued_at, expires_at)

    async def rotate_refresh_token(self, token: str, client_id: str, new_token: str, kept_token: RefreshToken) -> bool:
        """See the port."""
        now = self._clock.now()
        mine = oauth_refresh_token.c.token_hash == kept(token), oauth_refresh_token.c.client_id == client_id
        first = sa.update(oauth_refresh_token).where(*mine, oauth_refresh_token.c.used_at_us.is_(None))
        async with self._database.write() as connection:
            if (await connection.execute(first.values(used_at_us=to_us(now)))).rowcount:
                return await self._add(connection, new_token, kept_token)
            await self._end_reused(connection, token, client_id, now)
            return False

    async def reused(self, token: str, client_id: str) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await self._end_reused(connection, token, client_id, self._clock.now())

    async def revoke(self, grant_id: str, actor_user: str) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await self._end(connection, grant_id, self._clock.now(), actor_user)

    async def _keep(self, connection: AsyncConnection, grant: Grant, now: datetime) -> None:
        row = {
            "grant_id": grant.grant_id, "client_id": grant.client_id, "user_id": grant.user_id,
            "scope": _json(sorted(grant.scope)), "authorization_details": _json(list(grant.authorization_details)),
            "claims": _json(dict(grant.claims)), "created_at_us": to_us(grant.granted_at or now), "expires_at_us": to_us(grant.expires_at or now + _LONGEST),
        }  # fmt: skip
        await connection.execute(sa.insert(oauth_grant).values(row))
        change = Change("GRANT_CREATED", grant.grant_id, str(grant.claims.get("org_id", "")), grant.user_id,
                        detail={"client_id": grant.client_id})  # fmt: skip
        await record_change(connection, now, change)

    @staticmethod
    async def _add(connection: AsyncConnection, token: str, kept_token: RefreshToken) -> bool:
        """A revoked grant gets no more; False then."""
        row = {
            "token_hash": kept(token), "grant_id": kept_token.grant_id, "client_id": kept_token.client_id,
            "resource": kept_token.resource, "issued_at_us": to_us(kept_token.issued_at),
            "expires_at_us": to_us(kept_token.expires_at),
        }  # fmt: skip
        # Locked: a revocation under way on PostgreSQL is waited for and then seen; SQLite has one writer anyway.
        live = (
            sa.select(oauth_grant.c.grant_id)
            .where(_grant_is(kept_token.grant_id), oauth_grant.c.revoked_at_us.is_(None))
            .with_for_update()
        )
        if await connection.scalar(live) is None:
            return False
        await connection.execute(sa.insert(oauth_refresh_token).values(row))
        return True

    async def _end_reused(self, connection: AsyncConnection, token: str, client_id: str, now: datetime) -> None:
        """A token that was rotated away comes back: either it was stolen, or its successor was. Both lose it."""
        query = sa.select(oauth_refresh_token.c.grant_id).where(
            oauth_refresh_token.c.token_hash == kept(token),
            oauth_refresh_token.c.client_id == client_id,
            oauth_refresh_token.c.used_at_us.is_not(None),
        )
        grant_id = await connection.scalar(query)
        if grant_id is not None:
            await self._end(connection, grant_id, now, _SERVER)

    @staticmethod
    async def _end(connection: AsyncConnection, grant_id: str, now: datetime, actor_user: str) -> None:
        """The grant, with it its codes and refresh tokens; and its access tokens, by the list the door looks at."""
        live = _grant_is(grant_id), oauth_grant.c.revoked_at_us.is_(None)
        ended = sa.update(oauth_grant).where(*live).values(revoked_at_us=to_us(now)).returning(oauth_grant.c.client_id)
        client_id = await connection.scalar(ended)
        if client_id is None:
            return
        await revoke(connection, "grant", grant_id, now)
        change = Change("GRANT_REVOKED", grant_id, "", actor_user, detail={"client_id": client_id})
        await record_change(connection, now, change)


def _grant_is(grant_id: str) -> sa.ColumnElement[bool]:
    return oauth_grant.c.grant_id == grant_id


def _code(row: sa.Row[Any]) -> Code:
    return Code(
        row.grant_id, row.client_id, row.redirect_uri, row.code_challenge, row.resource, from_us(row.expires_at_us),
        row.dpop_jkt,
    )  # fmt: skip


def _grant(row: sa.Row[Any]) -> Grant:
    return Grant(
        row.grant_id, row.client_id, row.user_id, frozenset(orjson.loads(row.scope)),
        orjson.loads(row.authorization_details), orjson.loads(row.claims), from_us(row.created_at_us), from_us(row.expires_at_us),
    )  # fmt: skip


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
