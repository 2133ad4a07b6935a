"""Request templates: "{idNo}" stands for a key part. A value is placed and escaped, never pasted.

A template knows which parts may stand in it, so a misspelt one is a fault of the manifest and not of a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from adapters.source import Key

MAX_KEY_CHARS: Final = 256  # longer is no key of any register, and would only be refused as a URL
_PIECE = re.compile(r"\{\{|\}\}|\{([A-Za-z][A-Za-z0-9_.]*)\}|[{}]")


class TemplateFault(ValueError):
    """The template itself is wrong; the message tells a manifest's author what to mend."""


class KeyPartMissing(ValueError):
    """The key lacks a part (named `part`) the request cannot do without, or it cannot be sent."""

    def __init__(self, part: str) -> None:
        super().__init__(f"the request needs {part}")
        self.part = part


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text: literals (str) and positions of key parts (int) in turn."""

    pieces: tuple[str | int, ...]
    by: tuple[str, ...]

    def render(self, key: Key) -> str:
        """The text with the key's parts in it, unescaped; what it becomes part of escapes it. Raises KeyPartMissing."""
        return "".join(p if isinstance(p, str) else key_part(self.by, key, p) for p in self.pieces)

    def render_path(self, key: Key) -> str:
        """The text as a URL path, each part one segment whatever it holds. Raises KeyPartMissing."""
        out = []
        for piece in self.pieces:
            if isinstance(piece, str):
                out.append(quote(piece, safe="/-._~"))
                continue
            value = key_part(self.by, key, piece)
            if value in (".", ".."):  # these two change the path even when escaped
                raise KeyPartMissing(self.by[piece])
            out.append(quote(value, safe=""))
        return "".join(out)


def compile_text(text: str, by: tuple[str, ...]) -> Template:
    """`{part}` for each name in `by`, `{{` and `}}` for braces. Raises TemplateFault for anything else in braces."""
    pieces: list[str | int] = []
    end = 0
    for found in _PIECE.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        if found[0] in ("{{", "}}"):
            pieces.append(found[0][0])
        elif found[1] is None:
            raise TemplateFault("a single brace; write {{ or }} for a brace itself")
        elif found[1] not in by:
            raise TemplateFault(f"{{{found[1]}}} is not one of the key parts: {', '.join(by)}")
        else:
            pieces.append(by.index(found[1]))
    pieces.append(text[end:])
    return Template(tuple(p for p in pieces if p != ""), by)


def key_part(by: tuple[str, ...], key: Key, position: int) -> str:
    """The part of `key` at `position`. Raises KeyPartMissing where it is unknown, empty or not sendable text."""
    value = key[position] if position < len(key) else None
    if not value or len(value) > MAX_KEY_CHARS:
        raise KeyPartMissing(by[position])
    try:
        value.encode()
    except UnicodeEncodeError:
        raise KeyPartMissing(by[position]) from None
    return value


@dataclass(frozen=True, slots=True)
class AllKeys:
    """ "{keys.part}" (position) or "{keys}" (None: one rendered `each` a key) in the body of a batch request."""

    position: int | None


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """A JSON value with templates for its texts."""

    shape: Any  # dict | list | Template | AllKeys | plain value
    by: tuple[str, ...]
    each: Any = None

    def render(self, keys: Sequence[Key]) -> Any:
        """The JSON value; a plain part of a key comes from the first of `keys`. Raises KeyPartMissing."""
        return self._fill(self.shape, keys)

    def _fill(self, shape: Any, keys: Sequence[Key]) -> Any:
        if isinstance(shape, Template):
            return shape.render(keys[0])
        if isinstance(shape, AllKeys):
            if shape.position is None:
                return [self._fill(self.each, (key,)) for key in keys]
            return [key_part(self.by, key, shape.position) for key in keys]
        if isinstance(shape, dict):
            return {name: self._fill(value, keys) for name, value in shape.items()}
        if isinstance(shape, list):
            return [self._fill(value, keys) for value in shape]
        return shape


def compile_body(value: Any, by: tuple[str, ...], *, batch: bool = False, each: Any = None) -> BodyTemplate:
    """A body of texts, numbers, booleans, lists and tables. Raises TemplateFault.

    With `batch`, "{keys.part}" alone in a text is the list of that part, and "{keys}" the list of `each` filled
    in for every key; a single key's part can then stand in `each` only.
    """
    compiled_each = _compile(each, by, batch=False) if each is not None else None
    shape = _compile(value, by, batch=batch)
    if each is None and _uses_each(shape):
        raise TemplateFault("{keys} needs `each`: what is sent for one key")
    return BodyTemplate(shape, by, compiled_each)


def _compile(value: Any, by: tuple[str, ...], *, batch: bool) -> Any:
    if isinstance(value, str):
        if batch and value == "{keys}":
            return AllKeys(None)
        if batch and value.startswith("{keys.") and value.endswith("}"):
            part = value[6:-1]
            if part not in by:
                raise TemplateFault(f"{value} is not one of the key parts: {', '.join(by)}")
            return AllKeys(by.index(part))
        template = compile_text(value, by)
        if batch and any(isinstance(p, int) for p in template.pieces):
            raise TemplateFault(f"{value} is one key's part in a request for many; write {{keys.part}} or use `each`")
        return template
    if isinstance(value, Mapping):
        return {str(name): _compile(inner, by, batch=batch) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_compile(inner, by, batch=batch) for inner in value]
    if value is None or isinstance(value, int | float | bool):
        return value
    raise TemplateFault("only texts, numbers, booleans, lists and tables can be sent")


def _uses_each(shape: Any) -> bool:
    if isinstance(shape, AllKeys):
        return shape.position is None
    if isinstance(shape, dict):
        return any(_uses_each(value) for value in shape.values())
    return isinstance(shape, list) and any(_uses_each(value) for value in shape)
