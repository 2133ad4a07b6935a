"""The tree all persons' keys grow from, and what is kept of it once some are destroyed. Pure, no database.

A binary tree of seeds, 64 deep (Goldreich, Goldwasser, Micali): a child is a hash of its parent, so whoever holds a node can
derive everything under it and nothing beside it. A person's key is the leaf at the first 64 bits of SHA-256 of their id.
Kept are the nodes that cover exactly what is not destroyed: at first the root alone; destroying a leaf replaces the one node
above it by the siblings along its path, from which it cannot be derived. No key is made by being asked about.

Nodes are numbered as in a heap: the root is 1, under n stand 2n and 2n + 1, beside it n ^ 1; leaves begin at 2^64.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

DEPTH = 64
SEED_BYTES = 32
ROOT = 1
_BRANCH = (b"yimen/subject-key/0", b"yimen/subject-key/1")  # with a seed 51 bytes: one block of SHA-256

Seeds = Mapping[int, bytes]
"""By the number of their node."""


def leaf_of(subject_id: str) -> int:
    """The number of a person's leaf."""
    return 1 << DEPTH | int.from_bytes(hashlib.sha256(subject_id.encode()).digest()[: DEPTH // 8], "big")


def new_tree() -> Seeds:
    return {ROOT: os.urandom(SEED_BYTES)}


def path_to(leaf: int) -> tuple[int, ...]:
    """Every node a leaf can be derived from: the root first, itself last."""
    return tuple(leaf >> shift for shift in range(DEPTH, -1, -1))


def siblings(seed: bytes, node: int, leaf: int) -> Seeds:
    """Everything under a node but one leaf: 64 nodes at most."""
    beside: dict[int, bytes] = {}
    for below in path_to(leaf)[node.bit_length() :]:
        beside[below ^ 1] = _child(seed, ~below & 1)
        seed = _child(seed, below & 1)
    return beside


def descend(seed: bytes, node: int, leaf: int) -> bytes:
    """The 32 bytes of a leaf under a node."""
    sha256, branch = hashlib.sha256, _BRANCH
    for shift in range(DEPTH - node.bit_length(), -1, -1):
        seed = sha256(branch[leaf >> shift & 1] + seed).digest()
    return seed


def _child(seed: bytes, bit: int) -> bytes:
    return hashlib.sha256(_BRANCH[bit] + seed).digest()


@dataclass(frozen=True)
class Cover:
    """The nodes that are kept; none is above another. Its repr shows no seed."""

    seeds: Seeds = field(repr=False)
    _depths: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_depths", tuple(sorted({node.bit_length() - 1 for node in self.seeds})))

    def above(self, leaf: int) -> int | None:
        """The one kept node a leaf can be derived from; None where it is destroyed."""
        for depth in self._depths:
            if (node := leaf >> (DEPTH - depth)) in self.seeds:
                return node
        return None

    def key(self, leaf: int) -> bytes | None:
        """32 bytes; None where it is destroyed."""
        node = self.above(leaf)
        return None if node is None else descend(self.seeds[node], node, leaf)

    def without(self, leaf: int) -> Cover:
        """What is kept once a leaf is destroyed; the same where it is already."""
        node = self.above(leaf)
        if node is None:
            return self
        rest = {kept: seed for kept, seed in self.seeds.items() if kept != node}
        return Cover({**rest, **siblings(self.seeds[node], node, leaf)})
