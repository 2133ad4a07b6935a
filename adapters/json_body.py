"""JSON from outside: one meaning or none. Bounded depth, no duplicate names, no NaN, no half characters."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

import orjson

MAX_DEPTH: Final = 64
# an unclosed text runs to the end: trying again inside it would cost a square of its length
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_BLANKS = b" \t\r\n"
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class JsonRefused(ValueError):
    """The body is not JSON we read. `reason` is free of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_json(data: bytes) -> Any:
    """The value of a JSON text in UTF-8 (RFC 8259; a BOM is forgiven). The size is the egress client's to bound.

    Raises JsonRefused for anything that two readers could understand in two ways: a repeated name, NaN or an
    infinity, a number beyond a double, a lone surrogate; and for nesting deeper than 64.

    orjson is quick, but keeps the last of two equal names and rounds great numbers. So its value counts only where
    writing it gives the very text again, blanks aside: then nothing was lost. All other texts are read the slow way.
    """
    try:
        value = orjson.loads(data)
        again = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _parsed_slowly(data)
    if again != data and again.translate(None, _BLANKS) != data.translate(None, _BLANKS):
        return _parsed_slowly(data)
    if again.count(b"[") + again.count(b"{") > MAX_DEPTH and _is_deeper(value):
        raise JsonRefused(f"nested deeper than {MAX_DEPTH}")
    return value


def _is_deeper(value: Any) -> bool:
    """Whether containers stand in one another more than 64 deep; walked level by level."""
    level = [value]
    for _ in range(MAX_DEPTH):
        children = [child for one in level for child in (one.values() if type(one) is dict else one)]
        level = [child for child in children if type(child) is dict or type(child) is list]
        if not level:
            return False
    return True


def _parsed_slowly(data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JsonRefused("not UTF-8") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise JsonRefused(f"nested deeper than {MAX_DEPTH}")
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite
        )
        if _HALF_CHARACTER.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except JsonRefused:
        raise
    except UnicodeEncodeError:
        raise JsonRefused("half a character") from None
    except (ValueError, RecursionError):
        raise JsonRefused("not JSON") from None
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefused("a name stands twice in an object")
    return found


def _no_constant(_: str) -> NoReturn:
    raise JsonRefused("NaN or an infinity")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JsonRefused("a number beyond a double")
    return number


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
        elif mark in "]}":
            depth -= 1
    return deepest
