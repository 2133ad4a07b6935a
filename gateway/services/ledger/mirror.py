"""A log as files that any static server can serve, and a store held against such a mirror.

Files are written before the checkpoint that speaks of them, each whole or not at all; so whoever reads meanwhile, or after
a crash, sees one log or the next. Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from pathlib import Path

from gateway.errors import GatewayError
from gateway.services.ledger.checkpoint_check import Head
from gateway.services.ledger.faults import Fault, Finding
from gateway.services.ledger.fsck import LedgerRows, Progress
from gateway.services.ledger.ports import LedgerReader, Shard
from gateway.services.ledger.receipts import note_of
from ledger.audit.source import Source, read_bundle, read_checkpoint
from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError, Unreadable
from ledger.merkle import verify_consistency
from ledger.note import parse_note
from ledger.policy import signed_checkpoint
from ledger.tiles import WIDTH, Tile, bundles_of, decode_bundle, tiles_of


class MirrorRefused(GatewayError):
    """The folder holds something else than an earlier state of this log; nothing was written."""

    code = "LEDGER_MIRROR_REFUSED"


class Export:
    """Brings a folder to what is published. Files that are there are not written again."""

    def __init__(self, reader: LedgerReader, directory: Path) -> None:
        self._reader, self._directory = reader, directory

    async def __call__(self, shard: Shard, progress: Progress | None = None) -> int | None:
        """The size of the checkpoint that the mirror now shows, None where nothing is published yet.

        Raises MirrorRefused, StoreUnavailable, OSError.
        """
        kept = await self._reader.published(shard.shard)
        if kept is None:
            return None
        root = self._directory / shard.shard
        old = await self._before(root, shard, Checkpoint(shard.origin, kept.size, kept.root))
        files = list(_files(kept.size, old))
        for done, tile in enumerate(files, 1):
            path = root / tile.path
            if tile.width < WIDTH or not path.exists():
                data = await self._reader.tile(shard.shard, tile)
                if data is None:
                    raise MirrorRefused(f"the store does not hold {tile.path}; run: yimen ledger fsck --full")
                await asyncio.to_thread(_write, path, data)
            if tile.width == WIDTH:  # readers of an older checkpoint cut the full one
                await asyncio.to_thread(shutil.rmtree, path.with_name(f"{path.name}.p"), ignore_errors=True)
            if progress is not None:
                progress(done, len(files))
        await asyncio.to_thread(_write, root / "checkpoint", bytes(note_of(kept)))
        return kept.size

    async def _before(self, root: Path, shard: Shard, now: Checkpoint) -> int:
        """The size of the mirror as it is; 0 where there is none."""
        path = root / "checkpoint"
        if not path.exists():
            return 0
        try:
            keys = await self._reader.keys(shard.shard)
            then = signed_checkpoint(parse_note(path.read_bytes()), shard.origin, keys)
            proof = await self._reader.consistency(shard.shard, then.size, now.size) if then.size < now.size else []
            verify_consistency(then.size, now.size, then.root, now.root, proof)
        except LedgerError as error:
            raise MirrorRefused(
                f"{path} is no earlier state of this log ({error}); keep it: it may be evidence"
            ) from None
        return then.size


async def against_mirror(
    rows: LedgerRows, head: Head, source: Source, progress: Progress | None = None
) -> AsyncIterator[Finding]:
    """Where the store is not what the mirror was given. The mirror's entries are taken as they are: read it with
    `python -m ledger audit` to know whether they are what was signed."""
    try:
        there = await asyncio.to_thread(_signed, source, head)
    except Unreadable as error:
        yield Finding(Fault.MIRROR_UNREADABLE, head.shard, about=str(error))
        return
    except LedgerError as error:
        yield Finding(Fault.MIRROR_DIFFERS, head.shard, about=f"checkpoint: {error}")
        return
    if there.size > head.size:  # or the log has grown since
        head = next((one for one in await rows.heads() if one.shard == head.shard), head)
    for kept in await rows.checkpoints(head.shard, there.size - 1, there.size, 1):
        if kept.root != there.root:
            yield Finding(Fault.MIRROR_DIFFERS, head.shard, about=f"checkpoint {there.size}")
    if there.size > head.size:
        yield Finding(Fault.MIRROR_AHEAD, head.shard, head.size, there.size - 1, about=str(there.size))
    size = min(there.size, head.size)
    for bundle in bundles_of(there.size):  # as wide as the mirror has them
        first = bundle.n * WIDTH
        if first >= size:
            break
        try:
            data = await asyncio.to_thread(read_bundle, source, bundle.n, bundle.width)
            theirs = decode_bundle(data, bundle.width)
        except LedgerError as error:
            fault = Fault.MIRROR_UNREADABLE if isinstance(error, Unreadable) else Fault.MIRROR_DIFFERS
            yield Finding(fault, head.shard, first, first + bundle.width - 1, about=bundle.path)
            continue
        end = min(first + bundle.width, size)
        ours = {row.number: row for row in await rows.entries(head.shard, first, end)}
        for number, entry in enumerate(theirs[: end - first], first):
            row = ours.get(number)
            if row is None or row.entry != entry:
                yield Finding(Fault.MIRROR_DIFFERS, head.shard, number, number, None if row is None else row.id)
                break
        if progress is not None:
            progress(end, size)


def _signed(source: Source, head: Head) -> Checkpoint:
    return signed_checkpoint(parse_note(read_checkpoint(source)), head.origin, head.keys)


def _files(size: int, old: int) -> Iterator[Tile]:
    return chain(bundles_of(size, after=old), tiles_of(size, after=old))


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
