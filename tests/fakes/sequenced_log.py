"""A log in memory that can be written: both ports, with what a test needs to damage it. Nothing in it is durable."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from gateway.services.ledger.ports import (
    Exhibit,
    KeptCheckpoint,
    LedgerHalted,
    NotLeading,
    Placed,
    Shard,
    Tree,
    WitnessHealth,
)
from ledger.merkle import Frontier, Range, consistency_ranges, fold, inclusion_ranges, leaf_hash, nodes_of
from ledger.note import ED25519, Note, Signer, VerifierKey
from ledger.tiles import Tile


@dataclass
class OneLog:
    """A shard's content."""

    shard: Shard
    signer: Signer
    entries: list[tuple[str, bytes]] = field(default_factory=list)
    checkpoints: dict[int, KeptCheckpoint] = field(default_factory=dict)

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(entry) for _, entry in self.entries]


@dataclass
class MemoryLog:
    """Implements SequencedLog and LedgerReader. `leads`: whether this process may; `trouble`: raised by the next write."""

    outbox: list[tuple[str, bytes]] = field(default_factory=list)
    logs: dict[str, OneLog] = field(default_factory=dict)
    leads: bool = True
    term: int = 1
    trouble: Exception | None = None
    calls: list[str] = field(default_factory=list)
    health: dict[str, WitnessHealth] = field(default_factory=dict)
    kept_exhibits: list[Exhibit] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0
    made: dict[str, datetime] = field(default_factory=dict)  # when each entry was
    announced: list[str] = field(default_factory=list)
    hurry_until: datetime | None = None

    def append(self, entry: bytes | None = None) -> str:
        self.number += 1
        entry_id = f"id-{self.number}"
        self.made[entry_id] = datetime.now(UTC)
        self.outbox.append((entry_id, entry or f"entry {self.number}".encode()))
        self.news.set()
        return entry_id

    @property
    def active(self) -> OneLog:
        return next(one for one in self.logs.values() if one.shard.active)

    def _writes(self, call: str) -> OneLog:
        self.calls.append(call)
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        if not self.leads:
            raise NotLeading
        if self.active.shard.halted is not None:
            raise LedgerHalted(self.active.shard.halted)
        return self.active

    # The writing side.

    async def open(self, name: str, year: str) -> Shard:
        if not self.logs:
            self._make(name, year)
        return self.active.shard

    def _make(self, name: str, year: str) -> None:
        origin = f"{name}/{year}"
        self.logs[year] = OneLog(Shard(year, origin, True, 0), Signer(origin, ED25519, os.urandom(32)))

    async def lead(self) -> bool:
        return self.leads

    async def step_down(self) -> None:
        self.calls.append("step_down")

    async def sequence(self, most: int) -> int:
        log = self._writes("sequence")
        taken, self.outbox = self.outbox[:most], self.outbox[most:]
        log.entries += taken
        return len(taken)

    async def tree(self) -> Tree:
        log = self.active
        frontier = Frontier().extended(log.leaves)
        return Tree(log.shard.shard, log.shard.origin, frontier, frontier.root(), 1, self.hurry_until)

    async def signers(self) -> Sequence[Signer]:
        return [self.active.signer]

    async def keep_checkpoint(self, tree: Tree, note: Note) -> KeptCheckpoint:
        log = self._writes("keep_checkpoint")
        there = log.checkpoints.get(tree.size)
        if there is not None and there.root != tree.root:
            await self.halt("SIGNED_TWICE", Exhibit(tree.shard, "SIGNED_TWICE", tree.origin, {}))
            raise LedgerHalted("SIGNED_TWICE")
        return log.checkpoints.setdefault(
            tree.size, KeptCheckpoint(tree.shard, tree.size, tree.root, note, datetime.now(UTC))
        )

    async def keep_cosignatures(self, shard: str, size: int, lines: Mapping[str, str], *, sealed: bool) -> None:
        self.calls.append("keep_cosignatures")
        kept = self.logs[shard].checkpoints
        at = kept[size].sealed_at or (datetime.now(UTC) if sealed else None)
        kept[size] = replace(kept[size], cosignatures={**kept[size].cosignatures, **lines}, sealed_at=at)

    async def publish(self, shard: str, size: int) -> None:
        self.calls.append("publish")
        kept = self.logs[shard].checkpoints
        kept[size] = replace(kept[size], published_at=kept[size].published_at or datetime.now(UTC))

    async def keep_witness(self, health: WitnessHealth) -> None:
        self.health[health.witness] = health

    async def halt(self, reason: str, exhibit: Exhibit) -> None:
        self.active.shard = replace(self.active.shard, halted=self.active.shard.halted or reason)
        self.kept_exhibits.append(exhibit)

    async def keep_exhibit(self, exhibit: Exhibit) -> None:
        if exhibit not in self.kept_exhibits:
            self.kept_exhibits.append(exhibit)

    async def announce(self, name: str, year: str) -> str:
        if year not in self.announced:
            self._writes("announce")
            self.announced.append(year)
            self.append(f"next {year}".encode())
        return f"vkey of {name}/{year}"

    async def turn_year(self, name: str, year: str) -> Shard:
        log = self._writes("turn_year")
        log.shard = replace(log.shard, active=False)
        self._make(name, year)
        sealed = max((size for size, one in log.checkpoints.items() if one.sealed_at is not None), default=0)
        self.active.entries.append((f"first of {year}", f"after {sealed}".encode()))
        return self.active.shard

    async def close(self) -> None: ...

    # The reading side.

    async def shards(self) -> Sequence[Shard]:
        return [one.shard for one in reversed(self.logs.values())]

    async def keys(self, shard: str) -> Sequence[VerifierKey]:
        return [self.logs[shard].signer.key]

    async def tile(self, shard: str, tile: Tile) -> bytes | None:
        raise NotImplementedError

    async def find(self, entry_id: str) -> Placed | None:
        for shard, log in self.logs.items():
            for number, (one, entry) in enumerate(log.entries):
                if one == entry_id:
                    return Placed(one, entry, leaf_hash(entry), shard, number)
        waiting = dict(self.outbox).get(entry_id)
        return None if waiting is None else Placed(entry_id, waiting, leaf_hash(waiting))

    async def entries(
        self, shard: str, *, before: int | None, limit: int, kind: str | None, actor: str | None
    ) -> Sequence[Placed]:
        raise NotImplementedError

    async def checkpoint(self, shard: str, *, at_least: int = 0, sealed: bool = False) -> KeptCheckpoint | None:
        kept = self.logs[shard].checkpoints
        sizes = [size for size in kept if size >= at_least and (not sealed or kept[size].sealed_at is not None)]
        return kept[min(sizes)] if sizes else None

    async def published(self, shard: str) -> KeptCheckpoint | None:
        kept = self.logs[shard].checkpoints
        sizes = [size for size in kept if kept[size].published_at is not None]
        return kept[max(sizes)] if sizes else None

    async def checkpoints(self, shard: str, *, before: int | None, limit: int) -> Sequence[KeptCheckpoint]:
        kept = self.logs[shard].checkpoints
        return [kept[size] for size in sorted(kept, reverse=True) if before is None or size < before][:limit]

    async def unsealed_since(self, shard: str) -> datetime | None:
        kept, log = self.logs[shard].checkpoints, self.logs[shard]
        sealed = max((size for size in kept if kept[size].sealed_at is not None), default=0)
        ids = [entry_id for entry_id, _ in [*log.entries[sealed:], *self.outbox]]
        return next((self.made[one] for one in ids if one in self.made), None)

    async def inclusion(self, shard: str, number: int, size: int) -> Sequence[bytes]:
        return self._hashes(shard, inclusion_ranges(number, size))

    async def consistency(self, shard: str, old: int, new: int) -> Sequence[bytes]:
        return self._hashes(shard, consistency_ranges(old, new))

    def _hashes(self, shard: str, ranges: Sequence[Range]) -> list[bytes]:
        leaves = self.logs[shard].leaves
        found = []
        for one in ranges:
            parts = [leaves[node.number << node.height : (node.number + 1) << node.height] for node in nodes_of(one)]
            found.append(fold([Frontier().extended(part).root() for part in parts]))
        return found

    async def witnesses(self) -> Sequence[WitnessHealth]:
        return list(self.health.values())

    async def exhibits(self, limit: int) -> Sequence[tuple[str, datetime, Exhibit]]:
        return [(str(n), datetime.now(UTC), one) for n, one in enumerate(self.kept_exhibits)][::-1][:limit]
