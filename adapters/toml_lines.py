"""On which line each entry of a TOML document stands, which tomllib does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and, for elements of arrays, their number from 0: ("answers", 1, "fields", "address", "raw")."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^\s,\]}#]+(?: [0-9:.+\-Zz]+)?")

Index: TypeAlias = Mapping[Path, int]


def line_index(text: str) -> Index:
    """The line, counted from 1, of every table, key and array element of `text`.

    `text` must be valid TOML: tomllib.loads has accepted it. A table stands where its first header or key stands.

    Source: TOML 1.0.0, sections Keys, String, Array, Table, Inline Table, Array of Tables.
    """
    return _Scanner(text).scan()


def nearest(index: Index, path: Path) -> int:
    """The line of `path`, or of the closest enclosing entry that has one (for entries that are missing); else 1."""
    for length in range(len(path), 0, -1):
        line = index.get(path[:length])
        if line is not None:
            return line
    return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._line = 1
        self._index: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}  # arrays of tables: how many so far

    def scan(self) -> Index:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
            self._skip()
        return self._index

    def _header(self, brackets: int) -> Path:
        line = self._line
        self._move(self._at + brackets)
        keys = self._key()
        self._move(self._at + brackets)
        path: Path = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            self._index.setdefault(path, line)
            if brackets == 2 and number == len(keys):
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self._index.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for key in self._key():
            path = (*path, key)
            self._index.setdefault(path, self._line)
        self._move(self._at + 1)  # the "="
        self._skip()
        self._value(path)

    def _value(self, path: Path) -> None:
        start = self._text[self._at]
        if start in "\"'":
            self._take(_STRING)
        elif start == "[":
            self._array(path)
        elif start == "{":
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._move(self._at + 1)
        number = 0
        self._skip()
        while self._text[self._at] != "]":
            item = (*path, number)
            self._index[item] = self._line
            self._value(item)
            number += 1
            self._after_item()
        self._move(self._at + 1)

    def _inline_table(self, path: Path) -> None:
        self._move(self._at + 1)
        self._skip()
        while self._text[self._at] != "}":
            self._pair(path)
            self._after_item()
        self._move(self._at + 1)

    def _after_item(self) -> None:
        self._skip()
        if self._text[self._at] == ",":
            self._move(self._at + 1)
            self._skip()

    def _key(self) -> list[str]:
        keys: list[str] = []
        while True:
            part = self._take(_KEY_PART).strip(" \t")
            keys.append(_unquoted(part) if part[0] in "\"'" else part)
            if self._at >= len(self._text) or self._text[self._at] != ".":
                return keys
            self._move(self._at + 1)

    def _skip(self) -> None:
        self._take(_BLANK)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"line {self._line}: not the TOML it was said to be")
        self._move(match.end())
        return match[0]

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to


def _unquoted(part: str) -> str:
    return str(next(iter(tomllib.loads(f"{part} = 0"))))
