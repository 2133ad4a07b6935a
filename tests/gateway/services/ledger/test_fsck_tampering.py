"""Whatever single thing is changed, wherever roots were signed, is found where it is; and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.services.ledger.checkpoint_check import CheckpointRow, Head
from gateway.services.ledger.faults import Fault, Finding
from gateway.services.ledger.fsck import Fsck
from gateway.services.ledger.tree_check import EntryRow
from ledger.merkle import Frontier, Node, leaf_hash
from tests.gateway.store.ledger.filling import Filled, an_entry, signer

LARGEST = 1400
WHOLE = Filled(LARGEST)


@dataclass
class Tables:
    """In memory. Implements `gateway.services.ledger.fsck.LedgerRows`."""

    head: Head
    rows: dict[int, EntryRow]
    checkpoint_rows: list[CheckpointRow]
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    async def heads(self) -> Sequence[Head]:
        return [self.head]

    async def entries(self, shard: str, start: int, end: int) -> Sequence[EntryRow]:
        return [self.rows[number] for number in range(start, end) if number in self.rows]

    async def beyond(self, shard: str, size: int) -> tuple[int, str] | None:
        return next(((number, row.id) for number, row in sorted(self.rows.items()) if number >= size), None)

    async def doubled(self, shard: str) -> Sequence[tuple[int, int, str]]:
        seen: dict[bytes, int] = {}
        return [
            (seen[row.leaf_hash], row.number, row.id)
            for _, row in sorted(self.rows.items())
            if seen.setdefault(row.leaf_hash, row.number) != row.number
        ]

    async def tile(self, shard: str, level: int, n: int) -> bytes:
        return self.tiles.get((level, n), b"")

    async def checkpoints(self, shard: str, above: int, upto: int, limit: int) -> Sequence[CheckpointRow]:
        return [row for row in self.checkpoint_rows if above < row.size <= upto][:limit]


def tables(size: int, signed: Sequence[int]) -> Tables:
    tiles: dict[tuple[int, int], bytes] = {}

    def completed(node: Node, top: bytes) -> None:
        at = node.height // 8, node.number // 256
        tiles[at] = tiles.get(at, b"") + top

    tree = Frontier().extended(WHOLE.leaves[:size], completed)
    key = signer(WHOLE.origin).key
    head = Head("2026", WHOLE.origin, size, tree.root(), b"".join(tree.hashes), max(signed, default=0), (key,))
    rows = {n: EntryRow(n, WHOLE.ids[n], WHOLE.leaves[n], WHOLE.entries[n]) for n in range(size)}
    checkpoints = [CheckpointRow(n, WHOLE.frontier(n).root(), bytes(WHOLE.note(n)), False) for n in signed]
    return Tables(head, rows, checkpoints, tiles)


def check(held: Tables, last: int | None = None) -> list[Finding]:
    async def run() -> list[Finding]:
        fsck = Fsck(held, None)
        return [one for head in await fsck.heads() async for one in fsck.shard(head, last=last)]

    return anyio.run(run)


@st.composite
def logs(draw: Any) -> tuple[int, list[int]]:
    near = st.sampled_from([1, 2, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1280])
    size = draw(st.one_of(near, st.integers(1, LARGEST)))
    return size, sorted(draw(st.sets(st.integers(1, size), max_size=6)))


@settings(max_examples=60, deadline=None)
@given(logs())
def test_a_whole_log_is_whole_from_any_start(log: tuple[int, list[int]]) -> None:
    held = tables(*log)
    assert check(held) == []
    for last in (1, 300, LARGEST):
        assert check(held, last) == []


@settings(max_examples=150, deadline=None)
@given(logs(), st.data())
def test_one_change_is_found_where_it_is(log: tuple[int, list[int]], data: Any) -> None:
    size, signed = log
    held = tables(size, signed)
    number = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    row, new = held.rows[number], bytes(an_entry(9000))
    what = data.draw(st.sampled_from(["entry", "hash", "both", "delete", "swap", "tile", "frontier"]))
    if what == "entry":
        held.rows[number] = row._replace(entry=new)
    elif what == "hash":
        held.rows[number] = row._replace(leaf_hash=bytes(32))
    elif what == "both":
        held.rows[number] = row._replace(entry=new, leaf_hash=leaf_hash(new))
    elif what == "delete":
        del held.rows[number]
    elif what == "swap":
        moved = held.rows[other]
        held.rows[number], held.rows[other] = moved._replace(number=number), row._replace(number=other)
    elif what == "tile" and size >= 256:
        at = data.draw(st.integers(0, size // 256 - 1))
        held.tiles[1, 0] = held.tiles[1, 0][: at * 32] + bytes(32) + held.tiles[1, 0][at * 32 + 32 :]
    elif what == "frontier":
        held.head = replace(held.head, frontier=bytes(32) + held.head.frontier[32:])
    found = check(held)
    if (what == "swap" and number == other) or (what == "tile" and size < 256):
        assert found == []
        return
    assert found
    assert found[0].grave
    exact = {
        "entry": Fault.EDITED_ENTRY, "hash": Fault.EDITED_LEAF_HASH, "delete": Fault.MISSING_ENTRY,
        "tile": Fault.SWAPPED_TILE, "frontier": Fault.EDITED_HEAD,
    }  # fmt: skip
    if what in exact:
        assert [one.fault for one in found] == [exact[what]]
    if what in ("entry", "hash", "delete"):
        assert [(one.index, one.last) for one in found] == [(number, number)]
    if what in ("both", "swap"):
        first = number if what == "both" else min(number, other)
        assert {one.fault for one in found} <= {Fault.REWRITTEN_ENTRIES, Fault.REORDERED_ENTRIES}
        assert (found[0].index or 0) <= first <= (found[0].last or 0)
