"""The data keys in use: kept wrapped in the table `data_key`, unwrapped in memory only."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.store.encryption import DEFAULT_ALGORITHM, KEY_BYTES, Place, derive, master_id, seal, unseal
from gateway.store.engine import Database
from gateway.store.errors import CiphertextInvalid, StoreRefused
from gateway.store.ids import random_id, to_us
from gateway.store.tables import data_key

ROOT = "ROOT"
COLUMNS = "COLUMNS"
_REFRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext with what is needed to open it later."""

    ciphertext: bytes = field(repr=False)
    key_id: str
    alg_id: str


@dataclass(frozen=True, slots=True)
class _DataKey:
    key_id: str
    alg_id: str
    secret: bytes = field(repr=False)


class Keys:
    """Seals and opens columns, and grows HMAC keys. Open with `open_keys`.

    New values use the newest key (another replica's rotation is noticed within a minute); older keys only open.
    """

    def __init__(self, database: Database, master_key: bytes, clock: Clock) -> None:
        self._database, self._master_key, self._clock = database, master_key, clock
        self._keys: dict[str, _DataKey] = {}
        self._root = b""
        self._current = ""
        self._refreshed = 0.0

    def derive(self, label: str) -> bytes:
        """A 32-byte key for one named use, the same in every replica and through every rotation."""
        return derive(self._root, label)

    async def seal(self, *values: tuple[Place, bytes]) -> tuple[Sealed, ...]:
        """All under one key, in order."""
        if time.monotonic() - self._refreshed > _REFRESH_S:
            await self.refresh()
        key = self._keys[self._current]
        return tuple(
            Sealed(seal(key.alg_id, key.secret, place, plaintext), key.key_id, key.alg_id)
            for place, plaintext in values
        )

    async def unseal(self, place: Place, sealed: Sealed) -> bytes:
        """Raises CiphertextInvalid."""
        if sealed.key_id not in self._keys:
            await self.refresh()
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise CiphertextInvalid("sealed with a key this store does not hold")
        return unseal(sealed.alg_id, key.secret, place, sealed.ciphertext)

    async def rotate(self) -> str:
        """A new key for new values; returns its id. What is sealed with older keys stays readable."""
        async with self._database.write() as connection:
            key_id = await self._add(connection, random_id(), COLUMNS)
        await self.refresh()
        return key_id

    async def refresh(self) -> None:
        """Read the keys again. Raises StoreRefused where the master key is not the one that wrapped them."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(data_key).order_by(data_key.c.created_at_us))).all()
        keys = {row.key_id: _DataKey(row.key_id, row.alg_id, self._unwrap(row, self._master_key)) for row in rows}
        self._root = next(keys.pop(row.key_id).secret for row in rows if row.purpose == ROOT)
        self._current = [row.key_id for row in rows if row.purpose == COLUMNS][-1]
        self._keys, self._refreshed = keys, time.monotonic()

    async def prepare(self, previous_master_key: bytes | None) -> None:
        """Make the first keys, once; wrap anew what a previous master key wrapped."""
        async with self._database.read() as connection:
            held = set(await connection.scalars(sa.select(data_key.c.purpose)))
        if held == {ROOT, COLUMNS} and previous_master_key is None:
            return
        async with self._database.write() as connection:
            if not self._database.is_sqlite:  # replicas starting together take turns
                await connection.execute(sa.text("LOCK TABLE data_key IN SHARE ROW EXCLUSIVE MODE"))
            rows = (await connection.execute(sa.select(data_key))).all()
            for purpose in {ROOT, COLUMNS} - {row.purpose for row in rows}:
                await self._add(connection, random_id(), purpose)
            for row in rows:
                if previous_master_key is not None and row.master_id == master_id(previous_master_key):
                    secret = self._unwrap(row, previous_master_key)
                    wrapped = self._wrap(row.key_id, row.purpose, row.alg_id, secret)
                    await connection.execute(sa.update(data_key).where(data_key.c.key_id == row.key_id).values(wrapped))

    async def _add(self, connection: AsyncConnection, key_id: str, purpose: str) -> str:
        wrapped = self._wrap(key_id, purpose, DEFAULT_ALGORITHM, os.urandom(KEY_BYTES))
        created = {"key_id": key_id, "purpose": purpose, "alg_id": DEFAULT_ALGORITHM}
        latest = await connection.scalar(sa.select(sa.func.max(data_key.c.created_at_us))) or 0
        created_at_us = max(
            to_us(self._clock.now()), latest + 1
        )  # the newest key is the newest whatever the clock does
        await connection.execute(sa.insert(data_key).values(**created, **wrapped, created_at_us=created_at_us))
        return key_id

    def _wrap(self, key_id: str, purpose: str, alg_id: str, secret: bytes) -> dict[str, Any]:
        wrapped = seal(DEFAULT_ALGORITHM, derive(self._master_key, "wrap/v1"), _place(key_id, purpose, alg_id), secret)
        return {"wrapped": wrapped, "master_id": master_id(self._master_key)}

    def _unwrap(self, row: sa.Row[Any], master_key: bytes) -> bytes:
        if row.master_id != master_id(master_key):
            raise StoreRefused(
                f"this database is sealed with another master key (id {row.master_id}); set master_key to that one, "
                "or, after a change of keys, previous_master_key"
            )
        place = _place(row.key_id, row.purpose, row.alg_id)
        return unseal(DEFAULT_ALGORITHM, derive(master_key, "wrap/v1"), place, row.wrapped)


def _place(key_id: str, purpose: str, alg_id: str) -> Place:
    return Place("data_key", f"wrapped/{purpose}/{alg_id}", key_id)


async def open_keys(
    database: Database, master_key: bytes, clock: Clock, *, previous_master_key: bytes | None = None
) -> Keys:
    """Raises StoreRefused for a master key that does not open this database."""
    keys = Keys(database, master_key, clock)
    await keys.prepare(previous_master_key)
    await keys.refresh()
    return keys
