"""How names, numbers and bytes are written in notes and proofs: each in one way, and anything else is refused."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from functools import lru_cache

from ledger.errors import Malformed

HASH_BYTES = 32
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")


def is_key_name(name: str) -> bool:
    """Source: C2SP signed-note: not empty, UTF-8, no control, no Unicode space, no plus; nor longer than anybody would need."""
    return 0 < len(name) < 512 and _is_name(name)


@lru_cache(maxsize=64)  # a log and its witnesses: the same few at each checkpoint
def _is_name(name: str) -> bool:
    return not any(one == "+" or one < " " or one.isspace() or "\ud800" <= one <= "\udfff" for one in name)


def number(text: str) -> int:
    """ASCII decimal without sign and leading zeroes, below 2^63. Raises Malformed."""
    if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
        raise Malformed("no number of the form the specification asks for")
    return int(text)


def hash_of(text: str) -> bytes:
    """32 bytes in base64. Raises Malformed."""
    data = unb64(text)
    if len(data) != HASH_BYTES:
        raise Malformed("a hash is 32 bytes in base64")
    return data


def b64(data: bytes) -> str:
    """Standard base64 with padding. Source: RFC 4648, section 4."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64_each(many: Sequence[bytes]) -> list[str]:
    """`b64` of each."""
    write = binascii.b2a_base64
    return [write(data, newline=False).decode("ascii") for data in many]


def unb64(text: str) -> bytes:
    """Raises Malformed for anything but what `b64` writes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("no base64") from None
    if b64(data) != text:
        raise Malformed("no base64")
    return data
