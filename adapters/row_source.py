"""The source of the function that makes a canonical row of a department's record: written once for an answer spec and a
set of granted fields, run for every row.

Names stand in it by `repr` and come from the manifest alone; no word of a request or a record ever becomes source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adapters.manifest import FieldMapping
from adapters.source import NO_LINKS, Match, Row, RowDraft, Value
from adapters.texts import CLEANERS, Doubts, plain_text
from adapters.values import Convert
from adapters.whole_source import WholeBatch, whole_source

_KEPT = 4096  # values a field's memory holds before it begins anew
_LONGEST_KEPT = 64  # characters
_REPEATED = frozenset({"code", "bool", "date", "month"})  # types whose few values come again and again


class Build(Protocol):
    """The row of a record that is about whom we asked. `when` is its as_of unless it states one itself; `doubts` are
    those there are already."""

    def __call__(
        self, values: Mapping[str, Value], when: datetime | None, fetched_at: datetime, origin: str, doubts: Doubts
    ) -> Row: ...


class Sure(Protocol):
    """The same, if the record names that person letter by letter; None where that takes further thought."""

    def __call__(
        self,
        values: Mapping[str, Value],
        id_no: str | None,
        name: str | None,
        when: datetime | None,
        fetched_at: datetime,
        origin: str,
    ) -> Row | None: ...


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical field: where its raw value stands and what turns it into a canonical one."""

    name: str
    mapping: FieldMapping
    own_words: bool  # `<field>Raw`: the department's own text
    convert: Convert


@dataclass(frozen=True, slots=True)
class RowPlan:
    """All that the two functions are made of. Empty texts: the spec names no such thing."""

    columns: Sequence[Column]
    id_no: str
    person: str
    record_id: str
    links: Mapping[str, str]
    link: Callable[[str, object], str | None]
    reach: Callable[[str], Callable[[Mapping[str, object]], object]]  # the way to a dotted name
    dated: Callable[..., datetime | None] | None  # where rows state their own date
    raw_fields: frozenset[str]

    def functions(self) -> tuple[Build, Sure, WholeBatch | None]:
        """To make one row; one that is surely about its person; all answers of a batch, where records name persons by
        ID number and all that is read stands at their top."""
        names: dict[str, Any] = {
            "AUTO": Match.AUTO,
            "NO_LINKS": NO_LINKS,
            "Row": Row,
            "dated": self.dated,
            "draft": RowDraft,
            "link": self.link,
            "plain_text": plain_text,
            "raw_fields": self.raw_fields,
        }
        exec(self.source(names), names)  # noqa: S102  (our own text; see above)
        if not self.id_no or any("." in raw for raw in self.raw_fields):
            return names["build"], names["sure"], None
        exec(self.whole_source(names), names)  # noqa: S102  (likewise)
        return names["build"], names["sure"], names["whole"]

    def whole_source(self, names: dict[str, Any]) -> str:
        """Python, for `names` that `source` has filled."""
        return whole_source(
            [(column.name, column.mapping.raw, _way(column)) for column in self.columns],
            id_no=self.id_no,
            person=self.person,
            record_id=self.record_id,
            links=self.links,
            dated=self.dated is not None,
            names=names,
        )

    def source(self, names: dict[str, Any]) -> str:
        """Python; what it needs besides is put into `names`."""
        lines: list[str] = []
        for number, column in enumerate(self.columns):
            lines += [f"    {line}" for line in self._value(number, column, names)]
        lines.append(f"    record_id = {self._raw(self.record_id, names)}")
        lines.append("    if record_id.__class__ is not str: record_id = plain_text(record_id, '', doubts) or ''")
        if self.dated is not None:
            lines.append("    when = dated(values, when, fetched_at, doubts)")
        found = ", ".join(f"{column.name!r}: v{number}" for number, column in enumerate(self.columns))
        links = ", ".join(f"{name!r}: link({name!r}, {self._raw(raw, names)})" for name, raw in self.links.items())
        lines += [
            "    row = draft(",
            f"        {{{found}}}, record_id, when, AUTO, tuple(dict.fromkeys(doubts)) if doubts else (),",
            f"        {f'{{{links}}}' if links else 'NO_LINKS'}, '', origin,",
            "    )",
            "    row.__class__ = Row",
            "    return row",
            "",
        ]
        tests = [f"    if {self._raw(self.id_no, names)} != id_no: return None"] if self.id_no else []
        tests += [f"    if {self._raw(self.person, names)} != name: return None"] if self.person else []
        tests = tests if self.id_no else ["    if raw_fields.isdisjoint(values): return None"]
        build = "def build(values, when, fetched_at, origin, doubts):"
        sure = "def sure(values, id_no, name, when, fetched_at, origin):"
        get = "    get = values.get"
        return "\n".join((build, get, *lines, sure, get, *tests, "    doubts = []", *lines))

    def _value(self, number: int, column: Column, names: dict[str, Any]) -> list[str]:
        mapping, variable, convert = column.mapping, f"v{number}", f"convert{number}"
        names[convert] = column.convert
        lines = [f"{variable} = {self._raw(mapping.raw, names)}"]
        way = _way(column)
        if way == "known":
            known: dict[str, Value] = {}
            names[f"known{number}"], names[convert] = known, _remembering(column.convert, known)
            return [
                *lines,
                f"k = known{number}.get({variable}) if {variable}.__class__ is str else None",
                f"{variable} = {convert}({variable}, doubts) if k is None else k",
            ]
        if way == "address":
            names["clean_address"] = CLEANERS["address"]
            return [
                *lines,
                f"if {variable}.__class__ is str and {variable}.isprintable() and '\\ufffd' not in {variable}:",
                f"    {variable} = {variable}.strip()",
                f"    {variable} = clean_address({variable}, {column.name!r}, doubts) if {variable} else None",
                f"else: {variable} = {convert}({variable}, doubts)",
            ]
        if way == "text":
            return [
                *lines,
                f"if {variable}.__class__ is str and {variable}.isprintable() and '\\ufffd' not in {variable}:",
                f"    {variable} = {variable}.strip() or None",
                f"else: {variable} = {convert}({variable}, doubts)",
            ]
        return [*lines, f"{variable} = {convert}({variable}, doubts)"]

    def _raw(self, raw: str, names: dict[str, Any]) -> str:
        if not raw:
            return "None"
        if "." not in raw:
            return f"get({raw!r})"
        name = f"reach_{len(names)}"
        names[name] = self.reach(raw)
        return f"{name}(values)"


def _way(column: Column) -> str:
    """How its values are read: "text" and "address" with little ado where they are clean, "known" from a memory."""
    mapping = column.mapping
    cleaned = mapping.type == "text" and mapping.clean in _CLEANED
    if mapping.masked:
        return "each"
    if column.own_words:
        return "each" if cleaned and mapping.clean != "uscc" else "text"
    if mapping.type in _REPEATED or (cleaned and mapping.clean == "uscc"):
        return "known"
    if cleaned:
        return "address" if mapping.clean == "address" else "each"
    return "text" if mapping.type == "text" else "each"


_CLEANED = frozenset({"name", "id", "address", "uscc"})


def _remembering(convert: Convert, known: dict[str, Value]) -> Convert:
    """`convert`, which keeps in `known` what it made of short texts without a doubt: codes, days, organisations."""

    def converted(raw: object, doubts: Doubts) -> Value:
        before = len(doubts)
        value = convert(raw, doubts)
        if type(raw) is str and value is not None and len(doubts) == before and len(raw) <= _LONGEST_KEPT:
            if len(known) >= _KEPT:
                known.clear()
            known[raw] = value
        return value

    return converted
