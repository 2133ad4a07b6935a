"""Fills the ledger's tables straight from `ledger.merkle`: what a log of ours must look like, without the code that writes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from typing import Any

import sqlalchemy as sa

from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, to_us
from gateway.store.tables.ledger import (
    ledger_checkpoint,
    ledger_cosignature,
    ledger_entry,
    ledger_key,
    ledger_shard,
    ledger_tile,
)
from ledger.checkpoint import Checkpoint
from ledger.entry import Entry
from ledger.merkle import Frontier, Node, leaf_hash
from ledger.note import COSIGNATURE, ED25519, Note, Signer, sign_note
from tests.gateway.store.conftest import START

KINDS = ("query", "refusal", "consent")
ACTORS = ("SFJ-1", "bank:1", "person")


def signer(name: str, kind: int = ED25519) -> Signer:
    return Signer(name, kind, hashlib.sha256(name.encode()).digest())


def an_entry(number: int) -> Entry:
    commitment = hashlib.sha256(b"commitment %d" % number).digest()
    return Entry(KINDS[number % 3], ACTORS[number // 2 % 3], START + timedelta(seconds=number), commitment)


@cache
def _written(number: int) -> bytes:
    """Made once a run: the largest logs of these tests have tens of thousands, each the same."""
    return bytes(an_entry(number))


@dataclass
class Filled:
    """One shard in the tables."""

    size: int
    checkpoints: Sequence[int] = ()
    shard: str = "2026"
    witnesses: Sequence[str] = ("GA", "JCY")
    entries: Sequence[bytes] = ()
    ids: Sequence[str] = ()
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        new_id = OrderedIds()
        self.entries = self.entries or [_written(number) for number in range(self.size)]
        self.ids = self.ids or [new_id(to_us(START)) for _ in range(self.size)]

    @property
    def origin(self) -> str:
        return f"gw.example/ledger/{self.shard}"

    @cached_property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries]

    def frontier(self, size: int) -> Frontier:
        return Frontier().extended(self.leaves[:size])

    def note(self, size: int) -> Note:
        checkpoint = Checkpoint(self.origin, size, self.frontier(size).root())
        return sign_note(checkpoint.text, [signer(self.origin)])

    async def into(self, database: Database) -> Filled:
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def completed(node: Node, top: bytes) -> None:
            tiles.setdefault((node.height // 8, node.number // 256), []).append(top)

        frontier = Frontier().extended(self.leaves, completed)
        self.tiles = {at: b"".join(hashes) for at, hashes in tiles.items()}
        numbered = enumerate(zip(self.ids, self.entries, self.leaves, strict=True))
        rows = [
            {"shard": self.shard, "number": number, "id": one, "entry": entry, "leaf_hash": leaf}
            for number, (one, entry, leaf) in numbered
        ]
        shard = {
            "shard": self.shard, "origin": self.origin, "state": "ACTIVE", "size": self.size, "root": frontier.root(),
            "frontier": b"".join(frontier.hashes), "fence": 1, "began_at_us": to_us(START),
        }  # fmt: skip
        async with database.write() as connection:
            await connection.execute(sa.insert(ledger_shard).values(shard))
            for table, many in (
                (ledger_entry, rows), (ledger_tile, self._tile_rows()), (ledger_key, [self._key_row()]),
                (ledger_checkpoint, [self.checkpoint_row(size) for size in self.checkpoints]),
                (ledger_cosignature, [row for size in self.checkpoints for row in self.cosignature_rows(size)]),
            ):  # fmt: skip
                if many:
                    await connection.execute(sa.insert(table), many)
        return self

    def checkpoint_row(self, size: int, **other: Any) -> dict[str, Any]:
        """Published and sealed, as most are."""
        at_us = to_us(START) + size
        return {
            "shard": self.shard, "size": size, "root": self.frontier(size).root(), "note": bytes(self.note(size)),
            "at_us": at_us, "published_at_us": at_us, "sealed_at_us": at_us,
        } | other  # fmt: skip

    def cosignature_rows(self, size: int) -> Iterable[dict[str, Any]]:
        for name in self.witnesses:
            line = str(signer(f"{name}.example/w", COSIGNATURE).sign(self.note(size).text, 1_800_000_000))
            yield {"shard": self.shard, "size": size, "witness": name, "line": line, "at_us": to_us(START)}

    def _tile_rows(self) -> list[dict[str, Any]]:
        return [
            {"shard": self.shard, "level": level, "n": n, "hashes": hashes} for (level, n), hashes in self.tiles.items()
        ]

    def _key_row(self) -> dict[str, Any]:
        key = signer(self.origin).key
        return {
            "shard": self.shard, "key_id": key.id.hex(), "vkey": str(key), "secret_ct": b"-", "data_key_id": "-",
            "alg_id": "A256GCM", "state": "SIGNING", "at_us": to_us(START),
        }  # fmt: skip
