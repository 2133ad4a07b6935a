"""Identifiers: random where a person stands behind them, time-ordered where rows are read in order."""

from __future__ import annotations

import os
import secrets
import threading
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_62_BITS = (1 << 62) - 1


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exact; `instant` must be aware."""
    return (instant - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def random_id() -> str:
    """128 random bits as 32 hex digits; says nothing about what it names."""
    return secrets.token_hex(16)


class OrderedIds:
    """UUID version 7 texts that never go down within one process, even when the clock does.

    48 bits of milliseconds, 12 bits of their fraction, 62 random bits. Source: RFC 9562, sections 5.7 and 6.2 method 3.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self, at_us: int) -> str:
        ticks = (at_us << 12) // 1000  # in 1/4096 ms
        with self._lock:
            self._last = ticks = ticks if ticks > self._last else self._last + 1
        milliseconds, fraction = ticks >> 12, ticks & 0xFFF
        chance = int.from_bytes(os.urandom(8), "big") & _62_BITS
        digits = f"{milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | chance:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
