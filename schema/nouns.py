"""What a noun is: the fields of its records, the keys it is asked by, and where it hangs.

Built-in nouns are strawberry classes in `schema.types`; a noun that exists in no Python file comes as a `NounSpec`
made by the gateway from a manifest. From here on both are the same thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PERSON = "person"
"""The one noun that is no record: an identity on which the others hang by `idNo` and `name`."""

PERSON_KEY = ("idNo", "name")

PROVENANCE = frozenset({"source", "sourceRecordId", "asOf", "fetchedAt", "shareClass", "sealState", "quality"})
"""Fields every record carries; the gateway fills them, no source is asked for them."""


_PLACES = frozenset(
    {"lat", "lon", "lng", "latitude", "longitude", "gps", "coordinate", "coordinates", "geofence", "geohash", "trajectory",
     "location"}
)  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def names_a_place(name: str) -> bool:
    """Whether a noun or field speaks of where a device is: such a fact has a room and a ground of its own, so that no
    query, of whomever, can be written that asks for it."""
    return any(word.lower() in _PLACES for word in _WORD.findall(name))


@dataclass(frozen=True, slots=True)
class Title:
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of a record. `type` is String, Int, Float, Boolean, Date, DateTime or the name of a code table."""

    name: str
    type: str
    title: Title
    is_list: bool = False
    filterable: bool = False


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """`on`.`name` answers this noun's records by `by`, whose values the other noun's records provide."""

    on: str
    name: str
    by: tuple[str, ...]
    title: Title


@dataclass(frozen=True, slots=True)
class NounSpec:
    """One noun.

    `compared` are the fields in which two sources may not differ; a leading part of the value is compared where
    `compared_prefix` says so (an administrative division down to the county: 6). `paired_by` names the field by
    which records of two sources are the same thing; without it their leading records are compared. A record whose
    `ended_by` field is filled is over, and never leads while another is not.
    """

    name: str
    type_name: str
    title: Title
    fields: tuple[FieldSpec, ...]
    links: tuple[LinkSpec, ...] = ()
    root_keys: tuple[tuple[str, ...], ...] = ()
    record_class: type | None = field(default=None, compare=False)
    compared: tuple[str, ...] = ()
    compared_prefix: tuple[tuple[str, int], ...] = ()
    paired_by: str | None = None
    ended_by: str | None = None
    newest_by: str | None = None

    @property
    def part_name(self) -> str:
        return self.type_name.removesuffix("Record") + "Part"

    @property
    def field_names(self) -> frozenset[str]:
        return frozenset(item.name for item in self.fields)
