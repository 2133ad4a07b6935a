"""From the entries upwards: every bundle read once, its leaf hashes and their root made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ledger.audit.entries import EntryChecks
from ledger.audit.hashing import leaf_hashes, perfect_root, root_over
from ledger.audit.prefetch import in_order
from ledger.audit.source import Lost, Source, read_bundle, read_tile
from ledger.encoding import HASH_BYTES
from ledger.errors import LedgerError, Malformed
from ledger.tiles import WIDTH, Tile, decode_bundle

MOST_SUSPECTS = 64
_NOTHING = bytes(HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A bundle that is not what its tile, the tree or the auditor's memory says. `leaves`: of as many entries as could be
    read; `whole`: that is all of them; `clean`: it ended where an entry did; `tile`: None = it could not be read, `tile_fault` says why."""

    n: int
    width: int
    leaves: bytes
    whole: bool
    clean: bool
    bundle_fault: LedgerError | None
    tile: bytes | None
    tile_fault: LedgerError | None


@dataclass(slots=True)
class Walk:
    """What the entries amount to. `roots`: one hash per 256 entries; `tail`: the leaf hashes after the last of them."""

    roots: bytearray
    tail: bytes = b""
    whole: bool = True
    suspects: list[Suspect] = field(default_factory=list)
    read: int = 0

    def root(self) -> bytes | None:
        return root_over(self.roots, self.tail) if self.whole else None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a bundle beforehand: `root` of its 256 leaf hashes, or the leaf hashes it `begins` with."""

    root: bytes | None = None
    begins: bytes = b""


Full = Callable[[int, bytes], None]
"""Told of each full bundle that is right so far: its number, its leaf hashes."""


def walk(
    source: Source,
    size: int,
    checks: EntryChecks,
    expected: Callable[[int], list[Expected]],
    *,
    roots: bytes = b"",
    full: Full | None = None,
    progress: Callable[[int], None] | None = None,
) -> Walk:
    """Read all bundles of a tree of `size` entries, or those after the ones whose `roots` are given.

    Raises Unreachable. Everything else that is wrong with a bundle or its tile makes a suspect of it.
    """
    done = Walk(bytearray(roots))
    numbers = range(len(roots) // HASH_BYTES, -(-size // WIDTH))
    for n, got in zip(numbers, in_order(lambda n: _read(source, n, size), numbers, source.parallel), strict=True):
        width = min(WIDTH, size - n * WIDTH)
        entries, fault, clean = _entries(got.bundle, got.bundle_fault, width)
        leaves, whole = leaf_hashes(entries), fault is None
        root = perfect_root(leaves) if whole and width == WIDTH else None
        if not whole or leaves != got.tile or not all(_fits(one, root, leaves) for one in expected(n)):
            if len(done.suspects) < MOST_SUSPECTS:
                done.suspects.append(Suspect(n, width, leaves, whole, clean, fault, got.tile, got.tile_fault))
        elif full is not None and root is not None:
            full(n, leaves)
        checks.take(n * WIDTH, entries)
        done.whole = done.whole and whole
        done.read += len(entries)
        if width == WIDTH:
            done.roots += root or _NOTHING
        else:
            done.tail = leaves
        if progress is not None:
            progress(n * WIDTH + width)
    return done


@dataclass(frozen=True, slots=True)
class _Got:
    bundle: bytes
    bundle_fault: LedgerError | None
    tile: bytes | None
    tile_fault: LedgerError | None


def _read(source: Source, n: int, size: int) -> _Got:
    width = min(WIDTH, size - n * WIDTH)
    bundle, tile, faults = b"", None, [None, None]  # type: bytes, bytes | None, list[LedgerError | None]
    try:
        bundle = read_bundle(source, n, width)
    except (Lost, Malformed) as error:
        faults[0] = error
    try:
        tile = read_tile(source, Tile(0, n, width))
    except (Lost, Malformed) as error:
        faults[1] = error
    return _Got(bundle, faults[0], tile, faults[1])


def _entries(bundle: bytes, fault: LedgerError | None, width: int) -> tuple[list[bytes], LedgerError | None, bool]:
    """As many as there are, what is wrong with the bundle, and whether it ended where an entry did."""
    if fault is not None:
        return [], fault, False
    try:
        return decode_bundle(bundle, width), None, True
    except Malformed as error:
        entries = list(_as_far_as_it_goes(bundle, width))
        return entries, error, sum(map(len, entries)) + 2 * len(entries) == len(bundle)


def _as_far_as_it_goes(bundle: bytes, width: int) -> Iterator[bytes]:
    at = 0
    for _ in range(width):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 > len(bundle) or end > len(bundle):
            return
        yield bundle[at + 2 : end]
        at = end


def _fits(expected: Expected, root: bytes | None, leaves: bytes) -> bool:
    return (expected.root is None or expected.root == root) and leaves.startswith(expected.begins)
