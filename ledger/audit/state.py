"""What an auditor remembers between runs: the last checkpoint found right, and enough of each entry to name a changed one.

Two files. `FILE` is JSON, replaced as a whole. `FILE.leaves` only grows: for each 256 entries the root over them and eight
bytes of each leaf hash. FILE says how much of it counts, so a run that dies or fails in between has changed nothing.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from ledger.audit.hashing import perfect_root, root_over
from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import HASH_BYTES, b64, unb64
from ledger.errors import LedgerError, Unreadable
from ledger.note import Note, parse_note
from ledger.tiles import WIDTH

FORMAT = "yimen-auditor-state/v1"
PRINT_BYTES = 8
"""Enough that nobody finds another entry with the same ones; the roots decide, these only name."""
_RECORD = HASH_BYTES + WIDTH * PRINT_BYTES
_LARGEST_STATE = 4 << 20
_PREVIOUS = "previous"


class StateDamaged(Unreadable):
    """What is written there is not what was written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A tree as it was found right. `roots`: one hash per 256 entries; `tail`: the leaf hashes after them; `latest`: the
    latest time of an entry; `check`: CRC-32 of the part of `FILE.leaves` that counts; `previous`: the checkpoint of the log
    before that this one was found to continue, "" = none yet."""

    path: Path
    note: Note
    checkpoint: Checkpoint
    roots: bytes
    tail: bytes
    latest: bytes
    check: int
    previous: str = ""

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def full(self) -> int:
        """How many bundles of 256 it knows."""
        return len(self.roots) // HASH_BYTES

    def root(self, n: int) -> bytes:
        return self.roots[n * HASH_BYTES : (n + 1) * HASH_BYTES]

    def prints(self, n: int) -> Sequence[bytes]:
        """Of each entry of bundle `n` that it knows, the first bytes of the leaf hash."""
        if n == self.full:
            return prints_of(self.tail)
        if n > self.full:
            return ()
        with _leaves(self.path).open("rb") as file:
            file.seek(n * _RECORD + HASH_BYTES)
            data = file.read(WIDTH * PRINT_BYTES)
        return [data[at : at + PRINT_BYTES] for at in range(0, len(data), PRINT_BYTES)]


def prints_of(leaves: bytes) -> list[bytes]:
    return [leaves[at : at + PRINT_BYTES] for at in range(0, len(leaves), HASH_BYTES)]


def load(path: Path) -> Kept | None:
    """None where there is no such file yet. Raises StateDamaged."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_STATE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateDamaged(f"cannot be read: {error.strerror}") from None
    try:
        said = json.loads(data)
        if said["format"] != FORMAT:
            raise StateDamaged("no auditor's state of this version")
        if said.pop("sha256") != _digest(said):
            raise StateDamaged("not what was written")
        return _checked(path, said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError, LedgerError) as error:
        raise StateDamaged(str(error) if isinstance(error, LedgerError) else "not what was written") from None


def _checked(path: Path, said: dict[str, Any]) -> Kept:
    note = parse_note(said["checkpoint"].encode())
    checkpoint, tail = parse_checkpoint(note.text), unb64(said["tail"])
    roots, check = _read_leaves(_leaves(path), checkpoint.size // WIDTH)
    if (
        said["origin"] != checkpoint.origin
        or check != said["leaves_crc32"]
        or len(tail) != checkpoint.size % WIDTH * HASH_BYTES
        or root_over(roots, tail) != checkpoint.root
    ):
        raise StateDamaged("not what was written")
    return Kept(
        path, note, checkpoint, roots, tail, said["latest"].encode("ascii"), check, str(said.get(_PREVIOUS, ""))
    )


def _read_leaves(path: Path, records: int) -> tuple[bytes, int]:
    roots, check = bytearray(), 0
    if not records:
        return b"", 0
    with path.open("rb", buffering=1 << 18) as file:
        for _ in range(records):
            record = file.read(_RECORD)
            if len(record) != _RECORD:
                raise StateDamaged("its list of entries is too short")
            check = zlib.crc32(record, check)
            roots += record[:HASH_BYTES]
    return bytes(roots), check


class Remembering:
    """Takes the bundles of a run that `kept` does not have, and keeps all of it or nothing.

    `open` raises OSError; so does `keep`.
    """

    def __init__(self, path: Path, kept: Kept | None) -> None:
        self._path, self._kept = path, kept
        self._records = kept.full if kept is not None else 0
        self._had = self._records
        self._check = kept.check if kept is not None else 0
        self._file: BinaryIO | None = None

    def take(self, n: int, leaves: bytes) -> None:
        """Bundle `n` in full: 256 leaf hashes."""
        if n != self._records:
            return  # known before, or after a gap that a fault has made: then nothing is kept anyway
        record = perfect_root(leaves) + b"".join(prints_of(leaves))
        self._open().write(record)
        self._check = zlib.crc32(record, self._check)
        self._records += 1

    def keep(self, note: Note, tail: bytes, latest: bytes, previous: str = "") -> None:
        """From now on this is the state."""
        checkpoint = parse_checkpoint(note.text)
        if self._records != checkpoint.size // WIDTH:
            raise OSError("the run has not seen all entries")
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        said = {
            "format": FORMAT, "origin": checkpoint.origin, "checkpoint": bytes(note).decode(), "tail": b64(tail),
            "latest": latest.decode(), "leaves_crc32": self._check, "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        if previous:
            said[_PREVIOUS] = previous
        replace_file(self._path, json.dumps(said | {"sha256": _digest(said)}, indent=1).encode())

    def forget(self) -> None:
        """The run came to nothing."""
        with suppress(OSError):
            if self._file is not None:
                self._file.truncate(self._had * _RECORD)
                self._file.close()
                if not self._had:
                    _leaves(self._path).unlink()

    def _open(self) -> BinaryIO:
        if self._file is None:
            path = _leaves(self._path)
            path.touch()
            self._file = path.open("r+b", buffering=1 << 18)
            self._file.truncate(self._had * _RECORD)
            self._file.seek(0, os.SEEK_END)
        return self._file


def replace_file(path: Path, data: bytes) -> None:
    """The old content or the new one, never half of it, whenever the power goes. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    with suppress(OSError):  # not every system lets a directory be flushed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _digest(said: dict[str, Any]) -> str:
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _leaves(path: Path) -> Path:
    return path.with_name(f"{path.name}.leaves")
