"""Which entry is it? What is served, what was signed and what the auditor remembers, held against each other.

The signed root decides. A tile the root vouches for says what an entry's hash was when it was signed; where there is none,
the auditor's memory says what it was at the last run. Where neither is to be had, only a range can be named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from ledger.audit.findings import Fault, Finding
from ledger.audit.hashing import leaf_hashes, levels_over, perfect_root
from ledger.audit.source import Lost, Source, read_bundle, read_exactly, read_tile
from ledger.audit.state import PRINT_BYTES, Kept, prints_of
from ledger.audit.upper import Upper
from ledger.audit.walk import Suspect, Walk
from ledger.checkpoint import Checkpoint
from ledger.encoding import HASH_BYTES
from ledger.errors import Malformed
from ledger.note import Note
from ledger.tiles import HEIGHT, WIDTH, Tile, decode_bundle

T = TypeVar("T")


@dataclass(frozen=True)
class Diagnosis:
    """Makes findings of one walk."""

    source: Source
    note: Note
    checkpoint: Checkpoint
    upper: Upper
    walked: Walk
    kept: Kept | None

    @cached_property
    def true(self) -> bool:
        """The entries as read are those the checkpoint was signed over."""
        return self.walked.root() == self.checkpoint.root

    def findings(self) -> list[Finding]:
        """The first bad entry first. Raises Unreachable."""
        found = [one for suspect in self.walked.suspects if (one := self._judge(suspect)) is not None]
        found += self._upper_tiles()
        if (rewritten := self.rewritten()) is not None:
            found.append(rewritten)
        if not found and not self.true:
            found.append(Finding(Fault.TREE_DIFFERS))
        return sorted(
            found, key=lambda one: (one.first is None, one.first or 0, one.fault is not Fault.REWRITTEN_HISTORY)
        )

    def rewritten(self) -> Finding | None:
        """The first entry that the new checkpoint commits to and the old one did not. Raises Unreachable."""
        if self.kept is None:
            return None
        notes = {"before": bytes(self.kept.note).decode(), "now": bytes(self.note).decode()}
        for n, known in self._changed_bundles(self.kept):
            first = n * WIDTH
            before = self.kept.prints(n)
            if known is not None:
                at = first_difference(prints_of(known)[: len(before)], before[: len(known) // HASH_BYTES])
                if at is not None:
                    return Finding(Fault.REWRITTEN_HISTORY, first + at, notes=notes)
            if n < self.kept.full and (n + 1) * WIDTH <= self.checkpoint.size:
                return Finding(Fault.REWRITTEN_HISTORY, first, first + WIDTH - 1, notes=notes)
        if self.kept.size == self.checkpoint.size and self.kept.checkpoint.root != self.checkpoint.root:
            return Finding(Fault.REWRITTEN_HISTORY, notes=notes)
        return None

    def _changed_bundles(self, kept: Kept) -> Iterator[tuple[int, bytes | None]]:
        """Bundles that may differ, and their leaf hashes as the checkpoint vouches for them."""
        both = min(kept.size, self.checkpoint.size)
        for n in range(both // WIDTH):
            now = self._root(n)
            if now is not None and now != kept.root(n):
                yield n, self.leaves(n)
        if both % WIDTH:
            yield both // WIDTH, self.leaves(both // WIDTH)

    def _root(self, n: int) -> bytes | None:
        if self.true:
            return bytes(self.walked.roots[n * HASH_BYTES : (n + 1) * HASH_BYTES])
        return self.upper.truth(1, n)

    def leaves(self, n: int) -> bytes | None:
        """The leaf hashes of a bundle, as the checkpoint vouches for them. Raises Unreachable."""
        width = min(WIDTH, self.checkpoint.size - n * WIDTH)
        if width < WIDTH:
            return self.walked.tail if self.true else self.upper.edge()
        root = self._root(n)
        return next((one for one in self._leaf_hashes(n, width) if perfect_root(one) == root), None)

    def _leaf_hashes(self, n: int, width: int) -> Iterator[bytes]:
        with suppress(Lost, Malformed):
            yield read_tile(self.source, Tile(0, n, width))
        with suppress(Lost, Malformed):
            yield leaf_hashes(decode_bundle(read_bundle(self.source, n, width), width))

    def _judge(self, one: Suspect) -> Finding | None:
        first, last = one.n * WIDTH, one.n * WIDTH + one.width - 1
        signed = self._signed_leaves(one)
        if one.whole and (self.true or one.leaves == signed or self._root_fits(one)):
            return self._judge_tile(one)
        if isinstance(one.bundle_fault, Lost):
            return Finding(Fault.LOST_ENTRIES, first + self._still_had(one), last, about=_bundle(one))
        if signed is not None:
            fault, at = compare(one.leaves, signed, clean=one.clean)
            return Finding(fault, first + at, about=_bundle(one))
        if self.kept is not None and (before := self.kept.prints(one.n)):
            fault, at = compare(one.leaves, b"".join(before), clean=one.clean, each=PRINT_BYTES)
            if at < len(before):
                return Finding(fault, first + at, about=_bundle(one))
        if one.whole and (one.tile is None or one.tile == one.leaves) and self.upper.truth(1, one.n) is None:
            return None if one.tile else self._judge_tile(one)  # what made it suspect is told of elsewhere
        if one.tile is not None:
            fault, at = compare(one.leaves, one.tile, clean=one.clean)
            if at < one.width:
                return Finding(fault, first + at, about=_bundle(one))
        return Finding(Fault.EDITED_ENTRY if one.clean else Fault.BAD_BUNDLE, first, last, about=_bundle(one))

    def _still_had(self, one: Suspect) -> int:
        """How many entries before the first lost one: whoever serves a log from its rows has the shorter bundles still."""
        had, lost = 0, one.width
        while lost - had > 1:
            middle = (had + lost) // 2
            try:
                read_exactly(self.source, one.n, middle)
                had = middle
            except (Lost, Malformed):
                lost = middle
        return had

    def _root_fits(self, one: Suspect) -> bool:
        return one.width == WIDTH and perfect_root(one.leaves) == self.upper.truth(1, one.n)

    def _signed_leaves(self, one: Suspect) -> bytes | None:
        if one.width < WIDTH:
            return self.upper.edge()
        if one.tile is not None and perfect_root(one.tile) == self.upper.truth(1, one.n):
            return one.tile
        return None

    def _judge_tile(self, one: Suspect) -> Finding | None:
        first, path = one.n * WIDTH, Tile(0, one.n, one.width).path
        if isinstance(one.tile_fault, Lost):
            return Finding(Fault.LOST_TILE, first, first + one.width - 1, about=path)
        if one.tile is None:
            return Finding(Fault.SWAPPED_TILE, first, first + one.width - 1, about=path)
        at = first_difference(split(one.leaves), split(one.tile))
        return None if at is None else Finding(Fault.SWAPPED_TILE, first + at, about=path)

    def _upper_tiles(self) -> Iterator[Finding]:
        """Tiles above level 0 against what the entries make, or where those are not true, what the root vouches for."""
        for tile in self.upper.lost:
            yield Finding(Fault.LOST_TILE, *self._covered(tile), about=tile.path)
        for tile in self.upper.broken:
            yield Finding(Fault.SWAPPED_TILE, *self._covered(tile), about=tile.path)
        levels = levels_over(self.walked.roots) if self.true else []
        for (level, n), served in sorted(self.upper.tiles.items()):
            if level == 0 or served is None:
                continue
            tile, at = Tile(level, n, len(served) // HASH_BYTES), None
            if self.true:
                made = levels[level - 1][n * WIDTH * HASH_BYTES : (n + 1) * WIDTH * HASH_BYTES]
                at = first_difference(split(made), split(served))
            elif (level, n) not in self.upper.vouched and self.upper.truth(level + 1, n) is not None:
                at = 0
            if at is not None:
                first, last = self._covered(tile)
                first = first if not self.true else (n * WIDTH + at) << (HEIGHT * level)
                yield Finding(Fault.SWAPPED_TILE, first, last, about=tile.path)

    def _covered(self, tile: Tile) -> tuple[int, int]:
        start = tile.n * WIDTH << (HEIGHT * tile.level)
        return start, min(start + (tile.width << (HEIGHT * tile.level)), self.checkpoint.size) - 1


def compare(found: bytes, right: bytes, *, clean: bool = True, each: int = HASH_BYTES) -> tuple[Fault, int]:
    """What was done to make `found` (leaf hashes) of `right` (the first `each` bytes of leaf hashes), and where it begins.

    `clean`: the bundle ended where an entry did.
    """
    have, should = [one[:each] for one in split(found)], split(right, each)
    at = first_difference(have, should)
    if at is None:
        at = min(len(have), len(should))
        return (Fault.DELETED_ENTRY if len(have) < len(should) and clean else Fault.BAD_BUNDLE), at
    shifted = min(len(have) - at, len(should) - at - 1)
    if shifted > 0 and have[at : at + shifted] == should[at + 1 : at + 1 + shifted]:
        return Fault.DELETED_ENTRY, at
    shifted = min(len(have) - at - 1, len(should) - at)
    if shifted > 0 and have[at + 1 : at + 1 + shifted] == should[at : at + shifted]:
        return Fault.INSERTED_ENTRY, at
    return (Fault.EDITED_ENTRY if clean else Fault.BAD_BUNDLE), at


def first_difference(left: Sequence[T], right: Sequence[T]) -> int | None:
    """Of what both have; None where that is the same."""
    return next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), None)


def split(data: bytes, each: int = HASH_BYTES) -> list[bytes]:
    return [data[at : at + each] for at in range(0, len(data), each)]


def _bundle(one: Suspect) -> str:
    return Tile(-1, one.n, one.width).path
