"""Sequencing on PostgreSQL: any number of processes append, the one that holds the advisory lock gives numbers.

The lock lives as long as its session, and the batches are written on that very session: a leader that lost its lock has
lost the connection it would write on. The fence is compared nevertheless, in each transaction, under the shard's row lock.
Three round trips a batch; entries are hashed where they are and never leave the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from gateway.services.ledger.ports import LedgerHalted, NotLeading
from gateway.store.engine import Database, fault_name
from gateway.store.errors import StoreUnavailable
from gateway.store.ledger.sequencing import (
    DUE,
    ENTRY_DOUBLED,
    FENCE,
    HEAD,
    LOOK,
    Broken,
    Growth,
    Head,
    Steps,
    broken_tile,
    grown,
    head_of,
)
from ledger.encoding import HASH_BYTES

_CONFIRM_S = 1.0
_IDLE_S = 20.0
"""A leader that says nothing for so long (stopped, cut off) is dismissed by the server: PostgreSQL 14 and later."""
_LOCK = b"SELECT pg_try_advisory_lock(hashtextextended('yimen/ledger', 0))"
_SETTINGS = (
    "SELECT set_config('idle_session_timeout', %(idle)s, false) "
    "WHERE current_setting('server_version_num')::int >= 140000"
)
_DUE = DUE.replace(":now", "%(now)s").replace(":furthest", "%(furthest)s")
_LOOK = LOOK.replace(DUE, _DUE)
_TAKE = f"""
    WITH taken AS (
        DELETE FROM ledger_outbox WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM ledger_outbox WHERE {_DUE} ORDER BY id LIMIT %(most)s))
        RETURNING id, entry),
    numbered AS (
        SELECT s.shard, s.size - 1 + row_number() OVER (ORDER BY t.id) AS number, t.id, t.entry
        FROM taken t, ledger_shard s WHERE s.state = 'ACTIVE' AND s.fence = %(fence)s),
    entered AS (
        INSERT INTO ledger_entry (shard, number, id, leaf_hash, entry)
        SELECT shard, number, id, sha256('\\x00'::bytea || entry), entry FROM numbered
        RETURNING number, leaf_hash)
    SELECT number, leaf_hash FROM entered ORDER BY number
"""  # noqa: S608  (our own words only)
_GROW = """
    UPDATE ledger_shard SET size = %s, root = %s, frontier = %s
    WHERE shard = %s AND fence = %s AND size = %s AND state = 'ACTIVE' AND halted IS NULL
"""
_TILE = """
    INSERT INTO ledger_tile AS t (shard, level, n, hashes) VALUES (%s, %s, %s, %s)
    ON CONFLICT (shard, level, n) DO UPDATE SET hashes = t.hashes || excluded.hashes
    RETURNING octet_length(hashes)
