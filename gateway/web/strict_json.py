"""JSON from strangers: bounded depth before it is read, one meaning for every byte."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.web.problems import Refusal

_NOT_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_OPENING = frozenset(b"[{")


def loads(raw: bytes, *, depth: int) -> Any:
    """The value `raw` holds.

    Raises Refusal: INVALID_UTF8, INVALID_JSON (NaN, infinities and lone surrogates included), JSON_TOO_DEEP for more than
    `depth` levels, DUPLICATE_KEY because two readers would disagree about what such an object says.
    """
    if too_deep(raw, depth):
        raise Refusal("JSON_TOO_DEEP")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal("INVALID_UTF8") from None
        raise Refusal("INVALID_JSON") from None
    # orjson keeps the last of two equal keys in silence. What it writes again byte for byte had none; else there is one
    # member for every colon outside strings.
    if isinstance(value, (dict, list)) and orjson.dumps(value) != raw and _members(value) != _plain(raw).count(b":"):
        raise Refusal("DUPLICATE_KEY")
    return value


def too_deep(raw: bytes, depth: int) -> bool:
    """Whether brackets outside strings nest more than `depth` deep; linear, and done before anything is built."""
    if raw.count(b"[") + raw.count(b"{") <= depth:
        return False
    level = 0
    for code in _plain(raw).translate(None, _NOT_BRACKETS):
        if code in _OPENING:
            level += 1
            if level > depth:
                return True
        else:
            level -= 1
    return False


def _plain(raw: bytes) -> bytes:
    """What stands outside strings."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.split(b'"')[::2])


def _members(value: Any) -> int:
    """Members of all objects in `value`; no recursion, for its depth is the caller's."""
    found, left = 0, [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found += len(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return found
