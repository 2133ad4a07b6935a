"""What the readers of dropped files hand on: records, bad records, and what a file says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from adapters.source import Value

CHUNK: Final = 64 * 1024


class DropRefused(ValueError):
    """The file as a whole is not the agreed format. `reason` is free of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the used raw columns that it has. `line` counts physical lines from 1."""

    line: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Bad:
    """One record that is not used. `values` are the columns that could still be read for certain (its key, at best)."""

    line: int
    reason: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Stated:
    """What the file says about itself: how many records it holds, and its date as written."""

    count: int | None = None
    date: str = ""


Part: TypeAlias = Record | Bad | Stated
