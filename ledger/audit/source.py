"""Where a log is read from: a directory or a URL, below it the files of C2SP tlog-tiles. Nothing read is believed here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ledger.encoding import HASH_BYTES
from ledger.errors import Malformed, Unreadable
from ledger.note import LARGEST_NOTE
from ledger.tiles import ENTRIES, LARGEST_ENTRY, WIDTH, Tile

_LARGEST_BUNDLE = WIDTH * (LARGEST_ENTRY + 2)


class Lost(Unreadable):
    """Whoever serves the log answers, and does not have the file."""


class NoCheckpoint(Lost):
    """There is no log here, or not at this address."""


class Unreachable(Unreadable):
    """No answer, or none that says anything of the file; another time may be better."""


class Source(Protocol):
    """`parallel`: how many reads are worth doing at once; 1 = none besides."""

    parallel: int

    def read(self, path: str, limit: int) -> bytes:
        """All of a file below the log's prefix, never more than `limit` bytes.

        Raises Lost, Unreachable, Malformed (larger than `limit`, or packed and not to be unpacked).
        """
        ...

    def close(self) -> None: ...


class Directory:
    """A log as files, such as `yimen ledger` exports."""

    parallel = 1

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, path: str, limit: int) -> bytes:
        try:
            with (self._path / path).open("rb") as file:
                data = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise Lost(f"there is no file {path}") from None
        except OSError as error:
            raise Unreachable(f"cannot read {path}: {error.strerror}") from None
        if len(data) > limit:
            raise Malformed(f"{path} is larger than it may be")
        return data

    def close(self) -> None:
        pass


def read_checkpoint(source: Source) -> bytes:
    """Raises NoCheckpoint, Unreachable, Malformed."""
    try:
        return source.read("checkpoint", LARGEST_NOTE)
    except Lost as error:
        raise NoCheckpoint(str(error)) from None


def read_tile(source: Source, tile: Tile) -> bytes:
    """Exactly `width` hashes. A partial tile that is gone is cut from the full one, as the specification allows.

    Raises Lost, Unreachable, Malformed.
    """
    try:
        data, width = source.read(tile.path, WIDTH * HASH_BYTES), tile.width
    except Lost:
        if tile.width == WIDTH:
            raise
        data, width = source.read(Tile(tile.level, tile.n).path, WIDTH * HASH_BYTES), WIDTH
    if len(data) != width * HASH_BYTES:
        raise Malformed(f"{tile.path} has the wrong length")
    return data[: tile.width * HASH_BYTES]


def read_bundle(source: Source, n: int, width: int) -> bytes:
    """The bundle's bytes, with `width` entries or, where the partial one is gone, up to 256. Raises as `read_tile`."""
    try:
        return read_exactly(source, n, width)
    except Lost:
        if width == WIDTH:
            raise
        return read_exactly(source, n, WIDTH)


def read_exactly(source: Source, n: int, width: int) -> bytes:
    """The bundle of that width itself. Raises as `read_tile`."""
    return source.read(Tile(ENTRIES, n, width).path, _LARGEST_BUNDLE)
