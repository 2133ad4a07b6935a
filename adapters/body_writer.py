"""A request body as a Python function: written once per manifest answer, and run for every request.

The source is made of what the manifest's author wrote (names and literals, all by `repr`) and of positions in a key;
nothing of a request ever becomes source. `source_of` gives it to read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias, cast

import orjson

from adapters.source import Key
from adapters.templates import MAX_KEY_CHARS, AllKeys, BodyTemplate, Template

Shape: TypeAlias = Callable[[Sequence[Key]], Any]


class BodyWriter:
    """The JSON text of a body for given keys."""

    def __init__(self, template: BodyTemplate) -> None:
        self.template = template
        self.needed = tuple(sorted(_positions(template.shape) | _positions(template.each)))
        self._parts = tuple(map(itemgetter, self.needed))
        names: dict[str, Any] = {}
        exec(source_of(template), names)  # noqa: S102  (our own text; see above)
        self._shape = cast(Shape, names["body"])

    def all_sendable(self, keys: Sequence[Key]) -> bool:
        """Whether surely every key has every part the body needs, and each can be sent. False: ask key by key."""
        try:
            for part_of in self._parts:
                parts = list(map(part_of, keys))
                if not all(parts) or max(map(len, parts)) > MAX_KEY_CHARS:
                    return False
                "".join(parts).encode()
        except (IndexError, TypeError, ValueError):  # UnicodeEncodeError is a ValueError
            return False
        return True

    def write(self, keys: Sequence[Key]) -> bytes:
        """For keys that are sendable: those of `all_sendable`, or of `template.render` without complaint."""
        return as_json(self._shape(keys))


def as_json(body: Any) -> bytes:
    """Compact JSON in UTF-8."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # a number of the manifest's beyond 64 bits
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def source_of(template: BodyTemplate) -> str:
    """The function `body(keys)`: the JSON value that `template.render` gives."""
    return f"def body(keys):\n    key = keys[0]\n    return {_expression(template.shape, template.each)}\n"


def _expression(shape: Any, each: Any) -> str:
    if isinstance(shape, Template):
        pieces = [repr(p) if isinstance(p, str) else f"key[{p}]" for p in shape.pieces]
        return " + ".join(pieces) or "''"
    if isinstance(shape, AllKeys):
        inner = _expression(each, None) if shape.position is None else f"key[{shape.position}]"
        return f"[{inner} for key in keys]"
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{name!r}: {_expression(value, each)}" for name, value in shape.items()) + "}"
    if isinstance(shape, list):
        return "[" + ", ".join(_expression(value, each) for value in shape) + "]"
    return f"float({str(shape)!r})" if isinstance(shape, float) else repr(shape)


def _positions(shape: Any) -> set[int]:
    if isinstance(shape, Template):
        return {piece for piece in shape.pieces if isinstance(piece, int)}
    if isinstance(shape, AllKeys):
        return set() if shape.position is None else {shape.position}
    inner = shape.values() if isinstance(shape, dict) else shape if isinstance(shape, list) else ()
    return {position for value in inner for position in _positions(value)}
