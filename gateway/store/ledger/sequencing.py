"""How a tree grows by a batch, worked out before it is written; and what a database owes to write it. Pure.

A batch is one transaction, in this order: lock the shard's row, compare the fence, take what waits and is due out of the
outbox, number it from the shard's size on, write entries, tiles, and the shard's new size and root. So a number is given
once, without a gap, whatever dies when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.services.ledger.ports import LedgerHalted, NotLeading
from ledger.errors import LedgerError
from ledger.merkle import Frontier, Node
from ledger.tiles import HEIGHT, WIDTH, split_hashes

ACTIVE, CLOSED = "ACTIVE", "CLOSED"
TREE_DIFFERS, ENTRY_DOUBLED = "TREE_DIFFERS", "ENTRY_DOUBLED"
DUE = "(due_at_us <= :now OR due_at_us > :furthest)"
"""`furthest`: now and the longest delay there is. What seems to wait longer was written while a clock ran ahead."""

Steps = Callable[[str], None]
"""Told of each step by name, for tests that make a process die there."""


def no_steps(_step: str) -> None: ...


class Broken(Exception):
    """What is stored is not what was written. `reason`: TREE_DIFFERS or ENTRY_DOUBLED; `found`: numbers and hashes only."""

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(reason)
        self.reason, self.found = reason, found


@dataclass(frozen=True, slots=True)
class Head:
    """The active shard's row, locked or at least read in the transaction that goes on from it."""

    shard: str
    origin: str
    size: int
    root: bytes
    frontier: bytes
    fence: int
    halted: str | None

    def tree(self) -> Frontier:
        """Raises Broken where the frontier is not what the root was made of."""
        try:
            frontier = Frontier(self.size, tuple(split_hashes(self.frontier)))
        except LedgerError:
            frontier = None
        if frontier is None or frontier.root() != self.root:
            raise Broken(TREE_DIFFERS, f"shard {self.shard}, size {self.size}: the frontier does not make the root")
        return frontier

    def held_by(self, fence: int) -> None:
        """Raises LedgerHalted; NotLeading where a later leader took the fence."""
        if self.halted is not None:
            raise LedgerHalted(self.halted)
        if self.fence != fence:
            raise NotLeading("another process became leader")


HEAD_COLUMNS = "shard, origin, size, root, frontier, fence, halted"
HEAD = f"SELECT {HEAD_COLUMNS} FROM ledger_shard WHERE state = 'ACTIVE'"  # noqa: S608  (our own words only)
LOOK = (
    f"SELECT {HEAD_COLUMNS}, EXISTS(SELECT 1 FROM ledger_outbox WHERE {DUE}) FROM ledger_shard WHERE state = 'ACTIVE'"  # noqa: S608  (our own words only)
)
FENCE = "UPDATE ledger_shard SET fence = fence + 1 WHERE state = 'ACTIVE' RETURNING fence"


def head_of(row: Sequence[Any] | None) -> Head:
    """From `HEAD_COLUMNS`. Raises NotLeading where no shard is active."""
    if row is None:
        raise NotLeading("no shard is active")
    return Head(row[0], row[1], row[2], bytes(row[3]), bytes(row[4]), row[5], row[6])


@dataclass(frozen=True, slots=True)
class Growth:
    """`tiles`: (level, n) -> position of the first new hash, and the new hashes one after the other."""

    size: int
    root: bytes
    frontier: bytes
    tiles: dict[tuple[int, int], tuple[int, bytes]]


def grown(head: Head, leaves: Iterable[bytes]) -> Growth:
    """Raises Broken as `Head.tree`."""
    tiles: dict[tuple[int, int], tuple[int, bytes]] = {}

    def completed(node: Node, hash_: bytes) -> None:
        n, position = divmod(node.number, WIDTH)
        first, hashes = tiles.get((node.height // HEIGHT, n), (position, b""))
        tiles[node.height // HEIGHT, n] = (first, hashes + hash_)

    frontier = head.tree().extended(leaves, completed)
    return Growth(frontier.size, frontier.root(), b"".join(frontier.hashes), tiles)


def broken_tile(shard: str, level: int, n: int) -> Broken:
    return Broken(TREE_DIFFERS, f"shard {shard}: the tile {level}/{n} does not hold as many hashes as its tree has")


class Sequencer(Protocol):
    """Leadership and the one hot transaction, for one kind of database."""

    async def lead(self) -> bool:
        """Whether we lead, after trying to where we did not. Raises StoreUnavailable."""
        ...

    @property
    def fence(self) -> int:
        """What we lead with. Raises NotLeading."""
        ...

    @property
    def term(self) -> int:
        """See `SequencedLog.term`. Not the fence: a standby that lost the last one gives the same number again."""
        ...

    async def sequence(self, most: int, now_us: int, furthest_us: int) -> int:
        """See `SequencedLog.sequence`; raises Broken, too. For the two instants see `DUE`."""
        ...

    async def step_down(self) -> None: ...

    async def close(self) -> None: ...
