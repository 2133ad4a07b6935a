"""What a file_drop manifest says, as frozen values, and every fault in it.

The words are explained in docs/guides/manifest.md, section file_drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from adapters.manifest import AnswerSpec, SourceManifest

ENCODINGS: Final = {"gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030", "utf-8": "utf-8", "utf8": "utf-8"}
"""As manifests write them -> how we decode. GB18030 reads all of GBK, and senders of GBK do send its rare characters."""

_NAME = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w.\-]{0,63}")
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOptions:
    """`[source.options]`. Sizes in bytes, times in seconds."""

    pattern: str
    format: str  # csv | xml
    encoding: str = "utf-8"
    record: str = ""  # xml: the record element
    end_marker: str = ""  # xml: text a complete file ends with; csv: regular expression of the trailer line
    delimiter: str = ","
    columns: tuple[str, ...] = ()  # csv: the column names of a file without a header line
    mode: str = "full"  # full: a drop is the whole truth; append: a drop adds and corrects
    date_from: str = "mtime"  # what dates a drop: mtime | name | content
    date_element: str = ""  # xml, date_from = "content": the head element that holds the date
    count_element: str = ""  # xml: the head element that holds the number of records
    settle_s: float = 1.0
    poll_s: float = 0.25
    half_after_s: float = 3600.0
    max_age_s: float = 0.0  # health says so when the newest drop is older; 0 = never
    max_line_bytes: int = MIB  # one CSV record or XML record
    max_file_bytes: int = 1024 * MIB
    max_quarantine: int = 10_000  # entries kept
    absence_despite_quarantine: bool = False
    index_key: str = ""  # reference; "" = generated into the state directory

    @property
    def codec(self) -> str:
        return ENCODINGS[self.encoding.lower()]


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """One way into the index: these raw columns, in this order, each with its canonical key name."""

    columns: tuple[tuple[str, str], ...]  # (key name, raw column)
    without_id: str = ""  # raw ID column that must be empty: the way in by name for records without an ID

    @property
    def label(self) -> str:
        return "|".join(f"{name}={raw}" for name, raw in self.columns) + (
            f"|no {self.without_id}" * bool(self.without_id)
        )


def options_of(manifest: SourceManifest) -> DropOptions:
    """The options of a manifest that `option_faults` found nothing in."""
    given = {name: value for name, value in manifest.options.items() if name in _TYPES}
    given["columns"] = tuple(given.get("columns", ()))
    return DropOptions(**given)


def keys_of(answer: AnswerSpec) -> tuple[KeyColumns, ...]:
    """The ways into the index this answer needs; the first is the one `lookup.keys` must have all parts for."""
    columns: Mapping[str, str] = answer.request["key_columns"]
    match_on = answer.request.get("match_on") or (["idNo"] if "idNo" in columns else list(columns))
    first = KeyColumns(tuple((name, columns[name]) for name in match_on))
    if answer.request.get("name_without_id", False):
        return first, KeyColumns((("name", columns["name"]),), without_id=columns["idNo"])
    return (first,)


def used_columns(manifest: SourceManifest) -> tuple[str, ...]:
    """Every raw field the manifest mentions; the index stores these and nothing else."""
    used: set[str] = set()
    for answer in manifest.answers:
        used.update(field.raw for field in answer.fields)
        used.update(answer.request["key_columns"].values())
        used.update(answer.links.values())
        used.update((answer.record_id, answer.as_of))
        if answer.subject:
            used.update((answer.subject.id_no, answer.subject.name, answer.subject.birth_date))
    return tuple(sorted(used - {""}))


def option_faults(manifest: SourceManifest) -> list[tuple[str, str]]:
    """Every fault, as (dotted path, what to mend)."""
    return [(f"source.options.{path}", text) for path, text in _options(manifest.options)] + [
        (f"answers.{at}.request.{path}", text)
        for at, answer in enumerate(manifest.answers)
        for path, text in _request(answer)
    ]


_TYPES: Final[Mapping[str, str]] = {field.name: str(field.type) for field in fields(DropOptions)}
_RANGES: Final = {
    "settle_s": (0, 3600), "poll_s": (0.05, 60), "half_after_s": (0, 7 * 86400), "max_age_s": (0, 3660 * 86400),
    "max_line_bytes": (64, 16 * MIB), "max_file_bytes": (1, 64 * 1024 * MIB), "max_quarantine": (1, 1_000_000),
}  # fmt: skip
_CHOICES: Final = {"format": ("csv", "xml"), "mode": ("full", "append"), "date_from": ("mtime", "name", "content")}


def _options(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if name not in _TYPES:
            yield name, f"unknown option; file_drop knows {', '.join(sorted(_TYPES))}"
        elif not _is(value, _TYPES[name]):
            yield name, f"must be {_TYPES[name].replace('tuple[str, ...]', 'a list of texts')}"
        elif name in _CHOICES and value not in _CHOICES[name]:
            yield name, f"must be one of {', '.join(_CHOICES[name])}"
        elif name in _RANGES and not _RANGES[name][0] <= value <= _RANGES[name][1]:
            yield name, f"must lie between {_RANGES[name][0]} and {_RANGES[name][1]}"
    for name in ("pattern", "format"):
        if not given.get(name):
            yield name, "is required"
    if "/" in str(given.get("pattern", "")):
        yield "pattern", "is a file name pattern; the directory is source.endpoint"
    if str(given.get("encoding", "utf-8")).lower() not in ENCODINGS:
        yield "encoding", f"must be one of {', '.join(ENCODINGS)}"
    yield from _xml(given) if given.get("format") == "xml" else _csv(given)


def _xml(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("record", "date_element", "count_element"):
        value = given.get(name, "")
        if (value or name == "record") and not _NAME.fullmatch(str(value)):
            yield name, "must be an element name without prefix"
    if given.get("date_from") == "content" and not given.get("date_element"):
        yield "date_element", 'is required with date_from = "content"'


def _csv(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    delimiter = given.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        yield "delimiter", "must be one character, and no quote or line end"
    try:
        groups = re.compile(str(given.get("end_marker", ""))).groupindex
    except re.error:
        yield "end_marker", "is not a regular expression"
        return
    if given.get("date_from") == "content" and "date" not in groups:
        yield "end_marker", 'needs a group (?P<date>...) with date_from = "content"'


def _request(answer: AnswerSpec) -> Iterator[tuple[str, str]]:
    known = ("key_columns", "match_on", "name_without_id")
    yield from ((name, f"unknown; file_drop knows {', '.join(known)}") for name in answer.request if name not in known)
    columns = answer.request.get("key_columns")
    if (
        not isinstance(columns, Mapping)
        or not columns
        or not all(isinstance(raw, str) and raw for raw in columns.values())
    ):
        yield "key_columns", 'must say which raw column holds which key, say { idNo = "sfzh" }'
        return
    for name in columns:
        if name not in answer.by:
            yield f"key_columns.{name}", f"is not a key of this answer (by = {', '.join(answer.by)})"
    match_on = answer.request.get("match_on", [])
    if not isinstance(match_on, list | tuple) or any(name not in columns for name in match_on):
        yield "match_on", "must list names of key_columns"
    if answer.request.get("name_without_id", False) not in (True, False):
        yield "name_without_id", "must be true or false"
    elif answer.request.get("name_without_id") and not {"idNo", "name"} <= set(columns):
        yield "name_without_id", "needs idNo and name in key_columns"


def _is(value: object, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind.startswith("tuple"):
        return isinstance(value, list | tuple) and all(isinstance(part, str) and part for part in value)
    if kind == "str":
        return isinstance(value, str)
    return isinstance(value, int if kind == "int" else int | float) and not isinstance(value, bool)
