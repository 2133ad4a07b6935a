"""How compiled code reads a value of an object type: what stands in the code a plan is compiled to.

Most values are plain mappings. A type that is met by the thousand in one answer (a part, a record) may say how its fields
are read without being copied into a mapping first. Field names are GraphQL names, so they are safe in code as they stand
(GraphQL, section 2.1.9); nothing a request says is ever written into code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Reading(Protocol):
    """Of one object type. `data` is the name of the variable that holds the value."""

    @property
    def sure(self) -> bool:
        """Whether reading anything of null or of an exception raises, so that nobody needs to look first."""
        ...

    @property
    def alike(self) -> Alike | None:
        """How values that are much alike may come together."""
        ...

    def prelude(self, data: str) -> Sequence[str]:
        """Python statements, run once a value, that bind what `field` names."""
        ...

    def field(self, data: str, name: str) -> str:
        """A Python expression for the plain value of the field `name`; None where it is null."""
        ...

    def listed(self, data: str, name: str, read: frozenset[str]) -> str:
        """The same for a field that is a list of objects, of which nothing but the fields `read` is read: whatever their
        type's reading can read these from will do."""
        ...


@dataclass(frozen=True, slots=True)
class Alike:
    """A sequence class whose values differ in one field only, a list of one object each; nothing else of a value need be
    made where only these are read."""

    kind: type
    items: str  # attribute of the sequence: the one object of each value, in order
    listed: str  # the field that is a list of it
    own: frozenset[str]  # what may be read of such an object, by the reading of its type
    same: Mapping[str, str]  # field that is equal in all values -> attribute of the sequence


class MappingReading:
    """A plain mapping from field name to value."""

    sure = True
    alike = None

    def prelude(self, data: str) -> Sequence[str]:
        return (f"{data}_get = {data}.get",)

    def field(self, data: str, name: str) -> str:
        return f"{data}_get({name!r})"

    def listed(self, data: str, name: str, read: frozenset[str]) -> str:
        return self.field(data, name)
