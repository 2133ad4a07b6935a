"""Tiles of 256 hashes and bundles of 256 entries: where they are and how they are written. Source: C2SP tlog-tiles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.encoding import HASH_BYTES
from ledger.errors import Malformed
from ledger.merkle import Node, fold

WIDTH = 256
HEIGHT = 8
ENTRIES = -1
"""The level of entry bundles, in place of 0..63."""
LARGEST_ENTRY = 0xFFFF
_LAST = (1 << 63) // WIDTH - 1
"""No tree has a tile beyond it: sizes are below 2^63."""
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A hash tile (level 0..63) or entry bundle (level ENTRIES); `width` hashes or entries, 256 when full."""

    level: int
    n: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Below the log's prefix: `tile/0/x001/000.p/12`."""
        name = "entries" if self.level == ENTRIES else str(self.level)
        groups, rest = [f"{self.n % 1000:03}"], self.n // 1000
        while rest:
            groups.append(f"x{rest % 1000:03}")
            rest //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{name}/{'/'.join(reversed(groups))}{partial}"


def parse_path(path: str) -> Tile:
    """Raises Malformed for whatever `Tile.path` does not write."""
    found = _PATH.fullmatch(path) if path.isascii() and len(path) < 100 else None
    if found is None:
        raise Malformed("no path of a tile")
    level, groups, width = found.groups()
    number = int(groups.replace("x", "").replace("/", ""))
    tile = Tile(ENTRIES if level == "entries" else int(level), number, WIDTH if width is None else int(width))
    if tile.path != path or tile.level > 63 or not 0 < tile.width <= WIDTH or number > _LAST:
        raise Malformed("no path of a tile")
    return tile


def tile_at(level: int, n: int, size: int) -> Tile | None:
    """The tile as it stands in a tree of `size` entries; None where that tree does not reach it."""
    hashes = size >> (HEIGHT * max(level, 0))
    width = min(WIDTH, hashes - n * WIDTH)
    return Tile(level, n, width) if width > 0 else None


def tiles_of(size: int, *, after: int = 0) -> Iterator[Tile]:
    """Every hash tile of a tree of `size` entries, level by level, that a tree of `after` entries does not have in full."""
    level, hashes, had = 0, size, after
    while hashes:
        for n in range(had // WIDTH, -(-hashes // WIDTH)):
            yield Tile(level, n, min(WIDTH, hashes - n * WIDTH))
        level, hashes, had = level + 1, hashes >> HEIGHT, had >> HEIGHT


def bundles_of(size: int, *, after: int = 0) -> Iterator[Tile]:
    """The same for entry bundles."""
    for n in range(after // WIDTH, -(-size // WIDTH)):
        yield Tile(ENTRIES, n, min(WIDTH, size - n * WIDTH))


@dataclass(frozen=True, slots=True)
class Span:
    """Where a subtree's hash comes from: `count` neighbouring hashes of one tile, from `first`."""

    level: int
    n: int
    first: int
    count: int

    def hash_in(self, hashes: bytes) -> bytes:
        """From the tile's bytes. Raises Malformed where they do not reach so far."""
        part = hashes[self.first * HASH_BYTES : (self.first + self.count) * HASH_BYTES]
        if len(part) != self.count * HASH_BYTES:
            raise Malformed("a tile is too short")
        level = split_hashes(part)
        while len(level) > 1:
            level = [fold(level[at : at + 2]) for at in range(0, len(level), 2)]
        return level[0]


def span_of(node: Node) -> Span:
    """Which tile holds what a perfect subtree's hash is made of."""
    level, rest = divmod(node.height, HEIGHT)
    n, first = divmod(node.number << rest, WIDTH)
    return Span(level, n, first, 1 << rest)


def split_hashes(data: bytes) -> list[bytes]:
    """Raises Malformed for a length that is no whole number of hashes."""
    if len(data) % HASH_BYTES:
        raise Malformed("a tile is a whole number of hashes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Each entry after its length, two bytes big-endian. Raises Malformed for an entry above 65535 bytes."""
    if any(len(entry) > LARGEST_ENTRY for entry in entries):
        raise Malformed("an entry is larger than 65535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The first `width` entries. Raises Malformed where there are fewer, or anything is left of an entry."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < WIDTH:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise Malformed("an entry bundle ends in the middle of an entry")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) < width or at != len(data):
        raise Malformed("an entry bundle does not hold as many entries as it should")
    return entries[:width]
