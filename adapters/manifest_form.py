"""Reading one TOML table strictly: every wrong type, unknown key and bad value becomes a fault, and reading goes on."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from adapters.manifest import Text
from adapters.toml_lines import Path

Complain = Callable[[Path, str], None]
_Enum = TypeVar("_Enum", bound=str)

_KIND_OF = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The closing words of a fault about an unknown word: the likeliest, or all if they are few."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:100], names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def shown(word: object) -> str:
    """A word of the file as a fault repeats it: quoted, and never long."""
    text = str(word)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


class Table:
    """A table under inspection. Take each known key once, then call `done`, which reports what nobody took."""

    def __init__(self, data: Mapping[str, Any], path: Path, complain: Complain) -> None:
        self.data, self.path, self.complain = data, path, complain
        self._taken: set[str] = set()

    def fault(self, key: str | int | None, message: str) -> None:
        self.complain(self.path if key is None else (*self.path, key), message)

    def done(self) -> None:
        for key in self.data:
            if key not in self._taken:
                self.fault(key, f"unknown key {shown(key)}{did_you_mean(key, self._taken)}")

    def has(self, key: str) -> bool:
        return key in self.data

    def raw(self, key: str) -> Any:
        self._taken.add(key)
        return self.data.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without `default` it must be there and not blank."""
        value = self._typed(key, str, default)
        if default is None and key in self.data and isinstance(self.data[key], str) and not value.strip():
            self.fault(key, f"{key} is empty")
        return self._printable(key, value)

    def word(self, key: str, pattern: re.Pattern[str], rule: str, default: str | None = None) -> str:
        """A text of a given form; `rule` says which."""
        value = self.text(key, default)
        if value and not pattern.fullmatch(value):
            self.fault(key, f"{key} = {shown(value)} must be {rule}")
        return value

    def choice(self, key: str, among: Iterable[_Enum], default: _Enum | None = None) -> _Enum | None:
        """One of `among`; None after a fault."""
        options = {str(option): option for option in among}
        value = self._typed(key, str, "" if default is not None else None)
        if not value and default is not None and key not in self.data:
            return default
        if value not in options:
            if isinstance(self.data.get(key), str):
                self.fault(key, f"{key} = {shown(value)} is none of its values{did_you_mean(value, options)}")
            return None
        return options[value]

    def flag(self, key: str, default: bool) -> bool:
        return bool(self._typed(key, bool, default))

    def number(self, key: str, default: Any, low: float, high: float, *, whole: bool = False) -> Any:
        """A number within low..high; `default` (which may be None) if it is not there."""
        value = self.raw(key)
        if key not in self.data:
            return default
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            self.fault(key, f"{key} must be {_KIND_OF[int if whole else float]}")
            return default
        if not math.isfinite(value) or not low <= value <= high:
            self.fault(key, f"{key} = {shown(value)} must lie between {low:g} and {high:g}")
            return default
        return value if whole else float(value)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts, none of them blank; without `default` it must hold at least one."""
        items = self._typed(key, list, None if default is None else list(default))
        good: list[str] = []
        for number, item in enumerate(items):
            if isinstance(item, str) and item.strip():
                good.append(item)
            else:
                self.complain((*self.path, key, number), f"{key} must hold texts, none of them empty")
        if default is None and key in self.data and isinstance(self.data[key], list) and not items:
            self.fault(key, f"{key} is empty")
        return tuple(good)

    def both(self, key: str, *, required: bool = True) -> Text | None:
        """A text in both languages: { zh = "...", en = "..." }."""
        if key not in self.data and not required:
            self._taken.add(key)
            return None
        if key in self.data and (not isinstance(self.data[key], dict) or not self.data[key]):
            self._taken.add(key)
            self.fault(key, f'{key} must be in both languages: {key} = {{ zh = "...", en = "..." }}')
            return Text("", "")
        inner = self.table(key, required=True)
        text = Text(inner.text("zh"), inner.text("en")) if key in self.data else Text("", "")
        inner.done()
        return text

    def table(self, key: str, *, required: bool = False) -> Table:
        """The table under `key`; an empty one if it is not there."""
        value = self._typed(key, dict, None if required else {})
        return Table(value, (*self.path, key), self.complain)

    def tables(self, key: str) -> Iterator[Table]:
        """The array of tables under `key`, as far as its elements are tables."""
        for number, item in enumerate(self._typed(key, list, [])):
            if isinstance(item, dict):
                yield Table(item, (*self.path, key, number), self.complain)
            else:
                self.complain((*self.path, key, number), f"each of {key} must be a table")

    def texts_by_key(self, key: str) -> Mapping[str, str]:
        """A table whose values are texts."""
        inner = self.table(key)
        for name, value in inner.data.items():
            if not isinstance(value, str) or not value:
                inner.fault(name, f"{name} must be a text")
        return {name: value for name, value in inner.data.items() if isinstance(value, str) and value}

    def _typed(self, key: str, kind: type, default: Any) -> Any:
        self._taken.add(key)
        if key not in self.data:
            if default is None:
                self.fault(key, f"{key} is missing")
                return kind()
            return default
        value = self.data[key]
        if type(value) is not kind:
            self.fault(key, f"{key} must be {_KIND_OF[kind]}")
            return kind() if default is None else default
        return value

    def _printable(self, key: str, value: str) -> str:
        if any(ord(character) < 32 and character not in "\t\n\r" for character in value):
            self.fault(key, f"{key} holds a control character")
        return value
