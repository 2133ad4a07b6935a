"""Status lists in the store: places allotted at random, tokens signed once for each version and shared by all replicas."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from credentials.errors import KeysUnavailable
from credentials.jose import parse
from credentials.keys import KeyRing
from credentials.status_list import LONGEST_TOKEN, make_token, pack
from gateway.clock import Clock
from gateway.services.credentials.ports import Place
from gateway.store.credentials.flips import flip
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.tables.credentials import status_change, status_entry, status_list

__all__ = ["StoredStatusLists", "flip"]

BITS = 2
LIFE = timedelta(hours=24)
"""How long a token's word holds for whoever is offline."""
RENEWED = timedelta(hours=1)
"""A token older than this is signed anew though nothing changed, so that its age says when we were last asked."""
_POOL = 256
_PAST_TOKENS = 32
# As text: an INSERT with the values of each row in it would be compiled anew each time, which costs more than running it.
_PUT = sa.text(
    "INSERT INTO status_entry (list_id, idx, value) SELECT :list_id, CAST(value AS integer), 0"
    " FROM jsonb_array_elements_text(CAST(:drawn AS jsonb)) ON CONFLICT DO NOTHING RETURNING idx"
)
_PUT_SQLITE = sa.text(
    "INSERT INTO status_entry (list_id, idx, value) SELECT :list_id, value, 0 FROM json_each(:drawn) WHERE true"
    " ON CONFLICT DO NOTHING RETURNING idx"
)
_HEAD = sa.text("SELECT version, token_version, token_exp_us FROM status_list WHERE list_id = :list_id")


@dataclass(frozen=True, slots=True)
class _Signed:
    """A token as it was made; `exp_us` tells it from one over the same version."""

    version: int
    exp_us: int
    kid: str
    token: str = field(repr=False)
    etag: str