"""
_REPEATED = b"DELETE FROM ledger_outbox o USING ledger_entry e WHERE e.id = o.id AND e.entry = o.entry"


class PostgresSequencer:
    """Implements `sequencing.Sequencer`."""

    def __init__(self, database: Database, steps: Steps) -> None:
        self._database, self._steps = database, steps
        self._turn = asyncio.Lock()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._fence: int | None = None
        self._confirmed = 0.0
        self.term = 0

    @property
    def fence(self) -> int:
        if self._fence is None:
            raise NotLeading("this process does not lead")
        return self._fence

    async def lead(self) -> bool:
        async with self._turn:
            if self._fence is not None:
                if time.monotonic() - self._confirmed < _CONFIRM_S:
                    return True
                with contextlib.suppress(StoreUnavailable):
                    async with self._session() as session:
                        await session.execute("SELECT 1")
                    return True
            async with self._session() as session:
                if not (await (await session.execute(_LOCK)).fetchall())[0][0]:
                    return False
                found = await (await session.execute(FENCE.encode())).fetchall()
                if not found:  # no shard yet
                    await session.execute("SELECT pg_advisory_unlock_all()")
                self._fence = int(found[0][0]) if found else None
                self.term += 1
            return self._fence is not None

    async def sequence(self, most: int, now_us: int, furthest_us: int) -> int:
        async with self._turn:
            given = {"now": now_us, "furthest": furthest_us, "most": most, "fence": self.fence}
            async with self._session() as session:
                seen = await (await session.execute(_LOOK, given, prepare=True)).fetchone()
                head_of(seen).held_by(given["fence"])
                if seen is None or not seen[-1]:
                    return 0
                self._steps("sequence/found")
                try:
                    return await self._write(session, given)
                except psycopg.errors.UniqueViolation:
                    await session.execute("ROLLBACK")
                # What was committed was written once more, by somebody who did not hear of it.
                if (await session.execute(_REPEATED)).rowcount == 0:
                    raise Broken(ENTRY_DOUBLED, "two different entries have one id")
                return await self._write(session, given)

    async def step_down(self) -> None:
        async with self._turn:
            if self._fence is not None:
                with contextlib.suppress(StoreUnavailable):  # the session's end would do, some moments later
                    async with self._session() as session:
                        await session.execute("SELECT pg_advisory_unlock_all()")
            await self._let_go()

    async def close(self) -> None:
        await self.step_down()

    async def _write(self, session: psycopg.AsyncConnection[Any], given: dict[str, int]) -> int:
        async with session.pipeline():
            await session.execute("BEGIN")
            locked = await session.execute(f"{HEAD} FOR UPDATE", prepare=True)
            entered = await session.execute(_TAKE, given, prepare=True, binary=True)
            head = head_of(await locked.fetchone())
            head.held_by(given["fence"])
            leaves = await entered.fetchall()
        self._steps("sequence/taken")
        if [number for number, _ in leaves] != list(range(head.size, head.size + len(leaves))):
            raise NotLeading("the shard changed under us")
        await self._grow(session, head, grown(head, (bytes(leaf) for _, leaf in leaves)))
        self._steps("sequence/grown")
        await session.execute("COMMIT")
        self._steps("sequence/committed")
        return len(leaves)

    async def _grow(self, session: psycopg.AsyncConnection[Any], head: Head, growth: Growth) -> None:
        new = (growth.size, growth.root, growth.frontier)
        async with session.pipeline():
            moved = await session.execute(_GROW, (*new, head.shard, head.fence, head.size), prepare=True)
            written = {
                (level, n): await session.execute(_TILE, (head.shard, level, n, hashes), prepare=True)
                for (level, n), (_, hashes) in growth.tiles.items()
            }
        if moved.rowcount != 1:
            raise NotLeading("the shard changed under us")
        for (level, n), cursor in written.items():
            position, hashes = growth.tiles[level, n]
            if (await cursor.fetchall())[0][0] != position * HASH_BYTES + len(hashes):
                raise broken_tile(head.shard, level, n)

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Whatever goes wrong on it, the session is let go: with it the transaction, the lock and the leadership."""
        try:
            async with asyncio.timeout(2 * self._database.timeout_s):  # the server's own limit is half of it
                if self._connection is None:
                    self._connection = await self._connect()
                yield self._connection
            self._confirmed = time.monotonic()
        except LedgerHalted:
            if self._connection is not None and self._connection.info.transaction_status != TransactionStatus.IDLE:
                await self._let_go()
            raise
        except TimeoutError:
            await self._let_go()
            raise StoreUnavailable("the database took too long to sequence") from None
        except (psycopg.Error, OSError) as error:
            await self._let_go()
            raise StoreUnavailable(f"the database does not sequence ({fault_name(error)})") from None
        except BaseException:
            await self._let_go()
            raise

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        """Outside the pool, which would hand it out or want it back."""
        session = await psycopg.AsyncConnection.connect(**self._database.connect_arguments(), autocommit=True)
        await session.execute(_SETTINGS, {"idle": f"{int(_IDLE_S * 1000)}ms"})
        # What left the outbox lies in it until it is vacuumed: the index passes over it, reading the table would not.
        await session.execute("SELECT set_config('enable_seqscan', 'off', false)")
        return session

    async def _let_go(self) -> None:
        session, self._connection, self._fence = self._connection, None, None
        if session is not None:
            with contextlib.suppress(Exception):
                await session.close()
