"""Is the tree what was signed? Entries, leaf hashes, tiles and roots held against each other, in one pass and flat memory.

Two trees grow side by side: one from the bytes of the entries, one from the hashes that are stored beside them. As long as
they agree they are one. Where they part, the next root that was signed says which of them is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from gateway.services.ledger.faults import Fault, Finding
from ledger.audit.hashing import leaf_hashes, perfect_root
from ledger.encoding import HASH_BYTES
from ledger.merkle import Frontier, Node, node_hash
from ledger.tiles import HEIGHT, WIDTH, Tile, split_hashes

_LONGEST_SEARCH = 512
_MOST_SUSPECTS = 24


class EntryRow(NamedTuple):
    number: int
    id: str
    leaf_hash: bytes
    entry: bytes


@dataclass(slots=True)
class _Since:
    """What came after the last root that was right: enough to look for two entries that changed places."""

    base: Frontier
    rows: list[EntryRow] | None = field(default_factory=list)

    def take(self, rows: Sequence[EntryRow]) -> None:
        if self.rows is not None:
            self.rows = [*self.rows, *rows] if len(self.rows) + len(rows) <= _LONGEST_SEARCH else None


@dataclass(frozen=True, slots=True)
class _Wrong:
    """The first root that neither tree has, and what came since the last one that was right."""

    base: Frontier
    size: int
    rows: Sequence[EntryRow] | None
    root: bytes


_Both = tuple[tuple[Frontier | None, bytes], tuple[Frontier | None, bytes]]
"""By the entries' bytes and by what is stored beside them: the tree before the group, and the group's leaf hashes."""


class TreeCheck:
    """Fed group by group: 256 entries, less at the end. `findings` and `completed` grow; whoever feeds empties them.

    `start`: a tree that is taken for right; its size is a multiple of 256.
    """

    def __init__(self, shard: str, start: Frontier) -> None:
        self._shard = shard
        self.findings: list[Finding] = []
        self.completed: list[tuple[Node, bytes]] = []
        """Perfect subtrees above level 1 that a tile holds; where the two trees differ, as each has it."""
        self._entries: Frontier | None = start
        self._stored: Frontier | None = start
        self._size = start.size
        self._since = _Since(start)
        self._edited: list[EntryRow] = []
        self._tiles: list[int] = []
        self._wrong: _Wrong | None = None

    def group(self, rows: Sequence[EntryRow], tile_hash: bytes | None, roots: Sequence[tuple[int, bytes]]) -> None:
        """The next group. `tile_hash`: of it, where it is full, as its tile of level 1 has it. `roots`: by size, what was
        signed within the group and at its end."""
        start, end, full = self._size, self._size + len(rows), len(rows) == WIDTH
        made, kept = leaf_hashes([row.entry for row in rows]), b"".join([row.leaf_hash for row in rows])
        grown = (self._entries, made), (self._stored, kept)
        for size, root in roots:
            if size < end or not full:
                grown = self._within(grown, rows, start, size, root)
        if full:
            self._take(grown, rows, self._size - start, WIDTH)
            self._size = end
            self._full(start // WIDTH, *grown, tile_hash)
            if roots and roots[-1][0] == end:
                self.root(roots[-1][1])
        else:
            self._onwards(grown, rows, start, end)

    def broken_group(self, width: int, tile_hash: bytes | None) -> None:
        """A group of which an entry is missing: only its tile can say what it was."""
        self._since.rows = None
        self._size += width
        stored = None if self._stored is None or tile_hash is None else self._with(self._stored, tile_hash)
        self._entries, self._stored = None, stored

    def _take(self, grown: _Both, rows: Sequence[EntryRow], at: int, cut: int) -> None:
        self._since.take(rows[at:cut])
        (_, made), (_, kept) = grown
        if made[at * HASH_BYTES : cut * HASH_BYTES] != kept[at * HASH_BYTES : cut * HASH_BYTES]:
            self._edited += [rows[one] for one in range(at, cut) if _nth(made, one) != rows[one].leaf_hash]

    def _onwards(self, grown: _Both, rows: Sequence[EntryRow], start: int, size: int) -> None:
        """Grow to `size`, within the group that began at `start`."""
        at, cut = self._size - start, size - start
        self._take(grown, rows, at, cut)
        same = self._entries is self._stored and grown[0][1] == grown[1][1]
        entries, stored = (leaves[at * HASH_BYTES : cut * HASH_BYTES] for _, leaves in grown)
        self._entries = _extended(self._entries, entries)
        self._stored = self._entries if same else _extended(self._stored, stored)
        self._size = size

    def _within(self, grown: _Both, rows: Sequence[EntryRow], start: int, size: int, root: bytes) -> _Both:
        """A root that was signed before the group was full. Whichever tree is right there is so from the group's start."""
        self._onwards(grown, rows, start, size)
        entries, stored = self._entries, self._stored
        if not self.root(root) or entries == stored:
            return grown
        (before, right), cut = grown[0] if self._entries == entries else grown[1], (size - start) * HASH_BYTES
        return (before, right[:cut] + grown[0][1][cut:]), (before, right[:cut] + grown[1][1][cut:])

    def _full(
        self,
        n: int,
        by_entries: tuple[Frontier | None, bytes],
        by_stored: tuple[Frontier | None, bytes],
        tile_hash: bytes | None,
    ) -> None:
        """What its tile says of a group goes before what stands beside its entries."""
        (before, made), (before_stored, kept) = by_entries, by_stored
        top = perfect_root(made)
        if tile_hash is None:
            self.findings.append(self._at_tile(Fault.LOST_TILE, n))
            tile_hash = top if made == kept else perfect_root(kept)
        elif tile_hash != top:
            self._tiles.append(n)
        together = before is before_stored and tile_hash == top
        self._entries = before and self._with(before, top)
        self._stored = self._entries if together else before_stored and self._with(before_stored, tile_hash)

    def root(self, root: bytes) -> bool:
        """What was signed of the tree as large as it is now; whether it is that."""
        by_entries = self._entries is not None and self._entries.root() == root
        if by_entries or (self._stored is not None and self._stored.root() == root):
            if not by_entries and self._wrong is None and self._entries is not None:
                self._wrong = _Wrong(self._since.base, self._size, self._since.rows, root)
            self._judge(by_entries)
            right = self._entries if by_entries else self._stored
            self._entries = self._stored = right
            self._since = _Since(right or Frontier())
            return True
        if self._wrong is None and (self._entries is not None or self._stored is not None):
            self._wrong = _Wrong(self._since.base, self._size, self._since.rows, root)
        return False

    def finish(self, head: Frontier | None, root: bytes) -> None:
        """No more is to come; the store says this of the whole tree. `head`: None where it is no frontier at all."""
        known = self._entries is not None or self._stored is not None
        coherent = head is not None and head.size == self._size and head.root() == root
        if known and self._wrong is None and coherent and self._size > self._since.base.size:
            self.root(root)
        trees = [one for one in (self._entries, self._stored) if one is not None]
        if known and self._wrong is None and (not coherent or all(one.root() != root for one in trees)):
            self.findings.append(Finding(Fault.EDITED_HEAD, self._shard, about="ledger_shard"))
        if self._wrong is not None or self._edited or self._tiles:
            right = next((one for one in trees if coherent and one.root() == root), None)
            self._judge(by_entries=self._wrong is None and right is self._entries)

    def _judge(self, by_entries: bool) -> None:
        """Which of the two it was that somebody changed."""
        wrong, self._wrong = self._wrong, None
        edited, self._edited = self._edited, []
        tiles, self._tiles = self._tiles, []
        fault = Fault.EDITED_LEAF_HASH if by_entries else Fault.EDITED_ENTRY
        self.findings += [Finding(fault, self._shard, row.number, row.number, row.id) for row in edited]
        if by_entries:
            self.findings += [self._at_tile(Fault.SWAPPED_TILE, n) for n in tiles]
            if wrong is not None:
                self.findings.append(Finding(Fault.SPLIT_VIEW, self._shard, about=str(wrong.size)))
        elif not edited and wrong is not None:
            self.findings.append(self._rewritten(wrong))
        elif not edited:
            self.findings += [
                Finding(Fault.REWRITTEN_ENTRIES, self._shard, n * WIDTH, n * WIDTH + WIDTH - 1) for n in tiles
            ]

    def _rewritten(self, wrong: _Wrong) -> Finding:
        swapped = None if wrong.rows is None else _swapped(wrong.rows, wrong.base, wrong.root)
        if swapped is not None:
            left, right = swapped
            return Finding(Fault.REORDERED_ENTRIES, self._shard, left.number, right.number, left.id)
        start = wrong.base.size
        first = wrong.rows[0].id if wrong.rows else None
        return Finding(Fault.REWRITTEN_ENTRIES, self._shard, start, max(start, wrong.size - 1), first)

    def _at_tile(self, fault: Fault, n: int) -> Finding:
        return Finding(fault, self._shard, n * WIDTH, n * WIDTH + WIDTH - 1, about=Tile(1, n // WIDTH).path)

    def _with(self, frontier: Frontier, top: bytes) -> Frontier:
        """With one more full group."""
        stack, filled, height = list(frontier.hashes), frontier.size >> HEIGHT, HEIGHT
        while filled & 1:
            top, filled, height = node_hash(stack.pop(), top), filled >> 1, height + 1
            if height % HEIGHT == 0:
                self.completed.append((Node(height, filled), top))
        return Frontier(frontier.size + WIDTH, (*stack, top))


def _extended(frontier: Frontier | None, leaves: bytes) -> Frontier | None:
    return None if frontier is None else frontier.extended(split_hashes(leaves))


def _nth(hashes: bytes, at: int) -> bytes:
    return hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]


def _swapped(rows: Sequence[EntryRow], base: Frontier, root: bytes) -> tuple[EntryRow, EntryRow] | None:
    """Two entries that make the right tree when they change places. Ids go up within what was sequenced at once, so those
    beside a step down are tried first, and they alone where there are many."""
    steps = [at for at in range(1, len(rows)) if rows[at].id < rows[at - 1].id]
    suspects = sorted({at for step in steps for at in (step - 1, step)})[:_MOST_SUSPECTS]
    leaves = split_hashes(leaf_hashes([row.entry for row in rows]))
    for left, right in combinations(suspects if len(rows) > _MOST_SUSPECTS else range(len(rows)), 2):
        tried = leaves.copy()
        tried[left], tried[right] = tried[right], tried[left]
        if base.extended(tried).root() == root:
            return rows[left], rows[right]
    return None
