"""JSON from strangers: bounded depth before it is read, one meaning for every byte."""

from __future__ import annotations

import json
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
    # orjson keeps the last of two equal keys in silence; what it writes again byte for byte had none. Else the standard library
    # shows the pairs.
    if isinstance(value, (dict, list)) and orjson.dumps(value) != raw:
        try:
            _ONCE.decode(raw.decode())
        except (ValueError, RecursionError):  # pragma: no cover - orjson is the stricter of the two
            raise Refusal("INVALID_JSON") from None
    return value


def too_deep(raw: bytes, depth: int) -> bool:
    """Whether brackets outside strings nest more than `depth` deep; linear, and done before anything is built."""
    if raw.count(b"[") + raw.count(b"{") <= depth:
        return False
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    level = 0
    for code in b"".join(plain.split(b'"')[::2]).translate(None, _NOT_BRACKETS):
        if code in _OPENING:
            level += 1
            if level > depth:
                return True
        else:
            level -= 1
    return False


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({key for key, _ in pairs}) != len(pairs):
        raise Refusal("DUPLICATE_KEY")


def _unread(_: str) -> None:
    """Numbers were read by orjson; reading them again could only be slow."""


_ONCE = json.JSONDecoder(object_pairs_hook=_once, parse_int=_unread, parse_float=_unread)
