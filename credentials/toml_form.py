"""Reading a type's TOML file strictly: every wrong word becomes a fault with its line, and reading goes on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from credentials.credential_type import Text

Path: TypeAlias = tuple[str | int, ...]
Complain: TypeAlias = Callable[[Path, str], None]

_HEADER = re.compile(r"[ \t]*(\[\[?)[ \t]*([A-Za-z0-9_.-]+)[ \t]*\]\]?")
_KEY = re.compile(r"[ \t]*([A-Za-z0-9_-]+)[ \t]*=")
_FENCE = re.compile(r'"""|\'\'\'')
_KINDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    dict: "a table",
    list: "a list",
}


def line_index(text: str) -> Mapping[Path, int]:
    """The line, from 1, of every table and of every key that begins a line; what stands inside a value has its key's."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not inside:
            if header := _HEADER.match(line):
                table = _table(header[1], header[2].split("."), counts)
                found.setdefault(table, number)
            elif key := _KEY.match(line):
                found.setdefault((*table, key[1]), number)
        for fence in _FENCE.findall(line):
            inside = "" if inside == fence else inside or fence
    return found


def _table(bracket: str, names: list[str], counts: dict[Path, int]) -> Path:
    path: Path = ()
    for place, name in enumerate(names, 1):
        path = (*path, name)
        if bracket == "[[" and place == len(names):
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def nearest(index: Mapping[Path, int], path: Path) -> int:
    """The line of `path` or of the closest entry around it; else 1."""
    return next((index[path[:length]] for length in range(len(path), 0, -1) if path[:length] in index), 1)


class Form:
    """A table under inspection. Take each known key once, then call `done`, which reports what nobody took."""

    def __init__(self, data: Mapping[str, Any], path: Path, complain: Complain) -> None:
        self.data, self.path, self._complain = data, path, complain
        self._taken: set[str] = set()

    def fault(self, key: str | None, message: str) -> None:
        self._complain(self.path if key is None else (*self.path, key), message)

    def done(self) -> None:
        for key in self.data.keys() - self._taken:
            close = difflib.get_close_matches(key[:60], self._taken, n=1, cutoff=0.6)
            self.fault(key, f'unknown key "{key[:60]}"' + (f'; did you mean "{close[0]}"?' if close else ""))

    def has(self, key: str) -> bool:
        return key in self.data

    def raw(self, key: str) -> Any:
        self._taken.add(key)
        return self.data.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank; without `default` it must be there."""
        value = self._typed(key, str, default)
        if key in self.data and isinstance(self.data[key], str) and (not value.strip() or not _printable(value)):
            self.fault(key, f"{key} is empty or holds a control character")
        return str(value)

    def word(self, key: str, pattern: re.Pattern[str], rule: str, default: str | None = None) -> str:
        """A text of a given form; `rule` says which."""
        value = self.text(key, default)
        if value and key in self.data and not pattern.fullmatch(value):
            self.fault(key, f'{key} = "{value[:60]}" must be {rule}')
        return value

    def choice(self, key: str, among: Collection[str], default: str) -> str:
        value = self.text(key, default)
        if value not in among:
            self.fault(key, f'{key} = "{value[:60]}" must be one of {", ".join(sorted(among))}')
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        return bool(self._typed(key, bool, default))

    def number(self, key: str, default: int | None, low: int, high: int) -> int:
        """A whole number within low..high; None for `default`: it must be there."""
        value = int(self._typed(key, int, default))
        if key in self.data and type(self.data[key]) is int and not low <= value <= high:
            self.fault(key, f"{key} = {value} must lie between {low} and {high}")
            return low
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts, none blank; without `default` it must hold one at least."""
        items = self._typed(key, list, None if default is None else list(default))
        if any(not isinstance(item, str) or not item.strip() for item in items) or (key in self.data and not items):
            self.fault(key, f"{key} must be a list of texts, none of them empty")
        return tuple(item for item in items if isinstance(item, str))

    def both(self, key: str, *, required: bool = True) -> Text | None:
        """A text in both languages: { zh = "...", en = "..." }."""
        if key not in self.data and not required:
            self._taken.add(key)
            return None
        inner = self.table(key, required=True)
        found = Text(inner.text("zh"), inner.text("en")) if key in self.data else Text("", "")
        inner.done()
        return found

    def table(self, key: str, *, required: bool = False) -> Form:
        """The table under `key`; an empty one where it is not there."""
        return Form(self._typed(key, dict, None if required else {}), (*self.path, key), self._complain)

    def tables(self, key: str, *, required: bool = False) -> list[Form]:
        """The tables of the array under `key`."""
        items = self._typed(key, list, None if required else [])
        found = []
        for number, item in enumerate(items):
            if isinstance(item, dict):
                found.append(Form(item, (*self.path, key, number), self._complain))
            else:
                self.fault(key, f"each of {key} must be a table")
        return found

    def _typed(self, key: str, kind: type, default: Any) -> Any:
        self._taken.add(key)
        if key not in self.data:
            if default is None:
                self.fault(key, f"{key} is missing")
                return kind()
            return default
        value = self.data[key]
        if type(value) is not kind:
            self.fault(key, f"{key} must be {_KINDS[kind]}")
            return kind() if default is None else default
        return value


def _printable(value: str) -> bool:
    return all(ord(character) >= 32 or character in "\t\n" for character in value)
