"""Requests that wait: for a source to come back, or for witnesses. What they hold lies under the person's own key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.clock import Clock
from gateway.services.credentials.ports import Deferred
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import SubjectErased
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Sealed
from gateway.store.oauth_secrets import kept
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.store.tables.credentials import credential_deferred as table


class StoredDeferred:
    """Implements `gateway.services.credentials.ports.DeferredRequests`."""

    def __init__(self, database: Database, columns: PersonalColumns, clock: Clock) -> None:
        self._database, self._columns, self._clock = database, columns, clock

    async def add(self, transaction_id: str, deferred: Deferred) -> None:
        """See the port. Raises SubjectErased."""
        if not self._columns.ring.exists(deferred.subject_id):
            raise SubjectErased("this person was erased")
        hashed = kept(transaction_id)
        sealed = await self._sealed(hashed, deferred.subject_id, deferred.request)
        row = sealed | {
            "transaction_hash": hashed, "grant_id": deferred.grant_id, "subject_id": deferred.subject_id,
            "configuration_id": deferred.configuration_id, "retry_at_us": to_us(deferred.retry_at),
            "created_at_us": to_us(self._clock.now()), "expires_at_us": to_us(deferred.expires_at),
        }  # fmt: skip
        async with self._database.write() as connection:
            await connection.execute(sa.insert(table).values(row))

    async def number(self, like: Deferred) -> int:
        """See the port."""
        mine = (
            table.c.subject_id == like.subject_id,  # by which they are found
            table.c.grant_id == like.grant_id,
            table.c.configuration_id == like.configuration_id,
        )
        still = table.c.closed_at_us.is_(None), table.c.expires_at_us > to_us(self._clock.now())
        async with self._database.read() as connection:
            return int(await connection.scalar(sa.select(sa.func.count()).where(*mine, *still)) or 0)

    async def find(self, transaction_id: str, grant_id: str) -> Deferred | None:
        """See the port. Of an erased person: None."""
        return await self._one(*_open(kept(transaction_id), self._clock.now()), table.c.grant_id == grant_id)

    async def waiting(self, key: str) -> Deferred | None:
        """See the port."""
        return await self._one(*_open(bytes.fromhex(key), self._clock.now()))

    async def take(self, key: str, until: datetime) -> bool:
        """See the port."""
        now = self._clock.now()
        due = sa.update(table).where(*_open(bytes.fromhex(key), now), table.c.retry_at_us <= to_us(now))
        async with self._database.write() as connection:
            return bool((await connection.execute(due.values(retry_at_us=to_us(until)))).rowcount)

    async def hold(self, key: str, deferred: Deferred) -> bool:
        """See the port."""
        hashed = bytes.fromhex(key)
        sealed = await self._sealed(hashed, deferred.subject_id, deferred.request)
        change = sa.update(table).where(*_open(hashed, self._clock.now()))
        async with self._database.write() as connection:
            done = await connection.execute(change.values(**sealed, retry_at_us=to_us(deferred.retry_at)))
        return bool(done.rowcount)

    async def close(self, transaction_id: str) -> bool:
        """See the port."""
        now = self._clock.now()
        end = sa.update(table).where(*_open(kept(transaction_id), now))
        async with self._database.write() as connection:
            done = await connection.execute(end.values(closed_at_us=to_us(now), request_ct=None))
        return bool(done.rowcount)

    async def _one(self, *which: sa.ColumnElement[bool]) -> Deferred | None:
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(table).where(*which))).one_or_none()
        if row is None or not self._columns.ring.exists(row.subject_id):
            return None
        sealed = Sealed(row.request_ct, row.key_id, row.alg_id)
        request = orjson.loads(await self._columns.unseal(row.subject_id, _place(row.transaction_hash), sealed))
        return Deferred(
            row.grant_id, row.subject_id, row.configuration_id, request, from_us(row.retry_at_us),
            from_us(row.expires_at_us),
        )  # fmt: skip

    async def _sealed(self, hashed: bytes, subject_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        (sealed,) = await self._columns.seal(subject_id, (_place(hashed), orjson.dumps(dict(request))))
        return {"request_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id}


def _open(hashed: bytes, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.transaction_hash == hashed,
        table.c.closed_at_us.is_(None),
        table.c.expires_at_us > to_us(now),
    )


def _place(hashed: bytes) -> Place:
    return Place("credential_deferred", "request_ct", hashed.hex())
