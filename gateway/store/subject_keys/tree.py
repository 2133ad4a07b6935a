"""The tree all persons' keys grow from, and what is kept of it once some are destroyed. Pure, no database.

A binary tree of seeds, 64 deep (Goldreich, Goldwasser, Micali): a child is a hash of its parent, so whoever holds a node can
derive everything under it and nothing beside it. A person's key is the leaf at the first 64 bits of SHA-256 of their id.
Kept are the nodes that cover exactly what is not destroyed: at first the root alone; destroying a leaf replaces the one node
above it by the siblings along its path, from which it cannot be derived. No key is made by being asked about.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

DEPTH = 64
SEED_BYTES = 32
_BRANCH = (b"yimen/subject-key/0", b"yimen/subject-key/1")  # with a seed 51 bytes: one block of SHA-256


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """Where a node stands: the first `length` bits of the paths under it, as a number."""

    length: int
    prefix: int

    def __str__(self) -> str:
        """Its bits; the root is the empty text."""
        return f"{self.prefix:0{self.length}b}" if self.length else ""


def node(bits: str) -> Node:
    """From what `str(Node)` writes. Raises ValueError."""
    if len(bits) > DEPTH or set(bits) - {"0", "1"}:
        raise ValueError("no path of a tree of keys")
    return Node(len(bits), int(bits, 2) if bits else 0)


def path_of(subject_id: str) -> int:
    """64 bits."""
    return int.from_bytes(hashlib.sha256(subject_id.encode()).digest()[: DEPTH // 8], "big")


def path_text(path: int) -> str:
    """As it is stored: 16 hex digits."""
    return f"{path:016x}"


def new_root() -> Mapping[Node, bytes]:
    return {Node(0, 0): os.urandom(SEED_BYTES)}


@dataclass(frozen=True, slots=True)
class Cover:
    """The nodes that are kept; no one is above another. Its repr shows no seed."""

    seeds: Mapping[Node, bytes] = field(repr=False)

    def above(self, path: int) -> Node | None:
        """The one kept node a leaf can be derived from; None where it is destroyed."""
        for length in sorted({kept.length for kept in self.seeds}) if len(self.seeds) < DEPTH else range(DEPTH + 1):
            kept = Node(length, path >> (DEPTH - length))
            if kept in self.seeds:
                return kept
        return None

    def key(self, path: int) -> bytes | None:
        """32 bytes; None where it is destroyed."""
        kept = self.above(path)
        return None if kept is None else _descend(self.seeds[kept], kept.length, path)

    def without(self, path: int) -> tuple[Node, Mapping[Node, bytes]] | None:
        """The node to remove and those to keep in its place, 64 at most; None where the leaf is destroyed already."""
        kept = self.above(path)
        if kept is None:
            return None
        return kept, siblings(self.seeds[kept], kept, path)


def siblings(seed: bytes, kept: Node, path: int) -> Mapping[Node, bytes]:
    """Everything under a node but one leaf."""
    beside: dict[Node, bytes] = {}
    for length in range(kept.length + 1, DEPTH + 1):
        prefix = path >> (DEPTH - length)
        beside[Node(length, prefix ^ 1)] = _child(seed, (prefix ^ 1) & 1)
        seed = _child(seed, prefix & 1)
    return beside


def _child(seed: bytes, bit: int) -> bytes:
    return hashlib.sha256(_BRANCH[bit] + seed).digest()


def _descend(seed: bytes, length: int, path: int) -> bytes:
    sha256, branch = hashlib.sha256, _BRANCH
    for shift in range(DEPTH - 1 - length, -1, -1):
        seed = sha256(branch[path >> shift & 1] + seed).digest()
    return seed
