"""Opening what lies in the directory: only regular files, never through a link, never waiting for a FIFO's writer."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from adapters.drop_options import DropOptions
from adapters.drop_parts import DropRefused

_TAIL_BYTES: Final = 4096
_CHUNK: Final = 256 * 1024
_UTF8_EVIDENCE: Final = 32  # characters; so many of GBK are not UTF-8 by chance


class Stopped(Exception):
    """The source is being closed; the work is dropped as if never begun."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the bytes tells."""

    digest: bytes
    looks_utf8: bool  # all of it is UTF-8, and not just ASCII


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file for reading. Raises DropRefused for what is no regular file, OSError for what cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise DropRefused("not a regular file") from None
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DropRefused("not a regular file")
        yield file


def version_of(file: BinaryIO) -> tuple[int, int]:
    """Changes when the content does."""
    seen = os.fstat(file.fileno())
    return seen.st_size, seen.st_mtime_ns


def is_complete(file: BinaryIO, options: DropOptions) -> bool:
    """Whether the agreed end is there; without an agreed end, whether there is anything at all."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES).rstrip()
    if not tail or not options.end_marker:
        return bool(tail)
    if options.format == "xml":
        return options.end_marker.encode(options.codec) in tail
    last = tail[tail.rfind(b"\n") + 1 :].decode(options.codec, errors="replace").strip()
    return re.fullmatch(options.end_marker, last) is not None


def survey(file: BinaryIO, stopping: Callable[[], bool]) -> Survey:
    """Read it through once. Raises Stopped."""
    file.seek(0)
    digest, decoder, characters = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), 0
    is_utf8 = True
    while chunk := file.read(_CHUNK):
        if stopping():
            raise Stopped
        digest.update(chunk)
        if is_utf8:
            try:
                text = decoder.decode(chunk)
                characters += 0 if text.isascii() else sum(not c.isascii() for c in text)
            except UnicodeDecodeError:
                is_utf8 = False
    return Survey(digest.digest(), is_utf8 and characters >= _UTF8_EVIDENCE)
