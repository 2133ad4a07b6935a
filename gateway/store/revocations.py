"""Revocation, effective at once: a row here is what the door of every replica sees with the next request."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.oauth.access_token import longest_wait
from gateway.store.changes import record_change
from gateway.store.engine import Database, insert_on
from gateway.store.ids import to_us
from gateway.store.login_sessions import close_sessions
from gateway.store.tables.oauth import oauth_grant
from gateway.store.tables.oauth_keys import revocation

_SLACK = timedelta(hours=1)
CLOCKS_APART = timedelta(seconds=10)
"""How far the clocks of two replicas may be apart (docs/guides/scale-out.md). A grant made a moment ago by one that is ahead
says it came after this; so what is made within this time of a revocation ends with it, and is made again."""


async def revoke(connection: AsyncConnection, kind: str, object_id: str, at: datetime) -> None:
    """Put one revocation into the transaction of `connection` (a `Database.write()`): `kind` is grant, consent, user,
    client or token. It is kept until no token that it could concern is alive."""
    later = sa.func.max if connection.dialect.name == "sqlite" else sa.func.greatest
    row = {"kind": kind, "id": object_id, "at_us": to_us(at), "until_us": to_us(at + longest_wait() + _SLACK)}
    put = insert_on(connection.dialect.name, revocation).values(row)
    columns = revocation.c.at_us, revocation.c.until_us
    change = {column.name: later(column, put.excluded[column.name]) for column in columns}
    await connection.execute(put.on_conflict_do_update(index_elements=["kind", "id"], set_=change))


class StoredRevocations:
    """Implements `gateway.oauth.ports.Revoker`. Each is one transaction: the row the door asks for, the end of the grants
    themselves (so nothing new comes of them), and the record of it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def revoke_user(self, user_id: str) -> None:
        await self._revoke("user", user_id, oauth_grant.c.user_id == user_id)

    async def revoke_client(self, client_id: str) -> None:
        await self._revoke("client", client_id, oauth_grant.c.client_id == client_id)

    async def revoke_grant(self, grant_id: str) -> None:
        await self._revoke("grant", grant_id, oauth_grant.c.grant_id == grant_id)

    async def revoke_consent(self, consent_id: str) -> None:
        """Tokens carry the consents they rest on, so the door needs no list of grants; no new token is issued on a consent
        that ended (`ConsentsAtIssue`)."""
        await self._revoke("consent", consent_id, None)

    async def revoke_token(self, token_id: str) -> None:
        """One access token by its `jti` (RFC 7009); its grant lives on."""
        await self._revoke("token", token_id, None)

    async def _revoke(self, kind: str, object_id: str, grants: sa.ColumnElement[bool] | None) -> None:
        now = self._clock.now()
        async with self._database.write() as connection:
            by_time = kind in ("user", "client")  # the others name what ends
            await revoke(connection, kind, object_id, now + CLOCKS_APART if by_time else now)
            if kind == "user":  # whoever may not hold a token may not fetch a new one from an open session either
                await close_sessions(connection, object_id)
            ended = 0
            if grants is not None:
                live = oauth_grant.c.revoked_at_us.is_(None)
                end = sa.update(oauth_grant).where(grants, live).values(revoked_at_us=to_us(now))
                ended = (await connection.execute(end)).rowcount
            # The service that asked for it records who did; this says what came of it.
            change = Change("TOKENS_REVOKED", object_id, "", "", detail={"of": kind, "grants": ended})
            await record_change(connection, now, change)
