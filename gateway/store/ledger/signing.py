"""The keys a shard's checkpoints are signed with, kept sealed; and how one follows another.

A rotation is two steps of the operator's. `begin`: the new key is announced by an entry of kind `log`, and from then on
both sign. `finish`, once a checkpoint with both signatures covers the announcement: the old key is retired, which an entry
says, too. Whoever knows the old key finds the new one in what the old one signed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.services.ledger.ports import NotLeading
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import StoreRefused
from gateway.store.ids import to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.tables.ledger import ledger_checkpoint, ledger_entry, ledger_key, ledger_outbox, ledger_shard
from ledger.entry import SALT_BYTES, Entry, canonical, commit
from ledger.note import ED25519, Signer, parse_signer, parse_vkey

SIGNING, RETIRED = "SIGNING", "RETIRED"
SYSTEM = "yimen"
"""The actor of what nobody asked for."""
_SIGNING = sa.text(
    "SELECT k.shard, k.key_id, k.secret_ct, k.data_key_id, k.alg_id FROM ledger_key k "
    "JOIN ledger_shard s ON s.shard = k.shard WHERE s.state = 'ACTIVE' AND k.state = 'SIGNING' ORDER BY k.at_us, k.key_id"
)


class StoredSigners:
    """Reads, makes and retires the keys of the active shard."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self._known: dict[tuple[str, str], tuple[Sealed, Signer]] = {}

    async def signers(self) -> Sequence[Signer]:
        """See `SequencedLog.signers`. Raises CiphertextInvalid for a key that does not open."""
        rows = await self._database.rows(_SIGNING, {})
        if not rows:
            raise NotLeading("no shard is active")
        return [await self._opened(*row) for row in rows]

    async def sealed(self, shard: str, signer: Signer) -> dict[str, Any]:
        """The row of a key that signs from now on."""
        key_id = signer.key.id.hex()
        (secret,) = await self._keys.seal((_place(shard, key_id), signer.secret().encode()))
        return {
            "shard": shard, "key_id": key_id, "vkey": str(signer.key), "secret_ct": secret.ciphertext,
            "data_key_id": secret.key_id, "alg_id": secret.alg_id, "state": SIGNING,
            "at_us": to_us(self._clock.now()), "retired_at_us": None,
        }  # fmt: skip

    async def begin_rotation(self) -> str:
        """The new key's vkey. Raises StoreRefused while another rotation is under way."""
        now = self._clock.now()
        async with self._database.write() as connection:
            shard, held = await self._held(connection)
            if len(held) != 1:
                raise StoreRefused("a rotation of the ledger's key is under way; finish it first")
            old = held[0]
            signer = new_signer(parse_vkey(old.vkey).name)
            row = await self.sealed(shard, signer) | {"at_us": max(to_us(now), old.at_us + 1)}
            await connection.execute(sa.insert(ledger_key).values(row))
            await say(connection, announcement_id(row["vkey"]), now, {"vkey": row["vkey"], "retires": old.vkey})
        return str(row["vkey"])

    async def finish_rotation(self) -> str:
        """The retired key's vkey. Raises StoreRefused where there is none to retire, or the announcement of the new one
        is not yet under a checkpoint that both signed and that was given out."""
        now = self._clock.now()
        async with self._database.write() as connection:
            shard, held = await self._held(connection)
            if len(held) != 2:
                raise StoreRefused("no rotation of the ledger's key is under way")
            old, new = held
            announced = sa.select(ledger_entry.c.number).where(
                ledger_entry.c.id == announcement_id(new.vkey), ledger_entry.c.shard == shard
            )
            covered = sa.select(sa.literal(1)).where(
                ledger_checkpoint.c.shard == shard,
                ledger_checkpoint.c.published_at_us.is_not(None),
                ledger_checkpoint.c.size > announced.scalar_subquery(),
            )
            if (await connection.execute(covered.limit(1))).first() is None:
                raise StoreRefused(
                    "the new key has not been given out under both signatures yet; try again in a minute"
                )
            retire = sa.update(ledger_key).where(ledger_key.c.shard == shard, ledger_key.c.key_id == old.key_id)
            await connection.execute(retire.values(state=RETIRED, retired_at_us=to_us(now)))
            await say(connection, _log_id("retired", old.vkey), now, {"vkey": new.vkey, "retired": old.vkey})
        return str(old.vkey)

    async def _held(self, connection: AsyncConnection) -> tuple[str, Sequence[sa.Row[Any]]]:
        """The active shard, its row locked so that replicas take turns, and its signing keys, oldest first."""
        shard = await connection.scalar(
            sa.select(ledger_shard.c.shard).where(ledger_shard.c.state == "ACTIVE").with_for_update()
        )
        if shard is None:
            raise StoreRefused("there is no ledger yet; start the gateway once")
        signing = sa.select(ledger_key).where(ledger_key.c.shard == shard, ledger_key.c.state == SIGNING)
        return shard, (await connection.execute(signing.order_by(ledger_key.c.at_us))).all()

    async def _opened(self, shard: str, key_id: str, secret_ct: bytes, data_key_id: str, alg_id: str) -> Signer:
        """Opened once; what is sealed otherwise by now is opened again."""
        sealed = Sealed(bytes(secret_ct), data_key_id, alg_id)
        known = self._known.get((shard, key_id))
        if known is None or known[0] != sealed:
            signer = parse_signer((await self._keys.unseal(_place(shard, key_id), sealed)).decode())
            known = self._known[shard, key_id] = sealed, signer
        return known[1]


def new_signer(origin: str) -> Signer:
    return Signer(origin, ED25519, os.urandom(32))


def log_entry(at: datetime, public: Mapping[str, Any]) -> bytes:
    """What the log says of itself. There is no record apart: the commitment is to `public`, under a salt of zeroes."""
    return bytes(Entry("log", SYSTEM, at, commit(bytes(SALT_BYTES), canonical(public)), public))


async def say(connection: AsyncConnection, entry_id: str, at: datetime, public: Mapping[str, Any]) -> None:
    row = {"id": entry_id, "due_at_us": 0, "entry": log_entry(at, public)}
    await connection.execute(sa.insert(ledger_outbox).values(row))


def announcement_id(vkey: str) -> str:
    return _log_id("announced", vkey)


def first_id(origin: str) -> str:
    """Of the entry that begins a shard."""
    return _log_id("begins", origin)


def _log_id(saying: str, about: str) -> str:
    """The same for the same saying; before all time-ordered ids, so that it never waits behind them.

    Source: RFC 9562, section 5.8: version 8, variant 0b10, the rest ours.
    """
    rest = int.from_bytes(sha256(f"{saying}/{about}".encode()).digest()[:9], "big")
    return str(UUID(int=0x8 << 76 | 0b10 << 62 | (rest >> 62 & 0x3FF) << 64 | rest & ((1 << 62) - 1)))


def _place(shard: str, key_id: str) -> Place:
    return Place("ledger_key", "secret_ct", f"{shard}/{key_id}")
