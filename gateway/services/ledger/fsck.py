"""The store checked against itself: entries, tiles, roots, signatures, records. Reads only; findings come as they are made.

What it proves is that the store is what our own key signed. Whether that is what everybody was shown only witnesses,
mirrors and auditors can tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from gateway.services.ledger.checkpoint_check import CheckpointRow, Head, check_checkpoint
from gateway.services.ledger.faults import Fault, Finding
from gateway.services.ledger.tree_check import EntryRow, TreeCheck
from ledger.audit.entries import EntryChecks
from ledger.encoding import HASH_BYTES, b64
from ledger.entry import parse_entry
from ledger.errors import Inconsistent, LedgerError, Malformed
from ledger.merkle import Frontier, Node, Range, nodes_of
from ledger.policy import Policy
from ledger.tiles import HEIGHT, WIDTH, Tile, span_of, split_hashes

PAGE = 16 * WIDTH
TAIL = 4096
Progress = Callable[[int, int], None]
"""How many entries of how many are done."""


class LedgerRows(Protocol):
    """The tables as they are, with nothing checked and nothing remembered."""

    async def heads(self) -> Sequence[Head]:
        """Oldest first."""
        ...

    async def entries(self, shard: str, start: int, end: int) -> Sequence[EntryRow]:
        """By number."""
        ...

    async def beyond(self, shard: str, size: int) -> tuple[int, str] | None:
        """Number and id of the first entry that has no place in a tree of this size."""
        ...

    async def doubled(self, shard: str) -> Sequence[tuple[int, int, str]]:
        """Equal entries: the first one's number, the last one's, the last one's id."""
        ...

    async def tile(self, shard: str, level: int, n: int) -> bytes:
        """Above level 0; empty where there is none."""
        ...

    async def checkpoints(self, shard: str, above: int, upto: int, limit: int) -> Sequence[CheckpointRow]:
        """Those of above < size <= upto, the smallest first."""
        ...


class Fsck:
    """`policy`: of the witnesses, where there is one."""

    def __init__(self, rows: LedgerRows, policy: Policy | None) -> None:
        self._rows, self._policy = rows, policy

    async def heads(self) -> Sequence[Head]:
        return await self._rows.heads()

    async def shard(
        self, head: Head, *, last: int | None = None, progress: Progress | None = None
    ) -> AsyncIterator[Finding]:
        """All of a shard; with `last`, no more than its last so many entries, upon what the tiles say of those before."""
        start = 0 if last is None else max(0, head.size - last) // WIDTH * WIDTH
        walk = _Walk(self._rows, head, self._policy)
        async for finding in walk.run(start, progress):
            yield finding
        if start == 0:
            if not await self._follows(head):
                yield Finding(Fault.BROKEN_CHAIN, head.shard, 0, 0)
            for first, second, entry_id in await self._rows.doubled(head.shard):
                yield Finding(Fault.DOUBLED_ENTRY, head.shard, first, second, entry_id)

    async def _follows(self, head: Head) -> bool:
        """Whether the first entry says what was signed of a log before this one; the very first has none before it."""
        before = {one.origin: one for one in (await self._rows.heads()) if one.shard < head.shard}
        if not before:
            return True
        try:
            (first,) = await self._rows.entries(head.shard, 0, 1)
            said = (parse_entry(first.entry).public or {})["previous"]
            old, size, root = before[said["origin"]], int(said["size"]), said["root"]
        except (LedgerError, LookupError, TypeError, ValueError):
            return False
        if size == 0 or size > old.size:  # nothing was signed yet; or our database lost it, and a witness had it
            return True
        return [b64(kept.root) for kept in await self._rows.checkpoints(old.shard, size - 1, size, 1)] == [root]

    def tail_check(self, last: int = TAIL) -> Callable[[], Awaitable[None]]:
        """For every start: the end of the newest shard. Raises Inconsistent for the first grave finding."""

        async def check() -> None:
            for head in (await self._rows.heads())[-1:]:
                async for one in self.shard(head, last=last):
                    if one.grave:
                        raise Inconsistent(f"{one.fault} {one.shard} {one.index} {one.about}", index=one.index)

        return check


