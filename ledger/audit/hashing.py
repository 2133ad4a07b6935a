"""Hashing by the 256: what a tile holds, at once. Bytes are whole numbers of 32-byte hashes throughout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from ledger.encoding import HASH_BYTES
from ledger.merkle import fold
from ledger.tiles import WIDTH

_PAIR = 2 * HASH_BYTES
_FULL = WIDTH * HASH_BYTES


def leaf_hashes(entries: Iterable[bytes]) -> bytes:
    return b"".join([sha256(b"\0" + entry).digest() for entry in entries])


def perfect_root(hashes: bytes) -> bytes:
    """Over a power of two of neighbouring hashes."""
    while len(hashes) > HASH_BYTES:
        hashes = b"".join([sha256(b"\1" + hashes[at : at + _PAIR]).digest() for at in range(0, len(hashes), _PAIR)])
    return hashes


def level_above(hashes: bytes | bytearray) -> bytes:
    """The roots of the full tiles among them."""
    whole = len(hashes) - len(hashes) % _FULL
    return b"".join([perfect_root(bytes(hashes[at : at + _FULL])) for at in range(0, whole, _FULL)])


def levels_over(first: bytes | bytearray) -> list[bytes]:
    """Hash levels 1 and up, from all hashes of level 1, until a level has none."""
    levels: list[bytes] = []
    above = bytes(first)
    while above:
        levels.append(above)
        above = level_above(above)
    return levels


def root_from_edges(edges: Sequence[bytes]) -> bytes:
    """The tree's root from the partial tile (0..255 hashes) at the right edge of each level, level 0 first."""
    nodes: list[bytes] = []
    for hashes in reversed(edges):
        count, at = len(hashes) // HASH_BYTES, 0
        while count - at:
            width = 1 << ((count - at).bit_length() - 1)
            nodes.append(perfect_root(hashes[at * HASH_BYTES : (at + width) * HASH_BYTES]))
            at += width
    return fold(nodes)


def edge_of(hashes: bytes | bytearray) -> bytes:
    """What of a level stands in its partial tile."""
    return bytes(hashes[len(hashes) - len(hashes) % _FULL :])


def root_over(first: bytes | bytearray, tail: bytes) -> bytes:
    """From all hashes of level 1 and the leaf hashes after them."""
    return root_from_edges([tail, *(edge_of(level) for level in levels_over(first))])
