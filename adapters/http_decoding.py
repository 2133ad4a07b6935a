"""A reply's body as it comes in: counted as it is decoded, so that a small bomb does not get to grow."""

from __future__ import annotations

import zlib
from typing import Protocol

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB, _BARE = zlib.MAX_WBITS, -zlib.MAX_WBITS
_HEADS = 64 * 1024  # that a body which does not pack may be longer for being packed
_MOST_MEMBERS = 64  # of a gzip body; each costs a copy of what comes behind it, and may decode to nothing


class TooLarge(Exception):
    """The body passes the cap, as it came or decoded."""


class NotDecodable(Exception):
    """The body is not what its Content-Encoding says, or ends before its end."""


class Body(Protocol):
    """Takes pieces in order. Raises TooLarge, NotDecodable."""

    def feed(self, piece: bytes) -> None: ...

    def whole(self) -> bytes: ...


class Plain:
    """As it comes over the wire."""

    __slots__ = ("_cap", "_pieces", "_size")

    def __init__(self, cap: int) -> None:
        self._cap, self._size = cap, 0
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._cap:
            raise TooLarge
        self._pieces.append(piece)

    def whole(self) -> bytes:
        pieces = self._pieces
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Inflated:
    """gzip (any number of members, RFC 1952) or deflate (with the zlib header it should have, or bare)."""

    __slots__ = ("_cap", "_fed", "_inflate", "_members", "_pieces", "_size", "_taken", "_wbits")

    def __init__(self, encoding: str, cap: int) -> None:
        self._cap, self._size, self._fed = cap, 0, False
        self._taken, self._members = 0, 1
        self._wbits = _GZIP if encoding == "gzip" else _ZLIB
        self._inflate = zlib.decompressobj(self._wbits)
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> None:
        self._taken += len(piece)
        if self._taken > self._cap + _HEADS:  # what decodes to nothing may not go on for ever either
            raise TooLarge
        if not self._fed and piece:
            self._fed = True
            if self._wbits == _ZLIB and piece[0] & 0x0F != 8:  # no zlib header begins so
                self._wbits, self._inflate = _BARE, zlib.decompressobj(_BARE)
        try:
            while piece:
                if self._inflate.eof:
                    self._members += 1
                    if self._wbits != _GZIP or self._members > _MOST_MEMBERS:
                        raise NotDecodable
                    self._inflate = zlib.decompressobj(_GZIP)
                found = self._inflate.decompress(piece, self._cap - self._size + 1)
                self._size += len(found)
                if self._size > self._cap:
                    raise TooLarge
                if found:
                    self._pieces.append(found)
                piece = self._inflate.unconsumed_tail or self._inflate.unused_data
        except zlib.error:
            raise NotDecodable from None

    def whole(self) -> bytes:
        if self._fed and not self._inflate.eof:
            raise NotDecodable
        return b"".join(self._pieces)


def body_of(encoding: str, cap: int) -> Body | None:
    """Where a body of this Content-Encoding goes; None for an encoding nobody asked for."""
    word = encoding.strip().lower()
    if word in ("", "identity"):
        return Plain(cap)
    if word in ("gzip", "x-gzip", "deflate"):
        return Inflated(word.removeprefix("x-"), cap)
    return None
