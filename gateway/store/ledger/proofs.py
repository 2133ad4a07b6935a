"""Proofs from tiles: which hashes are needed is worked out first, so that all of them are read at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.store.ledger.tiles import StoredTiles
from ledger.merkle import Node, Range, nodes_of, proof_hashes
from ledger.tiles import Span, Tile, span_of


async def read_proof(tiles: StoredTiles, shard: str, ranges: Sequence[Range]) -> list[bytes]:
    """The hashes of these ranges. Reads a tile or two of each level. Raises StoreUnavailable."""
    spans = {node: span_of(node) for one in ranges for node in nodes_of(one)}
    held = await tiles.hashes(shard, _widest(spans.values()))

    def read(nodes: Sequence[Node]) -> list[bytes]:
        return [spans[node].hash_in(held[spans[node].level, spans[node].n]) for node in nodes]

    return proof_hashes(ranges, read)


def _widest(spans: Iterable[Span]) -> list[Tile]:
    """Each tile once, no wider than is needed: more of it need not be there yet."""
    widths: dict[tuple[int, int], int] = {}
    for span in spans:
        at = span.level, span.n
        widths[at] = max(widths.get(at, 0), span.first + span.count)
    return [Tile(level, n, width) for (level, n), width in widths.items()]
