"""The Merkle tree of RFC 6962, section 2.1: hashes, roots, proofs. Pure; SHA-256, 32 bytes a hash, entries count from 0.

A perfect subtree is a `Node(height, number)`: the root over entries [number * 2^height, (number + 1) * 2^height). Proofs are
named as ranges first, so that whoever holds hashes (tiles, a database) can be asked for all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from ledger.encoding import HASH_BYTES
from ledger.errors import InvalidProof

EMPTY_ROOT = sha256(b"").digest()


class Node(NamedTuple):
    height: int
    number: int


class Range(NamedTuple):
    """Entries `start` up to, not including, `end`; `start` is a multiple of the range's largest power of two."""

    start: int
    end: int


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over neighbouring perfect subtrees, largest first; of none, the empty tree's."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree as its perfect subtrees, largest first: all that is needed to let it grow."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise InvalidProof("a frontier has one hash for each bit set in its size")
        if any(len(one) != HASH_BYTES for one in self.hashes):
            raise InvalidProof("a hash is 32 bytes")

    def root(self) -> bytes:
        return fold(self.hashes)

    def extended(
        self, leaves: Iterable[bytes], completed: Callable[[Node, bytes], None] | None = None, *, every: int = 8
    ) -> Frontier:
        """With more leaf hashes at its end. `completed` is told of each subtree that became perfect and whose height is
        a multiple of `every`, above 0: what goes into tiles.
        """
        size, stack = self.size, list(self.hashes)
        for leaf in leaves:
            top, height, filled = leaf, 0, size
            while filled & 1:
                top = sha256(b"\1" + stack.pop() + top).digest()
                height, filled = height + 1, filled >> 1
                if completed is not None and height % every == 0:
                    completed(Node(height, filled), top)
            stack.append(top)
            size += 1
        return Frontier(size, tuple(stack))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """MTH over leaf hashes."""
    return Frontier().extended(leaves).root()


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Whose roots make up PATH(index, D[size]), the leaf's sibling first. Source: RFC 6962, section 2.1.1."""
    if not 0 <= index < size:
        raise InvalidProof("there is no such entry in a tree of this size")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Range(middle, end))
            end = middle
        else:
            path.append(Range(start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Whose roots make up PROOF(old, D[new]). Source: RFC 6962, section 2.1.2."""
    if not 0 <= old <= new:
        raise InvalidProof("a tree does not shrink")
    if old in (0, new):
        return []
    proof, start, end, whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(Range(middle, end))
            end = middle
        else:
            proof.append(Range(start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(Range(start, end))
    return proof[::-1]


def nodes_of(of: Range) -> list[Node]:
    """The perfect subtrees a range is made of, largest first; `fold` of their hashes is the range's root."""
    nodes, start = [], of.start
    while start < of.end:
        height = (of.end - start).bit_length() - 1
        if start & ((1 << height) - 1):
            raise InvalidProof("a range begins at a multiple of its largest subtree")
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return nodes


def proof_hashes(ranges: Sequence[Range], read: Callable[[Sequence[Node]], Sequence[bytes]]) -> list[bytes]:
    """The hashes of a proof, `read` asked once for all subtrees."""
    parts = [nodes_of(one) for one in ranges]
    asked = [node for nodes in parts for node in nodes]
    found = read(asked)
    if len(found) != len(asked):
        raise InvalidProof("not as many hashes as subtrees")
    hashes = iter(found)
    return [fold([next(hashes) for _ in nodes]) for nodes in parts]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash is entry `index` of the tree of `size` entries that `root` commits to.

    Raises InvalidProof for any path that does not lead to `root`, including one too short or too long.
    Source: RFC 6962, section 2.1.1.
    """
    if not 0 <= index < size or any(len(one) != HASH_BYTES for one in (leaf, root, *path)):
        raise InvalidProof("there is no such entry in a tree of this size, or a hash is not 32 bytes")
    first, last, found = index, size - 1, leaf
    for one in path:
        if last == 0:
            raise InvalidProof("the inclusion path is too long")
        if first & 1 or first == last:
            found = node_hash(one, found)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, one)
        first, last = first >> 1, last >> 1
    if last != 0:
        raise InvalidProof("the inclusion path is too short")
    if found != root:
        raise InvalidProof("the inclusion path leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `new` entries begins with the tree of `old` entries.

    Raises InvalidProof. Source: RFC 6962, section 2.1.2.
    """
    if not 0 <= old <= new or any(len(one) != HASH_BYTES for one in (old_root, new_root, *proof)):
        raise InvalidProof("a tree does not shrink, and a hash is 32 bytes")
    if old in (0, new):
        if proof:
            raise InvalidProof("the consistency proof is too long")
        if old == new and old_root != new_root:
            raise InvalidProof("two roots for one size")
        if old == 0 and old_root != EMPTY_ROOT:
            raise InvalidProof("an empty tree has one root only")
        return
    if not proof:
        raise InvalidProof("the consistency proof is too short")
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = steps[0]
    for one in steps[1:]:
        if last == 0:
            raise InvalidProof("the consistency proof is too long")
        if first & 1 or first == last:
            before, after = node_hash(one, before), node_hash(one, after)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, one)
        first, last = first >> 1, last >> 1
    if last != 0:
        raise InvalidProof("the consistency proof is too short")
    if before != old_root or after != new_root:
        raise InvalidProof("the consistency proof leads to another root")


def _split(count: int) -> int:
    """The largest power of two strictly smaller than `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)
