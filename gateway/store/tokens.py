"""Seeded officer tokens: what stands in for real authentication in the demo, and in nothing else."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
import tomllib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.caller import Caller, Presented
from gateway.clock import Clock
from gateway.errors import Unauthenticated
from gateway.store.engine import Database
from gateway.store.errors import TokensRefused
from gateway.store.ids import from_us, random_id, to_us
from gateway.store.tables import officer_token

_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]{43,128})", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43,128}")
_CACHED_S = 2.0
_CACHED = 256


@dataclass(frozen=True, slots=True)
class Officer:
    """Who a seeded token stands for."""

    user_id: str
    org_id: str
    org_kind: str
    roles: frozenset[str]
    purposes: frozenset[str] = frozenset()


class SeededTokens:
    """Implements `gateway.caller.Authenticator`; outside the demo it knows nobody.

    A token is 256 random bits and only its SHA-256 is stored, so looking it up by hash leaks nothing of use. A revoked
    token works for two more seconds at most.
    """

    def __init__(self, database: Database, clock: Clock, *, demo: bool) -> None:
        self._database, self._clock, self._demo = database, clock, demo
        self._cache: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def __call__(self, presented: Presented) -> Caller:
        """See the port. Raises StoreUnavailable where the database does not answer."""
        match = _BEARER.fullmatch(presented.authorization or "")
        if match is None or not self._demo:
            raise Unauthenticated
        token_hash = _hash(match[1])
        found = self._cache.get(token_hash)
        if found is None or time.monotonic() > found[0]:
            found = (time.monotonic() + _CACHED_S, await self._find(token_hash))
            self._cache[token_hash] = found
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        if found[1].expires_at <= self._clock.now():
            raise Unauthenticated
        return found[1]

    async def still(self, caller: Caller) -> bool:
        return caller.expires_at > self._clock.now()

    async def seed(self, officer: Officer, *, expires_at: datetime, token: str | None = None) -> str:
        """The officer's token, a new one unless given; seeding a token again replaces what it stands for.

        Raises TokensRefused outside the demo, and for a given token that is not 43 or more base64url characters.
        """
        if not self._demo:
            raise TokensRefused("seeded tokens are for the demo only")
        token = token if token is not None else secrets.token_urlsafe(32)
        if not _TOKEN.fullmatch(token):
            raise TokensRefused("a seeded token must be 256 random bits in base64url")
        caller = {
            "user_id": officer.user_id, "org_id": officer.org_id, "org_kind": officer.org_kind,
            "roles": sorted(officer.roles), "purposes": sorted(officer.purposes),
        }  # fmt: skip
        values = {
            "caller": orjson.dumps(caller).decode(),
            "expires_at_us": to_us(expires_at),
            "revoked_at_us": None,
        }
        insert = sqlite_insert if self._database.is_sqlite else postgresql_insert
        fixed = {"token_hash": _hash(token), "token_id": random_id(), "created_at_us": to_us(self._clock.now())}
        put = insert(officer_token).values(**fixed, **values)
        async with self._database.write() as connection:
            await connection.execute(put.on_conflict_do_update(index_elements=["token_hash"], set_=values))
        self._cache.pop(_hash(token), None)
        return token

    async def seed_file(self, path: Path) -> int:
        """Seed every `[[officers]]` of a TOML file: token, user_id, org_id, org_kind, roles, purposes, expires_at.

        Returns how many. Raises TokensRefused for a file that is not that, or that others may read.
        """
        entries = _officers(path)
        for officer, expires_at, token in entries:
            await self.seed(officer, expires_at=expires_at, token=token)
        return len(entries)

    async def revoke(self, token_id: str) -> bool:
        """False where there is no such live token."""
        live = (officer_token.c.token_id == token_id, officer_token.c.revoked_at_us.is_(None))
        async with self._database.write() as connection:
            now_us = to_us(self._clock.now())
            done = await connection.execute(sa.update(officer_token).where(*live).values(revoked_at_us=now_us))
        self._cache.clear()
        return bool(done.rowcount)

    async def _find(self, token_hash: bytes) -> Caller:
        async with self._database.read() as connection:
            query = sa.select(officer_token).where(officer_token.c.token_hash == token_hash)
            row = (await connection.execute(query)).one_or_none()
        if row is None or not hmac.compare_digest(row.token_hash, token_hash) or row.revoked_at_us is not None:
            self._cache.pop(token_hash, None)
            raise Unauthenticated
        caller: dict[str, Any] = orjson.loads(row.caller)
        return Caller(
            user_id=caller["user_id"],
            org_id=caller["org_id"],
            org_kind=caller["org_kind"],
            roles=frozenset(caller["roles"]),
            token_id=row.token_id,
            expires_at=from_us(row.expires_at_us),
            purposes=frozenset(caller["purposes"]),
        )


def _officers(path: Path) -> list[tuple[Officer, datetime, str]]:
    try:
        if path.stat().st_mode & 0o077:
            raise TokensRefused(f"{path} can be read by others; chmod 600 it")
        entries = tomllib.loads(path.read_text("utf-8"))["officers"]
        officers = [(_officer(entry), entry["expires_at"], entry["token"]) for entry in entries]
        if not all(isinstance(expires, datetime) and expires.tzinfo for _, expires, _ in officers):
            raise ValueError
    except (OSError, KeyError, TypeError, ValueError):
        wanted = "token, user_id, org_id, org_kind, roles, purposes, expires_at = 2027-01-01T00:00:00+08:00 (no quotes)"
        raise TokensRefused(f"{path} is not a file of seeded tokens: each [[officers]] needs {wanted}") from None
    return officers


def _officer(entry: Any) -> Officer:
    names = {name: entry[name] for name in ("user_id", "org_id", "org_kind")}
    if not all(isinstance(value, str) and value for value in names.values()):
        raise ValueError
    return Officer(**names, roles=frozenset(entry["roles"]), purposes=frozenset(entry.get("purposes", ())))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