class StoredStatusLists:
    """Implements `StatusLists`. `uri_of` gives a list's own address, `aggregation_uri` where all are named."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        *,
        uri_of: Callable[[str], str],
        aggregation_uri: str,
        size: int = 131_072,
        ttl_s: int = 30,
    ) -> None:
        self._database, self._ring, self._clock = database, ring, clock
        self._uri_of, self._aggregation_uri, self._size, self._ttl_s = uri_of, aggregation_uri, size, ttl_s
        self._pool: list[Place] = []
        self._filling = asyncio.Lock()
        self._held: dict[str, _Signed] = {}
        self._past: OrderedDict[tuple[str, int, str], tuple[int, str]] = OrderedDict()
        self._signing: dict[str, asyncio.Lock] = {}

    async def allot(self, count: int) -> Sequence[Place]:
        """See the port. Places are taken from the store by the handful, so most requests wait for no commit; what a
        process had left when it ended is never used. Raises StoreUnavailable."""
        async with self._filling:
            while len(self._pool) < count:
                self._pool += await self._take(max(_POOL, count))
            taken, self._pool = self._pool[:count], self._pool[count:]
            return taken

    async def token(self, list_id: str) -> tuple[str, str] | None:
        """See the port. What was flipped before this was called shows in it, on every replica. Raises StoreUnavailable,
        KeysUnavailable."""
        head = await self._database.rows(_HEAD, {"list_id": list_id})
        if not head:
            return None
        held = await self._in_force(list_id, head[0])
        if held is None:
            async with self._signing.setdefault(list_id, asyncio.Lock()):  # whoever waited finds it made
                head = await self._database.rows(_HEAD, {"list_id": list_id})
                held = await self._in_force(list_id, head[0]) or await self._make(list_id)
        return held.token, held.etag

    async def history(self, list_id: str, at: datetime) -> str | None:
        """See the port; None also for a moment before the list or after now."""
        now, at_us = self._clock.now(), to_us(at)
        async with self._database.read() as connection:
            row = await self._row(connection, list_id)
            if row is None or at > now or at_us < row.created_at_us // 1_000_000 * 1_000_000:
                return None
            mine, when = status_change.c.list_id == list_id, status_change.c.at_us
            since = await connection.scalar(sa.select(sa.func.max(when)).where(mine, when <= at_us))
            until = await connection.scalar(sa.select(sa.func.min(when)).where(mine, when > at_us))
            signer = await self._ring.signer()
            known = (list_id, since or 0, signer.kid)
            if known in self._past and at_us <= self._past[known][0]:
                self._past.move_to_end(known)
                return self._past[known][1]
            lines = await connection.execute(
                sa.select(status_change.c.idx, status_change.c.value)
                .where(mine, when <= at_us)
                .order_by(when, status_change.c.id)
            )
            statuses = dict(_pairs(lines))
        issued = from_us(since or row.created_at_us)
        expires = now + RENEWED if until is None else from_us(until) + timedelta(seconds=1)
        token = await self._sign(row, list_id, statuses, issued, expires)
        # There are as many tokens of the past as there were changes, so asking again and again signs nothing.
        self._past[known] = (to_us(expires), token)
        while len(self._past) > _PAST_TOKENS:
            self._past.popitem(last=False)
        return token

    async def lists(self) -> Sequence[str]:
        async with self._database.read() as connection:
            ordered = sa.select(status_list.c.list_id).order_by(status_list.c.created_at_us, status_list.c.list_id)
            return list(await connection.scalars(ordered))

    async def _take(self, count: int) -> list[Place]:
        """Places of the open list, written down as used before anybody has them; a new list where it is half full."""
        async with self._database.write() as connection:
            row = await self._open_list(connection)
            wanted = min(count, max(row.size // 2 - row.allotted, 1))
            indices: set[int] = set()
            while len(indices) < wanted:
                drawn = {secrets.randbelow(row.size) for _ in range(wanted - len(indices))}
                asked = {"list_id": row.list_id, "drawn": orjson.dumps(sorted(drawn)).decode()}
                put = _PUT_SQLITE if self._database.is_sqlite else _PUT
                indices |= set(await connection.scalars(put, asked))
            more = {"allotted": status_list.c.allotted + len(indices)}
            await connection.execute(sa.update(status_list).where(status_list.c.list_id == row.list_id).values(more))
        places = [Place(row.list_id, index) for index in indices]
        secrets.SystemRandom().shuffle(places)  # the order of a set says something of the numbers
        return places

    async def _open_list(self, connection: AsyncConnection) -> Any:
        """Locked until the transaction ends, so that two replicas neither overfill it nor both open the next."""
        if not self._database.is_sqlite:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('status_list'))"))
        found = sa.select(status_list).where(
            status_list.c.bits == BITS, status_list.c.allotted * 2 < status_list.c.size
        )
        row = (await connection.execute(found.order_by(status_list.c.created_at_us).limit(1))).first()
        if row is not None:
            return row
        fresh = {
            "list_id": secrets.token_hex(8), "bits": BITS, "size": self._size, "allotted": 0, "version": 1,
            "token": None, "token_version": 0, "token_exp_us": 0, "created_at_us": to_us(self._clock.now()),
        }  # fmt: skip
        await connection.execute(sa.insert(status_list).values(fresh))
        return (await connection.execute(found)).first()

    async def _in_force(self, list_id: str, head: Sequence[Any]) -> _Signed | None:
        """The token of the list's version as it is now, signed by the key that signs now, and young enough."""
        version, token_version, exp_us = head
        if version != token_version or from_us(exp_us) - LIFE + RENEWED <= self._clock.now():
            return None
        held = self._held.get(list_id)
        if held is None or (held.version, held.exp_us) != (version, exp_us):
            held = await self._read_token(list_id)
            if held is None or (held.version, held.exp_us) != (version, exp_us):
                return None
            self._held[list_id] = held
        try:
            return held if held.kid == (await self._ring.signer()).kid else None
        except KeysUnavailable:
            return held  # nothing is to be said anew, so no key is needed

    async def _read_token(self, list_id: str) -> _Signed | None:
        """What a replica made and kept for all."""
        async with self._database.read() as connection:
            row = await self._row(connection, list_id)
        if row.token is None:
            return None
        token = row.token.decode()
        jws = parse(token, limit=LONGEST_TOKEN)
        if jws.claims.get("sub") != self._uri_of(list_id):
            return None  # made when we were reached by another address
        kid = jws.header.get("kid", "")
        return _Signed(row.token_version, row.token_exp_us, kid, token, _etag(token))

    async def _make(self, list_id: str) -> _Signed:
        """Signed over what the list says at least since it had `version`; kept unless a newer one is there already."""
        async with self._database.read() as connection:
            row = await self._row(connection, list_id)
            said = sa.select(status_entry.c.idx, status_entry.c.value)
            changed = await connection.execute(said.where(status_entry.c.list_id == list_id, status_entry.c.value != 0))
            statuses = dict(_pairs(changed))
        now = self._clock.now()
        expires = now + LIFE
        kid = (await self._ring.signer()).kid
        token = await self._sign(row, list_id, statuses, now, expires)
        made = _Signed(row.version, to_us(expires), kid, token, _etag(token))
        values = {"token": token.encode(), "token_version": made.version, "token_exp_us": made.exp_us}
        mine, older = status_list.c.list_id == list_id, status_list.c.token_version <= made.version
        async with self._database.write() as connection:
            await connection.execute(sa.update(status_list).where(mine, older).values(values))
        self._held[list_id] = made
        return made

    async def _sign(
        self, row: Any, list_id: str, statuses: Mapping[int, int], issued: datetime, expires: datetime
    ) -> str:
        signer = await self._ring.signer()

        def made() -> str:
            return make_token(
                signer,
                self._uri_of(list_id),
                pack(row.size, statuses, bits=row.bits),
                issued_at=issued,
                expires_at=expires,
                ttl_s=self._ttl_s,
                bits=row.bits,
                aggregation_uri=self._aggregation_uri,
            )

        return await asyncio.to_thread(made)  # zlib lets go of the interpreter; the loop goes on meanwhile

    async def _row(self, connection: AsyncConnection, list_id: str) -> Any:
        return (await connection.execute(sa.select(status_list).where(status_list.c.list_id == list_id))).first()


def _pairs(rows: Iterable[Any]) -> Iterable[tuple[int, int]]:
    return ((row[0], row[1]) for row in rows)


def _etag(token: str) -> str:
    return '"' + hashlib.sha256(token.encode()).hexdigest()[:32] + '"'
