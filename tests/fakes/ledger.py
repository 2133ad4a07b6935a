"""A ledger in memory: `LedgerReader` made of `ledger.*` alone, and records that are opened as the store opens them."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from gateway.services.ledger.bundles import Opened
from gateway.services.ledger.ports import Exhibit, KeptCheckpoint, Placed, Shard, WitnessHealth
from ledger.checkpoint import Checkpoint
from ledger.encoding import b64
from ledger.entry import Entry, canonical, commit, parse_entry
from ledger.evidence import Disclosed
from ledger.merkle import consistency_ranges, inclusion_ranges, leaf_hash, proof_hashes, root_of
from ledger.note import COSIGNATURE, ED25519, Signer, VerifierKey, sign_note
from ledger.tiles import ENTRIES, WIDTH, Tile, encode_bundle

AT = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
NAMES = ("GA", "JCY", "FY", "SFJ", "JY")
WITNESSES = {
    name: Signer(f"{name.lower()}.example/w", COSIGNATURE, bytes([n + 1]) * 32) for n, name in enumerate(NAMES)
}
WITNESSING = (
    "# five\n"
    + "".join(f"witness {name} {signer.key}\n" for name, signer in WITNESSES.items())
    + f"group Q 4 {' '.join(WITNESSES)}\nquorum Q\n"
)


class MemoryLedger:
    """Implements `LedgerReader` for one shard. `grow` adds entries, `sign` a checkpoint over all of them."""

    def __init__(self, shard: str = "2026") -> None:
        self.name, self.origin = shard, f"yimen.example/ledger/{shard}"
        self.signer = Signer(self.origin, ED25519, b"\x07" * 32)
        self.placed: list[Placed] = []
        self.waiting: dict[str, Placed] = {}
        self.kept: list[KeptCheckpoint] = []
        self.health: list[WitnessHealth] = []
        self.shown: list[tuple[str, datetime, Exhibit]] = []
        self.halted: str | None = None
        self.reads = 0

    def put(self, entry: bytes, entry_id: str = "") -> str:
        """Durable, no index yet."""
        entry_id = entry_id or str(uuid4())
        self.waiting[entry_id] = Placed(entry_id, entry, leaf_hash(entry))
        return entry_id

    def sequence(self) -> None:
        for one in self.waiting.values():
            self.placed.append(replace(one, shard=self.name, number=len(self.placed)))
        self.waiting.clear()

    def grow(self, count: int, kind: str = "query", actor: str = "office") -> None:
        for _ in range(count):
            at = AT + timedelta(seconds=len(self.placed))
            self.put(bytes(Entry(kind, actor, at, os.urandom(32))))
            self.sequence()

    def sign(self, *cosigners: str, publish: bool = True) -> KeptCheckpoint:
        """Sequences what waits, too. Sealed by four."""
        self.sequence()
        checkpoint = Checkpoint(self.origin, len(self.placed), root_of(one.leaf_hash for one in self.placed))
        note = sign_note(checkpoint.text, [self.signer])
        at = AT + timedelta(seconds=checkpoint.size)
        lines = {name: str(WITNESSES[name].sign(note.text, int(at.timestamp()))) for name in cosigners}
        kept = KeptCheckpoint(
            self.name, checkpoint.size, checkpoint.root, note, at, lines, at if publish else None,
            at if len(lines) >= 4 else None,
        )  # fmt: skip
        self.kept = [one for one in self.kept if one.size != kept.size] + [kept]
        return kept

    async def shards(self) -> Sequence[Shard]:
        return [Shard(self.name, self.origin, True, len(self.placed), self.halted)]

    async def keys(self, shard: str) -> Sequence[VerifierKey]:
        return [self.signer.key] if shard == self.name else []

    async def tile(self, shard: str, tile: Tile) -> bytes | None:
        self.reads += 1
        first, last = tile.n * WIDTH, tile.n * WIDTH + tile.width
        if tile.level == ENTRIES:
            return encode_bundle([one.entry for one in self.placed[first:last]]) if last <= len(self.placed) else None
        span = WIDTH**tile.level
        if last * span > len(self.placed):
            return None
        leaves = [one.leaf_hash for one in self.placed]
        return b"".join(root_of(leaves[at * span : (at + 1) * span]) for at in range(first, last))

    async def find(self, entry_id: str) -> Placed | None:
        self.reads += 1
        return self.waiting.get(entry_id) or next((one for one in self.placed if one.id == entry_id), None)

    async def entries(
        self, shard: str, *, before: int | None, limit: int, kind: str | None, actor: str | None
    ) -> Sequence[Placed]:
        found = []
        for one in reversed(self.placed[:before]):
            said = parse_entry(one.entry)
            if kind in (None, said.kind) and actor in (None, said.actor):
                found.append(one)
        return found[:limit] if shard == self.name else []

    async def checkpoint(self, shard: str, *, at_least: int = 0, sealed: bool = False) -> KeptCheckpoint | None:
        found = [one for one in self._of(shard) if one.size >= at_least and (one.sealed_at or not sealed)]
        return min(found, key=lambda one: one.size, default=None)

    async def published(self, shard: str) -> KeptCheckpoint | None:
        self.reads += 1
        return max((one for one in self._of(shard) if one.published_at), key=lambda one: one.size, default=None)

    async def checkpoints(self, shard: str, *, before: int | None, limit: int) -> Sequence[KeptCheckpoint]:
        found = [one for one in self._of(shard) if before is None or one.size < before]
        return sorted(found, key=lambda one: -one.size)[:limit]

    async def inclusion(self, shard: str, number: int, size: int) -> Sequence[bytes]:
        return proof_hashes(inclusion_ranges(number, size), self._nodes)

    async def consistency(self, shard: str, old: int, new: int) -> Sequence[bytes]:
        return proof_hashes(consistency_ranges(old, new), self._nodes)

    async def witnesses(self) -> Sequence[WitnessHealth]:
        return self.health

    async def exhibits(self, limit: int) -> Sequence[tuple[str, datetime, Exhibit]]:
        return self.shown[:limit]

    def _of(self, shard: str) -> list[KeptCheckpoint]:
        return self.kept if shard == self.name else []

    def _nodes(self, nodes: Sequence[Any]) -> list[bytes]:
        leaves = [one.leaf_hash for one in self.placed]
        return [root_of(leaves[one.number << one.height : (one.number + 1) << one.height]) for one in nodes]


@dataclass
class MemoryOpenings:
    """Implements `Openings`: records in the form the issue's design gives them."""

    kept: dict[str, Opened] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)

    def record(self, entry_id: str, pids: Sequence[str], **changes: Any) -> bytes:
        """A record of an access; the entry that commits to it."""
        seed = os.urandom(32)
        clear: dict[str, Any] = {
            "by": {"user": "lin", "grant": "g-secret"}, "case": "(2026)粤0604刑初123号", "reference": None,
            "inner": {"rules": ["no-relatives"], "inputs": "{}", "visible_from": None},
        }  # fmt: skip
        parts = {name: Disclosed(_salt(seed, name), value) for name, value in clear.items()}
        marks = {
            name: Disclosed(os.urandom(32), pid) for name, pid in ((f"subjects/{n}", pid) for n, pid in enumerate(pids))
        }
        blinds = {name: _blind(part) for name, part in (parts | marks).items()}
        record = {
            "v": 1, "type": "access", "id": entry_id, "at": "2026-11-25T01:02:03.000004Z",
            "recorded_at": "2026-11-25T01:02:03.000005Z", "org": "office", "client": "desk", "level": 2,
            "purpose": "CC_RECEPTION", "consent": None, "fields": ["identity.name"], "decision": "ALLOW",
            "rules": ["identity-case-organs", "gone"], "basis": ["社区矫正法第五条"], "policy": "v1",
            "result": b64(hmac.digest(b"r" * 32, b"the answer", "sha256")), "states": {"FRESH": 1}, "repeats": 1,
            "subjects": [blinds[name] for name in marks],
            **{name: blinds[name] for name in clear},
        } | changes  # fmt: skip
        self.kept[entry_id] = Opened(record, _salt(seed, "record"), parts | marks, b"r" * 32)
        return bytes(Entry("query", "office", AT, commit(_salt(seed, "record"), canonical(record))))

    async def open(self, entry_id: str) -> Opened | None:
        self.opened.append(entry_id)
        return self.kept.get(entry_id)


def _salt(seed: bytes, name: str) -> bytes:
    return hmac.digest(seed, name.encode(), "sha256")


def _blind(part: Disclosed) -> str | None:
    return None if part.value is None else b64(commit(part.salt, canonical(part.value)))


__all__ = ["AT", "NAMES", "WITNESSES", "WITNESSING", "MemoryLedger", "MemoryOpenings"]
