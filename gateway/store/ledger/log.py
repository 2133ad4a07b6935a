"""The writing side of the ledger: what keeps the order commit, re-read, sign, keep, witness, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.services.ledger.ports import (
    Exhibit,
    KeptCheckpoint,
    LedgerHalted,
    NotLeading,
    Shard,
    Tree,
    WitnessHealth,
)
from gateway.store.engine import Database
from gateway.store.ids import from_us, to_us
from gateway.store.keys import Keys
from gateway.store.ledger.halting import Halted, Halting, RaiseWithin
from gateway.store.ledger.sequencing import (
    HEAD_COLUMNS,
    TREE_DIFFERS,
    Broken,
    Head,
    Sequencer,
    Steps,
    head_of,
    no_steps,
)
from gateway.store.ledger.shards import RecordChange, StoredShards
from gateway.store.ledger.signing import StoredSigners
from gateway.store.ledger.sqlite_sequencer import SqliteSequencer
from gateway.store.tables.ledger import ledger_checkpoint, ledger_cosignature, ledger_witness
from ledger.checkpoint import Checkpoint
from ledger.note import Note, Signer, parse_note

SPLIT = "SPLIT"
_TAIL = f"""
    SELECT {HEAD_COLUMNS}, (SELECT max(until_us) FROM ledger_hurry) AS hurry_us,
        (SELECT max(number) FROM ledger_entry e WHERE e.shard = s.shard) AS last
    FROM ledger_shard s WHERE state = 'ACTIVE'
