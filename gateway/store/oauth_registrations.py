"""Clients that registered themselves (RFC 7591, 7592), and the tokens that let them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.caller import Change
from gateway.clock import Clock
from gateway.oauth.client import Client
from gateway.oauth.keeping import InitialPolicy, Registered
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.oauth_clients import StoredClients, later
from gateway.store.oauth_secrets import kept
from gateway.store.tables.oauth import oauth_client, oauth_initial_token, oauth_registration_token


class StoredRegistrations:
    """Implements `gateway.oauth.keeping.Registrations`."""

    def __init__(self, database: Database, clients: StoredClients, clock: Clock) -> None:
        self._database, self._clients, self._clock = database, clients, clock

    async def invite(
        self, token: str, policy: InitialPolicy, *, uses: int, until: datetime, actor: tuple[str, str]
    ) -> None:
        """See the port."""
        now = self._clock.now()
        row = {
            "token_hash": kept(token), "policy": _json(policy), "uses_left": uses, "expires_at_us": to_us(until),
            "created_at_us": to_us(now),
        }  # fmt: skip
        detail = {"kind": policy.kind, "purposes": sorted(policy.purposes), "uses": uses}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(oauth_initial_token).values(row))
            await record_change(connection, now, Change("CLIENT_INVITED", policy.org_id, *actor, detail=detail))

    async def register(
        self, initial_token: str, registration_token: str, make: Callable[[InitialPolicy], Client]
    ) -> Registered | None:
        """See the port."""
        now = self._clock.now()
        spend = (
            sa.update(oauth_initial_token)
            .where(
                oauth_initial_token.c.token_hash == kept(initial_token),
                oauth_initial_token.c.uses_left > 0,
                oauth_initial_token.c.expires_at_us > to_us(now),
            )
            .values(uses_left=oauth_initial_token.c.uses_left - 1)
            .returning(oauth_initial_token.c.policy)
        )
        async with self._database.write() as connection:
            text = await connection.scalar(spend)
            if text is None:
                return None
            policy = _policy(text)
            client = make(policy)
            await self._clients.put_in(connection, client, actor_org=client.org_id, actor_user=client.client_id)
            row = {
                "token_hash": kept(registration_token), "client_id": client.client_id, "policy": text,
                "created_at_us": to_us(now),
            }  # fmt: skip
            await connection.execute(sa.insert(oauth_registration_token).values(row))
        return Registered(client, policy, now)

    async def find(self, registration_token: str) -> Registered | None:
        """See the port."""
        query = sa.select(oauth_registration_token).where(_is(registration_token))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        client = None if row is None else await self._clients.find(row.client_id)
        if row is None or client is None:
            return None
        return Registered(client, _policy(row.policy), from_us(row.created_at_us))

    async def change(self, registration_token: str, client: Client) -> bool:
        """See the port."""
        mine = (
            sa.select(oauth_client.c.client_id)
            .join(oauth_registration_token, oauth_registration_token.c.client_id == oauth_client.c.client_id)
            .where(
                _is(registration_token),
                oauth_client.c.client_id == client.client_id,
                oauth_client.c.disabled_at_us.is_(None),
            )
        )
        async with self._database.write() as connection:
            if await connection.scalar(mine) is None:
                return False
            await self._clients.put_in(connection, client, actor_org=client.org_id, actor_user=client.client_id)
        return True

    async def delete(self, registration_token: str) -> str | None:
        """See the port."""
        now = self._clock.now()
        ended = (
            sa.delete(oauth_registration_token)
            .where(_is(registration_token))
            .returning(oauth_registration_token.c.client_id)
        )
        async with self._database.write() as connection:
            client_id: str | None = await connection.scalar(ended)
            if client_id is None:
                return None
            off = sa.update(oauth_client).where(
                oauth_client.c.client_id == client_id, oauth_client.c.disabled_at_us.is_(None)
            )
            row = await connection.execute(
                off.values(disabled_at_us=to_us(now), updated_at_us=later(now)).returning(oauth_client.c.org_id)
            )
            org_id = row.scalar_one_or_none()
            if org_id is not None:
                await record_change(connection, now, Change("CLIENT_DISABLED", client_id, org_id, client_id))
        return client_id


def _is(token: str) -> sa.ColumnElement[bool]:
    return oauth_registration_token.c.token_hash == kept(token)


def _json(policy: InitialPolicy) -> str:
    values = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(policy).items()}
    return orjson.dumps(values).decode()


def _policy(text: str) -> InitialPolicy:
    values: dict[str, Any] = orjson.loads(text)
    sets = {name: frozenset(value) for name, value in values.items() if isinstance(value, list)}
    return InitialPolicy(**{**values, **sets})
