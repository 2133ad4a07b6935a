"""How compiled code reads persons, parts, records and sources' answers (see `reading`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.federation.answers import SOURCE_ANSWER
from gateway.federation.parts import PART, FreshParts
from gateway.federation.reading import Alike, Reading
from gateway.federation.records import RECORD
from schema.nouns import NounSpec


class AttributeReading:
    """An object whose fields are attributes; an exception may have some of the same name."""

    sure = False
    alike: Alike | None = None

    def __init__(self, attributes: Mapping[str, str]) -> None:
        """`attributes`: field -> name of the attribute."""
        self._attributes = attributes

    def prelude(self, data: str) -> Sequence[str]:
        return ()

    def field(self, data: str, name: str) -> str:
        attribute = self._attributes.get(name)
        return "None" if attribute is None else f"{data}.{attribute}"

    def listed(self, data: str, name: str, read: frozenset[str]) -> str:
        return self.field(data, name)


class PartReading(AttributeReading):
    """A part. Where only a noun's own fields are read of its records, its rows are enough, and no record is made."""

    def __init__(self, own: frozenset[str]) -> None:
        super().__init__(PART)
        self._own = own - RECORD.keys()
        self.alike = Alike(FreshParts, "rows", "records", self._own, {"state": "state"})

    def listed(self, data: str, name: str, read: frozenset[str]) -> str:
        return f"{data}.rows" if name == "records" and read <= self._own else self.field(data, name)


class RecordReading:
    """A record, or a source's own row where a part hands out its `rows`: a row has `values` and no envelope."""

    sure = True
    alike = None

    def prelude(self, data: str) -> Sequence[str]:
        return (f"{data}_get = {data}.values.get",)

    def field(self, data: str, name: str) -> str:
        attribute = RECORD.get(name)
        return f"{data}_get({name!r})" if attribute is None else f"{data}.{attribute}"

    def listed(self, data: str, name: str, read: frozenset[str]) -> str:
        return self.field(data, name)


def readings_of(nouns: Mapping[str, NounSpec]) -> Mapping[str, Reading]:
    """Object type -> how it is read. What is not named is a plain mapping."""
    found: dict[str, Reading] = {
        "Person": AttributeReading({"pid": "pid"}),
        "SourceAnswer": AttributeReading(SOURCE_ANSWER),
    }
    for noun in nouns.values():
        found[noun.part_name] = PartReading(noun.field_names)
        found[noun.type_name] = RecordReading()
    return found
