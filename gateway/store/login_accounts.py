"""Passwords and second factors. A code's time-step and a passkey's count are spent by one conditional statement each."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.caller import Change
from gateway.clock import Clock
from gateway.services.login_ports import Account, Enrolment, Passkey
from gateway.store.changes import record_change
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.tables.login import (
    login_account,
    login_external,
    login_invitation,
    login_passkey,
    login_session,
    login_totp,
)


class StoredAccounts:
    """Implements `gateway.services.login_ports.Accounts` and `Invitations`."""

    def __init__(self, database: Database, keys: Keys, clock: Clock) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self._external_key = keys.derive("login/external/v1")

    async def account(self, user_id: str) -> Account | None:
        """See the port."""
        query = sa.select(login_account).where(login_account.c.user_id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Account(row.user_id, row.password_hash, bool(row.demo))

    async def rehash(self, user_id: str, old: str, new: str) -> None:
        """See the port."""
        same = (login_account.c.user_id == user_id, login_account.c.password_hash == old)
        async with self._database.write() as connection:
            await connection.execute(sa.update(login_account).where(*same).values(password_hash=new))

    async def totp_secret(self, user_id: str) -> str | None:
        """See the port. Raises CiphertextInvalid."""
        query = sa.select(login_totp).where(login_totp.c.user_id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return (await self._keys.unseal(_place(user_id), Sealed(row.secret_ct, row.key_id, row.alg_id))).decode()

    async def spend_totp(self, user_id: str, step: int) -> bool:
        """See the port."""
        unspent = (login_totp.c.user_id == user_id, login_totp.c.last_step < step)
        async with self._database.write() as connection:
            spent = sa.update(login_totp).where(*unspent).values(last_step=step).returning(login_totp.c.user_id)
            return (await connection.execute(spent)).one_or_none() is not None

    async def passkeys(self, user_id: str) -> Sequence[Passkey]:
        """See the port."""
        query = sa.select(login_passkey).where(login_passkey.c.user_id == user_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Passkey(bytes(row.credential_id), bytes(row.public_key), row.sign_count) for row in rows]

    async def use_passkey(self, credential_id: bytes, sign_count: int) -> bool:
        """See the port."""
        count = login_passkey.c.sign_count
        grows = sa.or_(count < sign_count, sa.and_(count == 0, sa.literal(sign_count) == 0))
        used = {"sign_count": sign_count, "used_at_us": to_us(self._clock.now())}
        async with self._database.write() as connection:
            change = sa.update(login_passkey).where(login_passkey.c.credential_id == credential_id, grows).values(used)
            return (await connection.execute(change.returning(count))).one_or_none() is not None

    async def external_user(self, issuer: str, subject: str) -> str | None:
        """See the port."""
        query = sa.select(login_external.c.user_id).where(login_external.c.key == self._external(issuer, subject))
        async with self._database.read() as connection:
            found = await connection.scalar(query)
        return None if found is None else str(found)

    async def link_external(self, user_id: str, org_id: str, issuer: str, subject: str, actor: str) -> None:
        """An OIDC provider's account is this officer's from now on."""
        now = self._clock.now()
        row = {"key": self._external(issuer, subject), "user_id": user_id, "set_at_us": to_us(now)}
        async with self._database.write() as connection:
            await self._put(connection, login_external, "key", row)
            await record_change(connection, now, Change("LOGIN_LINKED", user_id, org_id, actor))

    async def invite(self, user_id: str, org_id: str, token: str, until: datetime) -> None:
        """See the port."""
        now = self._clock.now()
        row = {"token_hash": hashed(token), "user_id": user_id, "expires_at_us": to_us(until)}
        async with self._database.write() as connection:
            await connection.execute(sa.delete(login_invitation).where(login_invitation.c.user_id == user_id))
            await connection.execute(sa.insert(login_invitation).values(row))
            await record_change(connection, now, Change("OFFICER_INVITED", user_id, org_id, "operator"))

    async def invited(self, token: str) -> str | None:
        """See the port."""
        async with self._database.read() as connection:
            found = await connection.scalar(sa.select(login_invitation.c.user_id).where(*self._live(token)))
        return None if found is None else str(found)

    async def redeem(self, token: str, enrolment: Enrolment) -> bool:
        """See the port."""
        now, user_id = self._clock.now(), enrolment.user_id
        live = (*self._live(token), login_invitation.c.user_id == user_id)
        factor = "PASSKEY" if enrolment.passkey else "TOTP"
        async with self._database.write() as connection:
            spent = sa.delete(login_invitation).where(*live).returning(login_invitation.c.user_id)
            if (await connection.execute(spent)).one_or_none() is None:
                return False
            await self.put(connection, enrolment, demo=False)
            change = Change("LOGIN_SET", user_id, enrolment.org_id, user_id, detail={"factor": factor})
            await record_change(connection, now, change)
        return True

    async def put(self, connection: AsyncConnection, enrolment: Enrolment, *, demo: bool) -> None:
        """In the place of whatever this officer logged in with before; open sessions end."""
        user_id, now_us = enrolment.user_id, to_us(self._clock.now())
        for table in (login_totp, login_passkey, login_session):
            await connection.execute(sa.delete(table).where(table.c.user_id == user_id))
        account = {"user_id": user_id, "password_hash": enrolment.password_hash, "demo": demo, "set_at_us": now_us}
        await self._put(connection, login_account, "user_id", account)
        if enrolment.totp_secret is not None:
            (sealed,) = await self._keys.seal((_place(user_id), enrolment.totp_secret.encode()))
            row = {
                "user_id": user_id, "secret_ct": sealed.ciphertext, "key_id": sealed.key_id, "alg_id": sealed.alg_id,
                "last_step": enrolment.totp_step, "set_at_us": now_us,
            }  # fmt: skip
            await connection.execute(sa.insert(login_totp).values(row))
        if (key := enrolment.passkey) is not None:
            row = {
                "credential_id": key.credential_id, "user_id": user_id, "public_key": key.public_key,
                "sign_count": key.sign_count, "set_at_us": now_us,
            }  # fmt: skip
            await connection.execute(sa.insert(login_passkey).values(row))

    async def _put(self, connection: AsyncConnection, table: sa.Table, key: str, row: dict[str, object]) -> None:
        values = {name: value for name, value in row.items() if name != key}
        await connection.execute(
            self._database.insert(table).values(row).on_conflict_do_update(index_elements=[key], set_=values)
        )

    def _live(self, token: str) -> tuple[sa.ColumnElement[bool], ...]:
        now_us = to_us(self._clock.now())
        return login_invitation.c.token_hash == hashed(token), login_invitation.c.expires_at_us > now_us

    def _external(self, issuer: str, subject: str) -> bytes:
        message = len(issuer.encode()).to_bytes(4, "big") + issuer.encode() + subject.encode()
        return hmac.digest(self._external_key, message, "sha256")


def hashed(secret: str) -> bytes:
    """256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).digest()


def _place(user_id: str) -> Place:
    return Place("login_totp", "secret_ct", user_id)
