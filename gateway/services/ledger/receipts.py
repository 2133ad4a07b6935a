"""How far an entry has come, and its proof: for whoever holds its id.

Ids are UUIDs of version 7 with 62 random bits: nobody comes upon one by trying, and what a receipt says is in the public log
anyway, so no token is asked for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.services.ledger.ports import KeptCheckpoint, Level, Placed
from gateway.services.ledger.ports import LedgerReader as Reader
from ledger.note import Note, parse_signature
from ledger.proof import TlogProof

WAIT_S = 2.0
_LOOK_S = 0.1
_MOST_WAITING = 64
_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry and the checkpoint it is under: the smallest sealed one; while there is none, the published one, or the
    smallest that was signed. None: it has no index yet, or nothing that was signed covers it."""

    placed: Placed
    level: Level
    origin: str = ""
    checkpoint: KeptCheckpoint | None = None

    @property
    def note(self) -> Note | None:
        return None if self.checkpoint is None else note_of(self.checkpoint)


class Receipts:
    """Nothing here looks at what an entry is about."""

    def __init__(self, reader: Reader, *, wait_s: float = WAIT_S) -> None:
        self._reader, self._wait_s = reader, wait_s
        self._waiting = 0

    async def __call__(self, entry_id: str, *, wait_for: Level | None = None) -> Standing | None:
        """None for an id nobody recorded. `wait_for`: look again until it has come so far, two seconds at most; where
        many wait already, the answer is what is known now."""
        found = await self._look(entry_id)
        if found is None or wait_for is None or _reached(found, wait_for) or self._waiting >= _MOST_WAITING:
            return found
        self._waiting += 1
        try:
            until = asyncio.get_running_loop().time() + self._wait_s
            while not _reached(found, wait_for) and asyncio.get_running_loop().time() < until:
                await asyncio.sleep(_LOOK_S)
                found = await self._look(entry_id) or found
        finally:
            self._waiting -= 1
        return found

    async def at(self, shard: str, number: int) -> Standing | None:
        """The same by an entry's place; None where what is published does not reach it."""
        published = await self._reader.published(shard)
        if published is None or number >= published.size:
            return None
        found = await self._reader.entries(shard, before=number + 1, limit=1, kind=None, actor=None)
        if not found or found[0].number != number:
            return None
        return await self._standing(found[0])

    async def proof(self, standing: Standing) -> TlogProof | None:
        """None while there is nothing to prove it by. `extra` is the level, which no signature covers."""
        placed, note = standing.placed, standing.note
        if placed.shard is None or placed.number is None or standing.checkpoint is None or note is None:
            return None
        path = await self._reader.inclusion(placed.shard, placed.number, standing.checkpoint.size)
        return TlogProof(placed.number, tuple(path), note, standing.level.value.encode())

    async def _look(self, entry_id: str) -> Standing | None:
        placed = await self._reader.find(entry_id)
        return None if placed is None else await self._standing(placed)

    async def _standing(self, placed: Placed) -> Standing:
        if placed.shard is None or placed.number is None:
            return Standing(placed, Level.DURABLE)
        origin = await self._origin(placed.shard)
        needed = placed.number + 1
        sealed = await self._reader.checkpoint(placed.shard, at_least=needed, sealed=True)
        if sealed is not None:
            return Standing(placed, Level.SEALED, origin, sealed)
        signed = await self._reader.published(placed.shard)
        if signed is None or signed.size < needed:
            signed = await self._reader.checkpoint(placed.shard, at_least=needed)
        return Standing(placed, Level.DURABLE if signed is None else Level.INCLUDED, origin, signed)

    async def _origin(self, shard: str) -> str:
        return next((one.origin for one in await self._reader.shards() if one.shard == shard), "")


def note_of(kept: KeptCheckpoint) -> Note:
    """The checkpoint with every cosignature there is by now."""
    lines = [line for text in kept.cosignatures.values() for line in text.splitlines() if line]
    return kept.note.with_signatures(parse_signature(f"{line}\n") for line in lines)


def _reached(standing: Standing, level: Level) -> bool:
    return _LEVELS.index(standing.level) >= _LEVELS.index(level)
