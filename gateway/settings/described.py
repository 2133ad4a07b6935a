"""A setting carries its own description, so that the screen, the guide and the code cannot part ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from gateway.settings.parsing import Parse

PREFIX = "YIMEN_"


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as the guide and `yimen settings` show it."""

    name: str
    default: str
    zh: str
    en: str
    secret: bool
    parse: Parse = field(repr=False)

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def setting(parse: Parse, default: Any, zh: str, en: str, *, secret: bool = False) -> Any:
    """A dataclass field with its description; a secret one stays out of the repr."""
    marks = {"parse": parse, "zh": zh, "en": en, "secret": secret}
    return field(default=default, repr=not secret, metadata=marks)


def described(owner: type[Any], prefix: str = "") -> Iterator[Described]:
    """The settings among the fields of `owner`, in order."""
    for item in fields(owner):
        marks = item.metadata
        if "parse" in marks:
            default = "" if item.default is MISSING else printed(item.default)
            yield Described(prefix + item.name, default, marks["zh"], marks["en"], marks["secret"], marks["parse"])


def printed(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
