"""A record with all that opens its entry: for whoever hands out evidence, who decides what of it a reader gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class OpenedPart:
    """A blinded part in clear, and the salt of its blind."""

    salt: bytes = field(repr=False)
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedSubject:
    """A person of the record whose key still exists. `index` counts in the record's `subjects` (0 for a change or an alert,
    whose `subject` it is); `shown` is what the blind is of: the pid towards the acting body, or the subject id itself."""

    index: int
    subject_id: str = field(repr=False)
    shown: str = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """`parts`: by their names in the record, those that are null there left out. `erased`: of how many persons the key is
    destroyed; their blinds stay in the record, and nobody can say any more whose they are."""

    id: str
    type: str  # access | change | alert
    record: Mapping[str, Any] = field(repr=False)
    salt: bytes = field(repr=False)
    parts: Mapping[str, OpenedPart] = field(repr=False)
    subjects: Sequence[OpenedSubject] = field(repr=False)
    erased: int = 0
    result_salt: bytes | None = field(default=None, repr=False)
