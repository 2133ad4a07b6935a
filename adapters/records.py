"""Raw records as JSON and XML answers hold them, and the way to a field by dotted names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from adapters.source import Row

Record: TypeAlias = Mapping[str, Any]
MISSING: Final = object()


class Garbage(Exception):
    """Not the agreed format; the message is free of content."""


def walk(value: Any, path: str) -> Any:
    """What stands at the dotted `path` ("" is `value` itself); MISSING where the way ends before."""
    if not path:
        return value
    if type(value) is dict and path in value and "." not in path:
        return value[path]
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def pick(record: Record, fields: frozenset[str]) -> Row:
    """A row of the asked raw fields and no other; one the record lacks is left out, so that its lack can be seen.

    Raises Garbage where the way to a field leads through something that is not an object: a changed format
    must not read as a fact that is not there.
    """
    found = {name: record[name] if name in record else _picked(record, name) for name in fields}
    return Row(values={name: value for name, value in found.items() if value is not MISSING})


def _picked(record: Record, path: str) -> Any:
    value: Any = record
    for name in path.split("."):
        if value is None or value == "":  # null, or an empty XML element
            return None
        if not isinstance(value, Mapping):
            raise Garbage("a field where the manifest expects an object")
        if name not in value:
            return MISSING
        value = value[name]
    return value
