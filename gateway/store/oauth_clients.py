"""Registered clients: found, listed, registered, changed, disabled, given new keys. Every change leaves its evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import CallerKind, Change
from gateway.clock import Clock
from gateway.oauth.client import Client, kind_of
from gateway.services.clients import ClientState
from gateway.store.changes import record_change
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.tables.identities import organisation
from gateway.store.tables.oauth import oauth_client

_SETS = ("grant_types", "scope", "purposes", "roles")
_PLAIN = (
    "client_name", "org_kind", "jurisdiction", "token_endpoint_auth_method", "token_endpoint_auth_signing_alg",
    "tls_client_auth_subject_dn", "tls_client_certificate_bound_access_tokens", "refresh_rotation",
    "is_resource_server",
)  # fmt: skip


_WITH_ORGANISATION = sa.select(
    oauth_client,
    organisation.c.kind.label("now_kind"),
    organisation.c.jurisdiction.label("now_jurisdiction"),
    organisation.c.purposes.label("now_purposes"),
    organisation.c.active.label("now_active"),
).outerjoin(organisation, organisation.c.org_id == oauth_client.c.org_id)


class StoredClients:
    """Implements `gateway.oauth.ports.Clients` and `gateway.services.clients.ClientRegister`, live: nothing is remembered,
    so a client that was disabled is disabled everywhere at once.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def find(self, client_id: str) -> Client | None:
        """See the port."""
        row = await self._row(client_id)
        return None if row is None or row.disabled_at_us is not None else self._standing(row)

    async def read(self, client_id: str) -> tuple[Client, int, int | None] | None:
        """An enabled client, the version of its registration, and when old keys end (so that it must be read anew)."""
        row = await self._row(client_id)
        client = None if row is None or row.disabled_at_us is not None else self._standing(row)
        if row is None or client is None:
            return None
        overlaps = row.previous_jwks is not None and row.previous_until_us > to_us(self._clock.now())
        return client, row.updated_at_us, row.previous_until_us if overlaps else None

    async def state(self, client_id: str) -> ClientState | None:
        """See the port."""
        row = await self._row(client_id)
        return None if row is None else self._state(row)

    async def all(self) -> Sequence[ClientState]:
        """By client id."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(oauth_client).order_by(oauth_client.c.client_id))).all()
        return [self._state(row) for row in rows]

    async def client_ids_of(self, org_id: str) -> Sequence[str]:
        """Of every client of an organisation, disabled or not."""
        query = sa.select(oauth_client.c.client_id).where(oauth_client.c.org_id == org_id)
        async with self._database.read() as connection:
            return list(await connection.scalars(query.order_by(oauth_client.c.client_id)))

    async def put(self, clients: Sequence[Client], *, actor_org: str, actor_user: str) -> None:
        """Register or change, all of them or none. A client that is disabled stays so."""
        async with self._database.write() as connection:
            for client in clients:
                await self.put_in(connection, client, actor_org=actor_org, actor_user=actor_user)

    async def put_in(self, connection: AsyncConnection, client: Client, *, actor_org: str, actor_user: str) -> None:
        now = self._clock.now()
        values = {
            "org_id": client.org_id,
            "kind": str(client.kind),
            "registered": _registered(client),
            "jwks": _json(client.jwks),
            "updated_at_us": to_us(now),
        }
        put = self._database.insert(oauth_client).values(client_id=client.client_id, created_at_us=to_us(now), **values)
        changed = {**values, "updated_at_us": later(now)}
        await connection.execute(put.on_conflict_do_update(index_elements=["client_id"], set_=changed))
        detail = {
            "org_id": client.org_id, "kind": str(client.kind), "purposes": sorted(client.purposes),
            "grant_types": sorted(client.grant_types), "keys": _kids(client.jwks),
            "registered_sha256": hashlib.sha256(values["registered"].encode()).hexdigest(),  # type: ignore[attr-defined]
        }  # fmt: skip
        await self._record(connection, now, "CLIENT_REGISTERED", client.client_id, actor_org, actor_user, detail)

    async def disable(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        """False where there is no such enabled client. Its grants and tokens are the revoker's matter."""
        return await self._switch(client_id, True, actor_org, actor_user)

    async def enable(self, client_id: str, *, actor_org: str, actor_user: str) -> bool:
        """False where there is no such disabled client."""
        return await self._switch(client_id, False, actor_org, actor_user)

    async def rotate(
        self, client_id: str, jwks: Mapping[str, Any], overlap: timedelta, *, actor_org: str, actor_user: str
    ) -> bool:
        """New keys, the old ones verifying for `overlap` more; zero ends them at once. False for no such client."""
        now = self._clock.now()
        change = (
            sa.update(oauth_client)
            .where(oauth_client.c.client_id == client_id)
            .values(
                previous_jwks=oauth_client.c.jwks,
                previous_until_us=to_us(now + overlap),
                jwks=_json(jwks),
                updated_at_us=later(now),
            )
        )
        async with self._database.write() as connection:
            done = await connection.execute(change)
            if not done.rowcount:
                return False
            detail = {"keys": _kids(jwks), "overlap_s": int(overlap.total_seconds())}
            await self._record(connection, now, "CLIENT_KEYS_ROTATED", client_id, actor_org, actor_user, detail)
        return True

    async def _switch(self, client_id: str, off: bool, actor_org: str, actor_user: str) -> bool:
        now = self._clock.now()
        was = oauth_client.c.disabled_at_us.is_(None) if off else oauth_client.c.disabled_at_us.is_not(None)
        change = (
            sa.update(oauth_client)
            .where(oauth_client.c.client_id == client_id, was)
            .values(disabled_at_us=to_us(now) if off else None, updated_at_us=later(now))
        )
        async with self._database.write() as connection:
            done = await connection.execute(change)
            if not done.rowcount:
                return False
            kind = "CLIENT_DISABLED" if off else "CLIENT_ENABLED"
            await self._record(connection, now, kind, client_id, actor_org, actor_user, {})
        return True

    async def _row(self, client_id: str) -> sa.Row[Any] | None:
        async with self._database.read() as connection:
            query = _WITH_ORGANISATION.where(oauth_client.c.client_id == client_id)
            return (await connection.execute(query)).one_or_none()

    @staticmethod
    async def _record(
        connection: AsyncConnection,
        at: datetime,
        kind: str,
        client_id: str,
        actor_org: str,
        actor_user: str,
        detail: Mapping[str, Any],
    ) -> None:
        await record_change(connection, at, Change(kind, client_id, actor_org, actor_user, detail=detail))

    def _standing(self, row: sa.Row[Any]) -> Client | None:
        """The client as its organisation stands now: that is looked up, not remembered. None where it is switched off.

        An organisation that is in no register of ours stands as it was said when the client was registered.
        """
        client = self._client(row)
        if row.now_active is None:
            return client
        purposes = client.purposes
        if client.kind is CallerKind.PARTNER:
            purposes &= frozenset(orjson.loads(row.now_purposes))
        now = replace(client, org_kind=row.now_kind, jurisdiction=row.now_jurisdiction, purposes=purposes)
        return now if row.now_active else None

    def _client(self, row: sa.Row[Any]) -> Client:
        registered: dict[str, Any] = orjson.loads(row.registered)
        keys: list[Any] = orjson.loads(row.jwks)["keys"]
        if row.previous_jwks is not None and row.previous_until_us > to_us(self._clock.now()):
            kids = {key.get("kid") for key in keys}
            keys = keys + [key for key in orjson.loads(row.previous_jwks)["keys"] if key.get("kid") not in kids]
        values: dict[str, Any] = {name: frozenset(registered[name]) for name in _SETS}
        values |= {name: registered[name] for name in _PLAIN}
        return Client(
            client_id=row.client_id,
            kind=kind_of(row.kind),
            org_id=row.org_id,
            jwks={"keys": keys},
            redirect_uris=tuple(registered["redirect_uris"]),
            disabled=row.disabled_at_us is not None,
            **values,
        )

    def _state(self, row: sa.Row[Any]) -> ClientState:
        old: tuple[str, ...] = ()
        until = None
        if row.previous_jwks is not None and row.previous_until_us > to_us(self._clock.now()):
            old, until = tuple(_kids(orjson.loads(row.previous_jwks))), from_us(row.previous_until_us)
        return ClientState(
            self._client(row), from_us(row.created_at_us), from_us(row.updated_at_us),
            tuple(_kids(orjson.loads(row.jwks))), old, until,
        )  # fmt: skip


async def void_readings(connection: AsyncConnection, org_id: str, now: datetime) -> None:
    """Whoever has read a client of this organisation reads it anew before it gets anything."""
    await connection.execute(
        sa.update(oauth_client).where(oauth_client.c.org_id == org_id).values(updated_at_us=later(now))
    )


def later(now: datetime) -> sa.ColumnElement[int]:
    """`updated_at_us` is the version, too: it grows with every change, whatever the clock does."""
    held, at_us = oauth_client.c.updated_at_us, to_us(now)
    return sa.case((held >= at_us, held + 1), else_=at_us)


def _registered(client: Client) -> str:
    """The client's metadata less what has columns of its own."""
    registered: dict[str, Any] = {name: getattr(client, name) for name in _PLAIN}
    registered |= {name: sorted(getattr(client, name)) for name in _SETS}
    return _json({**registered, "redirect_uris": list(client.redirect_uris)})


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS).decode()


def _kids(jwks: Mapping[str, Any]) -> list[str]:
    return [str(key.get("kid", "")) for key in jwks["keys"]]
