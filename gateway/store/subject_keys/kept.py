"""One copy of the nodes: in the key database, or in its mirror. Its own few tables, made when it is first opened."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.encryption import DEFAULT_ALGORITHM, Place, seal, unseal
from gateway.store.engine import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.subject_keys.tree import Seeds, path_to, siblings

_metadata = sa.MetaData()
_store = sa.Table(
    "subject_key_store",
    _metadata,
    sa.Column("id", sa.String(32), primary_key=True),  # of the main database these are the keys of
    sa.Column("generation", sa.BigInteger, nullable=False),  # grows with each destruction
)
_node = sa.Table(
    "subject_key_node",
    _metadata,
    sa.Column("node", sa.String(17), primary_key=True),  # hex
    sa.Column("alg_id", sa.String(16), nullable=False),
    sa.Column("seed_ct", sa.LargeBinary, nullable=False),
)
_destroyed = sa.Table("subject_key_destroyed", _metadata, sa.Column("leaf", sa.String(17), primary_key=True))
_GENERATION = sa.text("SELECT generation FROM subject_key_store")  # asked every second by every process
_CHUNK = 500
_AGAIN_S = 0.02
_ADVISORY_LOCK = 0x79696D6B  # "yimk"


@dataclass(frozen=True, slots=True)
class Contents:
    generation: int
    seeds: Seeds = field(repr=False)
    destroyed: frozenset[int]


class KeptNodes:
    """`node_key` seals every seed; a copy without it opens nothing."""

    def __init__(self, database: Database, node_key: bytes) -> None:
        self.database, self._node_key = database, node_key

    async def store_id(self) -> str | None:
        """Whose keys these are; None where there are none yet."""
        async with self.database.write() as connection:
            if not self.database.is_sqlite:  # IF NOT EXISTS is no help to two who create at once
                await connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            await connection.run_sync(_metadata.create_all)
            found = await connection.scalar(sa.select(_store.c.id))
        return None if found is None else str(found)

    async def make(self, store_id: str, seeds: Seeds, destroyed: Collection[int] = ()) -> None:
        """Whole or not at all; of two who make it at once, the first one's stays."""
        first = self.database.insert(_store).on_conflict_do_nothing().returning(_store.c.id)
        async with self.database.write() as connection:
            await self._alone(connection)
            if await connection.scalar(sa.select(_store.c.id)) is not None:
                return
            await connection.execute(first, {"id": store_id, "generation": len(destroyed)})
            await self._add(connection, seeds)
            if destroyed:
                await connection.execute(sa.insert(_destroyed), [{"leaf": f"{leaf:x}"} for leaf in destroyed])

    async def generation(self) -> int:
        rows = await self.database.rows(_GENERATION, {})
        return int(rows[0][0]) if rows else 0

    async def contents(self) -> Contents:
        """All of one moment. Raises CiphertextInvalid for what another master key, or another database's, sealed."""
        async with self.database.write() as connection:
            await self._alone(connection)
            generation = await connection.scalar(sa.select(_store.c.generation))
            rows = (await connection.execute(sa.select(_node))).all()
            gone = (await connection.scalars(sa.select(_destroyed.c.leaf))).all()
        seeds = {int(row.node, 16): unseal(row.alg_id, self._node_key, _place(row.node), row.seed_ct) for row in rows}
        return Contents(int(generation or 0), seeds, frozenset(int(leaf, 16) for leaf in gone))

    async def destroy(self, leaf: int) -> bool:
        """Durable on return; False where it was done before. What is deleted is overwritten, as far as the database goes.

        Raises StoreUnavailable where somebody who reads keeps it from being so: done again, it is.
        """
        done = await self._puncture(leaf)
        await self.forget()
        return done

    async def _puncture(self, leaf: int) -> bool:
        gone, path = f"{leaf:x}", [f"{node:x}" for node in path_to(leaf)]
        async with self.database.write() as connection:
            await self._alone(connection)
            if self.database.is_sqlite:
                await connection.exec_driver_sql("PRAGMA secure_delete=ON")
            above = (await connection.execute(sa.select(_node).where(_node.c.node.in_(path)))).one_or_none()
            known = await connection.scalar(sa.select(_destroyed.c.leaf).where(_destroyed.c.leaf == gone))
            if above is None and known is not None:
                return False
            if above is not None:
                seed = unseal(above.alg_id, self._node_key, _place(above.node), above.seed_ct)
                await connection.execute(sa.delete(_node).where(_node.c.node == above.node))
                await self._add(connection, siblings(seed, int(above.node, 16), leaf))
            if known is None:
                await connection.execute(sa.insert(_destroyed).values(leaf=gone))
            await connection.execute(sa.update(_store).values(generation=_store.c.generation + 1))
        return True

    async def forget(self) -> None:
        """What a deleted row leaves behind: SQLite's log, PostgreSQL's dead rows. Raises StoreUnavailable."""
        if not self.database.is_sqlite:
            async with self.database.read() as connection:
                await connection.execute(sa.text("VACUUM subject_key_node"))
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + self.database.timeout_s
        while await self._busy():
            if loop.time() >= until:
                raise StoreUnavailable(
                    "somebody reads the persons' keys all the time; what is destroyed stays in their log"
                )
            await asyncio.sleep(_AGAIN_S)

    async def _busy(self) -> bool:
        """For readers SQLite waits by itself, for others who clear up it does not."""
        async with self.database.read() as connection:
            return bool(await connection.scalar(sa.text("PRAGMA wal_checkpoint(TRUNCATE)")))

    async def _alone(self, connection: AsyncConnection) -> None:
        if not self.database.is_sqlite:
            await connection.execute(sa.text("LOCK TABLE subject_key_store IN EXCLUSIVE MODE"))

    async def _add(self, connection: AsyncConnection, seeds: Seeds) -> None:
        rows = [
            {"node": name, "alg_id": DEFAULT_ALGORITHM, "seed_ct": self._seal(name, seed)}
            for name, seed in ((f"{node:x}", seed) for node, seed in seeds.items())
        ]
        for start in range(0, len(rows), _CHUNK):
            await connection.execute(sa.insert(_node), rows[start : start + _CHUNK])

    def _seal(self, name: str, seed: bytes) -> bytes:
        return seal(DEFAULT_ALGORITHM, self._node_key, _place(name), seed)


def _place(name: str) -> Place:
    return Place("subject_key_node", "seed_ct", name)
