"""The writing side of the ledger: what keeps the order commit, re-read, sign, keep, witness, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

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
from gateway.store.at_once import AtOnce
from gateway.store.engine import Database
from gateway.store.ids import to_us
from gateway.store.keys import Keys
from gateway.store.ledger import writing
from gateway.store.ledger.halting import Halted, Halting, RaiseWithin
from gateway.store.ledger.sequencing import (
    HEAD_COLUMNS,
    TREE_DIFFERS,
    Broken,
    Sequencer,
    Steps,
    head_of,
    no_steps,
)
from gateway.store.ledger.shards import RecordChange, StoredShards
from gateway.store.ledger.signing import StoredSigners
from gateway.store.ledger.sqlite_sequencer import SqliteSequencer
from ledger.checkpoint import Checkpoint
from ledger.note import Note, Signer

SPLIT = "SPLIT"
_TAIL = sa.text(f"""
    SELECT {HEAD_COLUMNS}, (SELECT max(until_us) FROM ledger_hurry) AS hurry_us,
        (SELECT max(number) FROM ledger_entry e WHERE e.shard = s.shard) AS last
    FROM ledger_shard s WHERE state = 'ACTIVE'
""")  # noqa: S608  (our own words only)


class StoredLog:
    """Implements `gateway.services.ledger.ports.SequencedLog`. `shards` and `keys` are the operator's, too."""

    def __init__(
        self, database: Database, keys: Keys, clock: Clock, raise_within: RaiseWithin, record: RecordChange,
        *, longest_delay_s: float, steps: Steps = no_steps,
    ) -> None:  # fmt: skip
        """`longest_delay_s`: of what is put into the outbox before it is due."""
        self._database, self._clock, self._steps = database, clock, steps
        self._longest_delay_us = int(longest_delay_s * 1_000_000)
        self._sequencer, self._at_once = _sequencer(database, steps), AtOnce(database)
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

    @property
    def term(self) -> int:
        """See the port."""
        return self._sequencer.term

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
        row = next(iter(await self._database.rows(_TAIL, {})), None)
        head = head_of(row)
        if head.halted is not None:
            raise LedgerHalted(head.halted)
        try:
            frontier = head.tree()
            hurry_us, last = (None, None) if row is None else row[-2:]
            if last != (head.size - 1 if head.size else None):
                raise Broken(TREE_DIFFERS, f"shard {head.shard}, size {head.size}: the last entry is {last}")
        except Broken as broken:
            raise await self._broken(broken) from None
        return Tree(head.shard, head.origin, frontier, head.root, head.fence, writing.instant(hurry_us))

    async def signers(self) -> Sequence[Signer]:
        """See the port."""
        return await self.keys.signers()

    async def keep_checkpoint(self, tree: Tree, note: Note) -> KeptCheckpoint:
        """See the port."""
        if note.text != Checkpoint(tree.origin, tree.size, tree.root).text:
            raise ValueError("the note is of another tree")
        fence, at_us = self._sequencer.fence, to_us(self._clock.now())
        if tree.fence != fence:
            raise NotLeading("the tree is not of this leadership")
        self._steps("checkpoint/signed")
        row = {"shard": tree.shard, "size": tree.size, "root": tree.root, "note": bytes(note), "at_us": at_us}
        heads, _, checkpoints, lines = await self._at_once(
            (writing.head(self._database.is_sqlite), {}),
            (writing.KEEP, {**row, "fence": fence}),
            *writing.kept(tree.shard, tree.size),
            before_commit=lambda: self._steps("checkpoint/written"),
        )
        head = head_of(heads[0] if heads else None)
        head.held_by(fence)
        if tree.shard != head.shard or tree.size > head.size:
            raise NotLeading("the tree is not of this leadership")
        kept = writing.kept_of(tree.shard, checkpoints[0], lines)
        self._steps("checkpoint/kept")
        if kept.root != tree.root:
            documents = {"kept": bytes(kept.note).decode(), "signed": bytes(note).decode()}
            await self.halt(SPLIT, Exhibit(tree.shard, SPLIT, tree.origin, documents))
            raise LedgerHalted(SPLIT)
        return kept

    async def keep_cosignatures(self, shard: str, size: int, lines: Mapping[str, str], *, sealed: bool) -> None:
        """See the port. The first line of each witness stays."""
        of = {"shard": shard, "size": size, "at_us": to_us(self._clock.now())}
        added = [(writing.COSIGN, {**of, "witness": name, "line": line}) for name, line in lines.items()]
        seal = [(writing.SEAL, of)] if sealed else []
        await self._at_once(*added, *seal, before_commit=lambda: self._steps("cosignatures/written"))
        self._steps("cosignatures/kept")

    async def publish(self, shard: str, size: int) -> None:
        """See the port."""
        await self._at_once((writing.PUBLISH, {"shard": shard, "size": size, "at_us": to_us(self._clock.now())}))
        self._steps("checkpoint/published")

    async def keep_witness(self, health: WitnessHealth) -> None:
        """See the port."""
        row = {
            "witness": health.witness, "shard": health.shard, "size": health.size, "fault": health.fault,
            "seen_at_us": None if health.seen_at is None else to_us(health.seen_at),
            "failing_since_us": None if health.failing_since is None else to_us(health.failing_since),
        }  # fmt: skip
        await self._at_once((writing.WITNESS, row))

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
        await self._at_once.close()

    async def _broken(self, broken: Broken) -> LedgerHalted:
        shard = await self.shards.active()
        if shard is not None:
            documents = {"found": broken.found}
            await self.halt(broken.reason, Exhibit(shard.shard, broken.reason, shard.origin, documents))
        return LedgerHalted(broken.reason)


def _sequencer(database: Database, steps: Steps) -> Sequencer:
    if database.is_sqlite:
        return SqliteSequencer(database, steps)
    from gateway.store.ledger.postgres_sequencer import PostgresSequencer  # psycopg costs memory where it is not used

    return PostgresSequencer(database, steps)
