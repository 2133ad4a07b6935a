"""Physical lines of a file, as bytes, in bounded memory.

Splitting before decoding is safe: no second, third or fourth byte of GBK, GB18030 or UTF-8 is a line feed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

from adapters.drop_parts import CHUNK

Line: TypeAlias = tuple[int, bytes | None]
"""Number from 1, and the bytes without line end; None for a line longer than allowed (its bytes are dropped)."""


def lines_of(file: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """Every line; memory never holds more than `max_bytes` plus one chunk."""
    number, held, dropping = 1, bytearray(), False
    while chunk := file.read(CHUNK):
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            held += chunk[start:end]
            yield number, None if dropping or len(held) > max_bytes else bytes(held).removesuffix(b"\r")
            held.clear()
            number, start, dropping = number + 1, end + 1, False
        if not dropping:
            held += chunk[start:]
        if len(held) > max_bytes:
            held.clear()
            dropping = True
    if dropping or len(held) > max_bytes:
        yield number, None
    elif held:
        yield number, bytes(held).removesuffix(b"\r")


class Lines:
    """Lines with a look ahead, so that a quote which never closes costs one line and not the rest of the file."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._ahead: deque[Line] = deque()

    def next(self) -> Line | None:
        return self._ahead.popleft() if self._ahead else next(self._lines, None)

    def peek(self, distance: int) -> Line | None:
        """The line `distance` ahead (0 is the next one); the caller bounds `distance`."""
        while len(self._ahead) <= distance:
            line = next(self._lines, None)
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[distance]

    def skip(self, count: int) -> None:
        for _ in range(count):
            self.next()
