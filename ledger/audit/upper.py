"""The served hash tiles above level 0, and which of them the signed root vouches for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.audit.hashing import perfect_root, root_from_edges
from ledger.audit.source import Lost, Source, read_tile
from ledger.checkpoint import Checkpoint
from ledger.encoding import HASH_BYTES
from ledger.errors import Malformed
from ledger.tiles import HEIGHT, WIDTH, Tile, tiles_of


@dataclass(slots=True)
class Upper:
    """`tiles`: as served, None = lost or no tile. `vouched`: those that lead to the root of the checkpoint, and for
    level 0 the partial tile."""

    size: int
    tiles: dict[tuple[int, int], bytes | None] = field(default_factory=dict)
    lost: list[Tile] = field(default_factory=list)
    broken: list[Tile] = field(default_factory=list)
    vouched: set[tuple[int, int]] = field(default_factory=set)

    def truth(self, level: int, n: int) -> bytes | None:
        """The hash `n` of a level (1 and up), where the root vouches for it."""
        tile, at = divmod(n, WIDTH)
        if (level, tile) not in self.vouched:
            return None
        hashes = self.tiles[level, tile] or b""
        return hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES] or None

    def edge(self) -> bytes | None:
        """The leaf hashes of the partial tile at the right edge, where the root vouches for them."""
        n = self.size // WIDTH
        return self.tiles.get((0, n)) if (0, n) in self.vouched else None


def read_upper(source: Source, checkpoint: Checkpoint) -> Upper:
    """All tiles of level 1 and up and the partial one of level 0; one of 65536 entries' hashes is 8 KiB.

    Raises Unreachable; what is lost or broken is noted.
    """
    upper = Upper(checkpoint.size)
    for tile in _upper_tiles(checkpoint.size):
        try:
            upper.tiles[tile.level, tile.n] = read_tile(source, tile)
        except (Lost, Malformed) as error:
            upper.tiles[tile.level, tile.n] = None
            if tile.level:  # level 0 is told of by whoever compares it with its entries
                (upper.lost if isinstance(error, Lost) else upper.broken).append(tile)
    _vouch(upper, checkpoint.root)
    return upper


def _upper_tiles(size: int) -> Iterator[Tile]:
    if size % WIDTH:
        yield Tile(0, size // WIDTH, size % WIDTH)
    for tile in tiles_of(size >> HEIGHT):  # full tiles are the entries of the tree above them
        yield Tile(tile.level + 1, tile.n, tile.width)


def _vouch(upper: Upper, root: bytes) -> None:
    """From the root downwards: first the right edge as a whole, then each full tile by its hash in the level above."""
    top = max((level for level, _ in upper.tiles), default=0)
    edges = {level: (upper.size >> (HEIGHT * level)) // WIDTH for level in range(top + 1)}
    partial = {level: n for level, n in edges.items() if (upper.size >> (HEIGHT * level)) % WIDTH}
    hashes = [upper.tiles.get((level, partial[level])) if level in partial else b"" for level in range(top + 1)]
    if root_from_edges([one or b"" for one in hashes]) != root:
        return
    upper.vouched |= set(partial.items())
    for level, n in sorted(upper.tiles, reverse=True):
        tile = upper.tiles[level, n]
        if tile is not None and len(tile) == WIDTH * HASH_BYTES and perfect_root(tile) == upper.truth(level + 1, n):
            upper.vouched.add((level, n))