class _Walk:
    """One pass over one shard."""

    def __init__(self, rows: LedgerRows, head: Head, policy: Policy | None) -> None:
        self._rows, self._head, self._policy = rows, head, policy
        self._signed: deque[tuple[int, bytes]] = deque()  # roots by size, read ahead
        self._asked_upto = 0
        self._gap: Finding | None = None
        self._tiles: dict[int, tuple[int, bytes]] = {}  # level -> n and hashes of the one that was read last
        self._now = datetime.now(UTC)
        self._found: list[Finding] = []

    async def run(self, start: int, progress: Progress | None) -> AsyncIterator[Finding]:
        head = self._head
        base = Frontier() if start == 0 else await self._base(start)
        if base is None:
            yield Finding(Fault.LOST_TILE, head.shard, 0, start - 1)
            return
        self._asked_upto, tree = start, TreeCheck(head.shard, base)
        for first in range(start, head.size, PAGE):
            end = min(first + PAGE, head.size)
            await self._page(tree, first, end)
            await self._upper(tree)
            for finding in self._drain(tree):
                yield finding
            if progress is not None:
                progress(end - start, head.size - start)
        if self._gap is not None:
            self._found.append(self._gap)
        await self._read_roots(head.signed)
        if head.signed > head.size and any(size > head.size for size, _ in self._signed):
            self._found.append(
                Finding(Fault.ROLLED_BACK, head.shard, head.size, head.signed - 1, about=str(head.signed))
            )
        tree.finish(_frontier(head.size, head.frontier), head.root)
        for finding in self._drain(tree):
            yield finding
        if (extra := await self._rows.beyond(head.shard, head.size)) is not None:
            yield Finding(Fault.EXTRA_ENTRY, head.shard, extra[0], entry_id=extra[1])

    async def _base(self, start: int) -> Frontier | None:
        """The tree before `start`, from tiles; None where they do not hold it."""
        hashes = []
        for span in map(span_of, nodes_of(Range(0, start))):
            tile = await self._rows.tile(self._head.shard, span.level, span.n)
            try:
                hashes.append(span.hash_in(tile))
            except Malformed:
                return None
        return Frontier(start, tuple(hashes))

    async def _page(self, tree: TreeCheck, first: int, end: int) -> None:
        rows = await self._rows.entries(self._head.shard, first, end)
        await self._read_roots(end)
        whole = len(rows) == end - first
        numbered = {} if whole else {row.number: row for row in rows}
        self._entries(rows)
        for start in range(first, end, WIDTH):
            stop = min(start + WIDTH, end)
            full = stop - start == WIDTH
            tile_hash = await self._hash(1, start // WIDTH) if full else None
            group = (
                rows[start - first : stop - first]
                if whole
                else [numbered[n] for n in range(start, stop) if n in numbered]
            )
            if len(group) == stop - start:
                tree.group(group, tile_hash, self._roots(stop))
                if self._gap is not None:
                    self._found.append(self._gap)
                    self._gap = None
                continue
            self._missing(start, stop, {row.number for row in group})
            self._roots(stop)
            tree.broken_group(stop - start, tile_hash)

    def _entries(self, rows: Sequence[EntryRow]) -> None:
        checks = EntryChecks(self._now)
        checks.take(0, [row.entry for row in rows])
        if checks.bad is not None:
            row = rows[checks.bad]
            self._found.append(Finding(Fault.NOT_AN_ENTRY, self._head.shard, row.number, row.number, row.id))

    def _missing(self, start: int, stop: int, held: set[int]) -> None:
        for number in range(start, stop):
            if number in held:
                continue
            if self._gap is not None and self._gap.last == number - 1:
                self._gap = replace(self._gap, last=number)
                continue
            if self._gap is not None:
                self._found.append(self._gap)
            self._gap = Finding(Fault.MISSING_ENTRY, self._head.shard, number, number)

    async def _hash(self, level: int, number: int) -> bytes | None:
        n, at = divmod(number, WIDTH)
        held = self._tiles.get(level)
        if held is None or held[0] != n:
            self._tiles[level] = held = n, await self._rows.tile(self._head.shard, level, n)
        found = held[1][at * HASH_BYTES : (at + 1) * HASH_BYTES]
        return found if len(found) == HASH_BYTES else None

    async def _upper(self, tree: TreeCheck) -> None:
        """Above level 1: what a tile holds is what one of the two trees has."""
        made: dict[Node, set[bytes]] = {}
        for node, top in tree.completed:
            made.setdefault(node, set()).add(top)
        tree.completed.clear()
        for node, tops in made.items():
            level = node.height // HEIGHT
            kept = await self._hash(level, node.number)
            if kept not in tops:
                fault = Fault.LOST_TILE if kept is None else Fault.SWAPPED_TILE
                first, count = node.number << node.height, 1 << node.height
                path = Tile(level, node.number // WIDTH).path
                self._found.append(Finding(fault, self._head.shard, first, first + count - 1, about=path))

    async def _read_roots(self, upto: int) -> None:
        """Check the checkpoints up to this size, and keep the roots that were signed."""
        upto = min(upto, self._head.signed)
        while self._asked_upto < upto:
            page = await self._rows.checkpoints(self._head.shard, self._asked_upto, upto, PAGE)
            for row in page:
                root, found = check_checkpoint(row, self._head, self._policy)
                self._found += found
                if root is not None:
                    self._signed.append((row.size, root))
            self._asked_upto = page[-1].size if len(page) == PAGE else upto

    def _roots(self, upto: int) -> list[tuple[int, bytes]]:
        roots = []
        while self._signed and self._signed[0][0] <= upto:
            roots.append(self._signed.popleft())
        return roots

    def _drain(self, tree: TreeCheck) -> list[Finding]:
        found = sorted([*self._found, *tree.findings], key=lambda one: -1 if one.index is None else one.index)
        self._found.clear()
        tree.findings.clear()
        return found


def _frontier(size: int, data: bytes) -> Frontier | None:
    try:
        return Frontier(size, tuple(split_hashes(data)))
    except LedgerError:
        return None
