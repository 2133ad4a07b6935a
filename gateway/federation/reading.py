"""How compiled code reads a value of an object type: what stands in the code a plan is compiled to.

Most values are plain mappings. A type that is met by the thousand in one answer (a part, a record) may say how its fields
are read without being copied into a mapping first. Field names are GraphQL names, so they are safe in code as they stand
(GraphQL, section 2.1.9); nothing a request says is ever written into code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reading(Protocol):
    """Of one object type. `data` is the name of the variable that holds the value."""

    @property
    def sure(self) -> bool:
        """Whether reading anything of null or of an exception raises, so that nobody needs to look first."""
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


class MappingReading:
    """A plain mapping from field name to value."""

    sure = True

    def prelude(self, data: str) -> Sequence[str]:
        return (f"{data}_get = {data}.get",)

    def field(self, data: str, name: str) -> str:
        return f"{data}_get({name!r})"

    def listed(self, data: str, name: str, read: frozenset[str]) -> str:
        return self.field(data, name)