"""  # noqa: S608


class StoredLog:
    """Implements `gateway.services.ledger.ports.SequencedLog`. `shards` and `keys` are the operator's, too."""

    def __init__(
        self, database: Database, keys: Keys, clock: Clock, raise_within: RaiseWithin, record: RecordChange,
        *, longest_delay_s: float, steps: Steps = no_steps,
    ) -> None:  # fmt: skip
        """`longest_delay_s`: of what is put into the outbox before it is due."""
        self._database, self._clock, self._steps = database, clock, steps
        self._longest_delay_us = int(longest_delay_s * 1_000_000)
        self._sequencer = _sequencer(database, steps)
        self.halted = Halted(database)
        self.keys = StoredSigners(database, keys, clock)
        self.shards = StoredShards(database, self.keys, clock, record)
        self._halting = Halting(database, clock, raise_within, self.halted)

    async def open(self, name: str, year: str) -> Shard:
        """See the port."""
        return await self.shards.open(name, year)

    async def lead(self) -> bool:
        """See the port. Raises StoreUnavailable."""
        return await self._sequencer.lead()

    async def step_down(self) -> None:
        """See the port."""
        await self._sequencer.step_down()

    async def sequence(self, most: int) -> int:
        """See the port. Raises StoreUnavailable, too, and then it is not known whether the batch was written."""
        now_us = to_us(self._clock.now())
        try:
            return await self._sequencer.sequence(most, now_us, now_us + self._longest_delay_us)
        except Broken as broken:
            raise await self._broken(broken) from None

    async def tree(self) -> Tree:
        """See the port."""
        async with self._database.read() as connection:
            row = (await connection.exec_driver_sql(_TAIL)).one_or_none()
        head = head_of(row)
        if head.halted is not None:
            raise LedgerHalted(head.halted)
        try:
            frontier = head.tree()
            hurry_us, last = (None, None) if row is None else (row.hurry_us, row.last)
            if last != (head.size - 1 if head.size else None):
                raise Broken(TREE_DIFFERS, f"shard {head.shard}, size {head.size}: the last entry is {last}")
        except Broken as broken:
            raise await self._broken(broken) from None
        return Tree(head.shard, head.origin, frontier, head.root, head.fence, _instant(hurry_us))

    async def signers(self) -> Sequence[Signer]:
        """See the port."""
        return await self.keys.signers()

    async def keep_checkpoint(self, tree: Tree, note: Note) -> KeptCheckpoint:
        """See the port."""
        if note.text != Checkpoint(tree.origin, tree.size, tree.root).text:
            raise ValueError("the note is of another tree")
        fence, at_us = self._sequencer.fence, to_us(self._clock.now())
        self._steps("checkpoint/signed")
        async with self._database.write() as connection:
            await self._may_sign(connection, tree, fence)
            row = {"shard": tree.shard, "size": tree.size, "root": tree.root, "note": bytes(note), "at_us": at_us}
            await connection.execute(self._database.insert(ledger_checkpoint).values(row).on_conflict_do_nothing())
            kept = await _kept(connection, tree.shard, tree.size)
            self._steps("checkpoint/written")
        self._steps("checkpoint/kept")
        if kept.root != tree.root:
            documents = {"kept": bytes(kept.note).decode(), "signed": bytes(note).decode()}
            await self.halt(SPLIT, Exhibit(tree.shard, SPLIT, tree.origin, documents))
            raise LedgerHalted(SPLIT)
        return kept

    async def keep_cosignatures(self, shard: str, size: int, lines: Mapping[str, str], *, sealed: bool) -> None:
        """See the port. The first line of each witness stays."""
        now_us, c = to_us(self._clock.now()), ledger_checkpoint.c
        rows = [
            {"shard": shard, "size": size, "witness": name, "line": line, "at_us": now_us}
            for name, line in lines.items()
        ]
        async with self._database.write() as connection:
            if rows:
                await connection.execute(self._database.insert(ledger_cosignature).on_conflict_do_nothing(), rows)
            self._steps("cosignatures/written")
            if sealed:
                seal = sa.update(ledger_checkpoint).where(c.shard == shard, c.size == size, c.sealed_at_us.is_(None))
                await connection.execute(seal.values(sealed_at_us=now_us))
        self._steps("cosignatures/kept")

    async def publish(self, shard: str, size: int) -> None:
        """See the port."""
        c, larger = ledger_checkpoint.c, ledger_checkpoint.alias()
        after = sa.exists().where(larger.c.shard == shard, larger.c.size > size, larger.c.published_at_us.is_not(None))
        this = sa.update(ledger_checkpoint).where(c.shard == shard, c.size == size, c.published_at_us.is_(None), ~after)
        async with self._database.write() as connection:
            await connection.execute(this.values(published_at_us=to_us(self._clock.now())))
        self._steps("checkpoint/published")

    async def keep_witness(self, health: WitnessHealth) -> None:
        """See the port."""
        row = {
            "witness": health.witness, "shard": health.shard, "size": health.size, "fault": health.fault,
            "seen_at_us": None if health.seen_at is None else to_us(health.seen_at),
            "failing_since_us": None if health.failing_since is None else to_us(health.failing_since),
        }  # fmt: skip
        insert = self._database.insert(ledger_witness).values(row)
        changed = {name: value for name, value in row.items() if name not in ("witness", "shard")}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["witness", "shard"], set_=changed))

    async def halt(self, reason: str, exhibit: Exhibit) -> None:
        """See the port."""
        await self._halting.halt(reason, exhibit)

    async def keep_exhibit(self, exhibit: Exhibit) -> None:
        """See the port."""
        await self._halting.keep_exhibit(exhibit)

    async def announce(self, name: str, year: str) -> str:
        """See the port."""
        return await self.shards.announce(name, year)

    async def turn_year(self, name: str, year: str) -> Shard:
        """See the port."""
        return await self.shards.turn_year(name, year, self._sequencer.fence)

    async def close(self) -> None:
        await self._sequencer.close()

    async def _may_sign(self, connection: AsyncConnection, tree: Tree, fence: int) -> None:
        """Raises NotLeading, LedgerHalted. Holds the shard's row, so that nobody becomes leader meanwhile."""
        lock = "" if self._database.is_sqlite else " FOR UPDATE"
        query = f"SELECT {HEAD_COLUMNS} FROM ledger_shard WHERE state = 'ACTIVE'{lock}"  # noqa: S608
        head: Head = head_of((await connection.exec_driver_sql(query)).one_or_none())
        head.held_by(fence)
        if tree.fence != fence or tree.shard != head.shard or tree.size > head.size:
            raise NotLeading("the tree is not of this leadership")

    async def _broken(self, broken: Broken) -> LedgerHalted:
        shard = await self.shards.active()
        if shard is not None:
            documents = {"found": broken.found}
            await self.halt(broken.reason, Exhibit(shard.shard, broken.reason, shard.origin, documents))
        return LedgerHalted(broken.reason)


async def _kept(connection: AsyncConnection, shard: str, size: int) -> KeptCheckpoint:
    c = ledger_checkpoint.c
    row = (await connection.execute(sa.select(ledger_checkpoint).where(c.shard == shard, c.size == size))).one()
    lines = sa.select(ledger_cosignature.c.witness, ledger_cosignature.c.line).where(
        ledger_cosignature.c.shard == shard, ledger_cosignature.c.size == size
    )
    cosignatures = {row.witness: row.line for row in (await connection.execute(lines)).all()}
    return KeptCheckpoint(
        shard, size, bytes(row.root), parse_note(bytes(row.note)), from_us(row.at_us), cosignatures,
        _instant(row.published_at_us), _instant(row.sealed_at_us),
    )  # fmt: skip


def _instant(at_us: int | None) -> Any:
    return None if at_us is None else from_us(at_us)


def _sequencer(database: Database, steps: Steps) -> Sequencer:
    if database.is_sqlite:
        return SqliteSequencer(database, steps)
    from gateway.store.ledger.postgres_sequencer import PostgresSequencer  # psycopg costs memory where it is not used

    return PostgresSequencer(database, steps)
