"""Proofs out of a log's own tiles."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.audit.source import Source, read_bundle, read_checkpoint, read_tile
from ledger.checkpoint import parse_checkpoint
from ledger.errors import InvalidProof
from ledger.merkle import Node, consistency_ranges, inclusion_ranges, leaf_hash, proof_hashes, verify_inclusion
from ledger.note import parse_note
from ledger.proof import TlogProof
from ledger.tiles import WIDTH, Tile, decode_bundle, span_of, tile_at


class NoSuchEntry(InvalidProof):
    """The log does not reach so far."""


class Tiles:
    """The subtrees of a tree of `size` entries, read from its tiles, each once. Raises Lost, Unreachable, Malformed."""

    def __init__(self, source: Source, size: int) -> None:
        self._source, self._size = source, size
        self._had: dict[Tile, bytes] = {}

    def __call__(self, nodes: Sequence[Node]) -> list[bytes]:
        return [self._hash(node) for node in nodes]

    def _hash(self, node: Node) -> bytes:
        span = span_of(node)
        tile = tile_at(span.level, span.n, self._size)
        if tile is None:
            raise InvalidProof("the tree does not reach so far")
        if tile not in self._had:
            self._had[tile] = read_tile(self._source, tile)
        return span.hash_in(self._had[tile])


def consistency(source: Source, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]), not verified. Raises Lost, Unreachable, Malformed, InvalidProof."""
    return proof_hashes(consistency_ranges(old, new), Tiles(source, new))


def prove(source: Source, index: int) -> tuple[TlogProof, bytes]:
    """One entry's proof under the newest checkpoint, and the entry. Checked: the path leads from the entry to the root.

    Whose signatures stand below is not checked here. Raises NoSuchEntry, Lost, Unreachable, Malformed, InvalidProof.
    """
    note = parse_note(read_checkpoint(source))
    checkpoint = parse_checkpoint(note.text)
    if not 0 <= index < checkpoint.size:
        raise NoSuchEntry(f"the log holds {checkpoint.size} entries")
    path = proof_hashes(inclusion_ranges(index, checkpoint.size), Tiles(source, checkpoint.size))
    n, at = divmod(index, WIDTH)
    width = min(WIDTH, checkpoint.size - n * WIDTH)
    entry = decode_bundle(read_bundle(source, n, width), width)[at]
    verify_inclusion(leaf_hash(entry), index, checkpoint.size, path, checkpoint.root)
    return TlogProof(index, tuple(path), note), entry
