"""The authorization server's signing keys, kept sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.oauth.access_token import longest_wait
from gateway.oauth.jose import PrivateKey
from gateway.oauth.signing_keys import KeptKey, KeyState
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.errors import StoreRefused
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.tables.oauth_keys import oauth_signing_key as table

PUBLISHED_AHEAD = timedelta(minutes=15)
"""How long a NEXT key is in the JWKS before it may sign; others are told to look that often."""

_REPLICAS_NOTICE = timedelta(minutes=5)


class StoredSigningKeys:
    """Implements `gateway.oauth.signing_keys.KeptKeys`; `rotate` is the operator's."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock

    async def load(self) -> Sequence[KeptKey]:
        """See the port. Raises StoreUnavailable, or CiphertextInvalid for a key that does not open."""
        rows = await self._rows()
        if not {KeyState.CURRENT, KeyState.NEXT} <= {row.state for row in rows}:
            await self._make_first()
            rows = await self._rows()
        return [await self._opened(row) for row in rows]

    async def rotate(self, *, actor_user: str, compromised: bool = False) -> str:
        """NEXT becomes CURRENT, CURRENT is RETIRED, a new NEXT is made; the id of what signs now.

        The retired key stays published until the last token it can have signed is past; a `compromised` one is not
        published another moment, so every token it signed is dead. Raises StoreRefused where NEXT has not been published
        long enough for others to know it, unless `compromised`.
        """
        now = self._clock.now()
        until = now if compromised else now + longest_wait() + _REPLICAS_NOTICE
        made = PrivateKey.generate()
        row = await self._sealed(made, KeyState.NEXT)
        async with self._database.write() as connection:
            await self._take_turns(connection)
            held = {one.state: one for one in (await connection.execute(sa.select(table))).all()}
            following = held.get(KeyState.NEXT)
            if following is None:
                raise StoreRefused("there are no signing keys yet; start the gateway once")
            if not compromised and following.created_at_us > to_us(now - PUBLISHED_AHEAD):
                minutes = int(PUBLISHED_AHEAD.total_seconds() // 60)
                raise StoreRefused(f"the next key was made less than {minutes} minutes ago; others may not know it yet")
            for state, change in (
                (KeyState.CURRENT, {"state": KeyState.RETIRED, "published_until_us": to_us(until)}),
                (KeyState.NEXT, {"state": KeyState.CURRENT}),
            ):
                values = {name: str(value) if name == "state" else value for name, value in change.items()}
                await connection.execute(sa.update(table).where(table.c.state == state).values(values))
            await connection.execute(sa.insert(table).values(row))
            await connection.execute(
                sa.delete(table).where(table.c.published_until_us < to_us(now - timedelta(days=30)))
            )
            detail = {"next": made.kid, "compromised": compromised}
            await _record(connection, self._clock, str(following.kid), actor_user, detail)
        return str(following.kid)

    async def _make_first(self) -> None:
        rows = [await self._sealed(PrivateKey.generate(), state) for state in (KeyState.CURRENT, KeyState.NEXT)]
        async with self._database.write() as connection:
            await self._take_turns(connection)
            held = set(await connection.scalars(sa.select(table.c.state)))
            missing = [row for row in rows if row["state"] not in held]
            if missing:
                await connection.execute(sa.insert(table), missing)
                await _record(connection, self._clock, str(missing[0]["kid"]), "", {"first": True})

    async def _take_turns(self, connection: AsyncConnection) -> None:
        if not self._database.is_sqlite:
            await connection.execute(sa.text("LOCK TABLE oauth_signing_key IN SHARE ROW EXCLUSIVE MODE"))

    async def _rows(self) -> Sequence[sa.Row[Any]]:
        until = table.c.published_until_us
        alive = sa.or_(until.is_(None), until > to_us(self._clock.now()))
        async with self._database.read() as connection:
            return (await connection.execute(sa.select(table).where(alive).order_by(table.c.created_at_us))).all()

    async def _sealed(self, key: PrivateKey, state: KeyState) -> dict[str, object]:
        (sealed,) = await self._keys.seal((_place(key.kid), orjson.dumps(key.private_jwk())))
        return {
            "kid": key.kid, "state": str(state), "private_jwk_ct": sealed.ciphertext, "key_id": sealed.key_id,
            "alg_id": sealed.alg_id, "created_at_us": to_us(self._clock.now()), "published_until_us": None,
        }  # fmt: skip

    async def _opened(self, row: sa.Row[Any]) -> KeptKey:
        sealed = Sealed(row.private_jwk_ct, row.key_id, row.alg_id)
        key = PrivateKey(orjson.loads(await self._keys.unseal(_place(row.kid), sealed)))
        until = row.published_until_us
        return KeptKey(key, KeyState(row.state), from_us(row.created_at_us), None if until is None else from_us(until))


async def _record(
    connection: AsyncConnection, clock: Clock, kid: str, actor_user: str, detail: dict[str, object]
) -> None:
    await record_change(connection, clock.now(), Change("SIGNING_KEY_ROTATED", kid, "", actor_user, detail=detail))


def _place(kid: str) -> Place:
    return Place("oauth_signing_key", "private_jwk_ct", kid)
