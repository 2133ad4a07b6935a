"""The manifest's [[answers]] and [[nouns]]: what a source answers, and the nouns it brings along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from adapters.manifest import AnswerSpec, FieldDecl, FieldMapping, LinkDecl, NounDecl, Sensitivity, Subject, Text
from adapters.manifest_form import Table, did_you_mean, shown
from adapters.manifest_source import frozen, no_secrets
from adapters.values import CLEANS, TYPES

DECLARED_TYPES = ("String", "Int", "Float", "Boolean", "Date", "DateTime")

_NAME = re.compile(r"[a-z][A-Za-z0-9]{0,63}", re.ASCII)
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,63}", re.ASCII)
_NAME_RULE = "a lowerCamel name"
_NO_TEXT = Text("", "")
_RANK = 1_000_000

# Every record carries these of its own accord (domain-brief, section 3).
_RESERVED = frozenset({"source", "sourceRecordId", "asOf", "fetchedAt", "shareClass", "sealState", "quality", "id"})


def read_answer(table: Table) -> AnswerSpec:
    noun = table.word("noun", _NAME, _NAME_RULE)
    by = table.texts("by")
    if len(set(by)) != len(by):
        table.fault("by", "by names a key part twice")
    rank = table.number("rank", 100, 0, _RANK, whole=True)
    lag = table.number("lag_days", 0.0, 0, 3660)
    if table.has("lag_days") and table.has("as_of"):
        table.fault("lag_days", "lag_days is for rows without a date of their own; as_of names one")
    probe = table.texts("probe", ())
    if probe and len(probe) != len(by):
        table.fault("probe", f"probe must have {len(by)} parts, as by has")
    spec = AnswerSpec(
        noun=noun,
        by=by,
        request=frozen(no_secrets(table.table("request"))),
        fields=_fields(table),
        rank=rank,
        record_id=table.text("record_id", ""),
        subject=_subject(table),
        as_of=table.text("as_of", ""),
        lag_days=lag,
        stale_after_s=table.number("stale_after_s", None, 0, 3.2e9),
        links=MappingProxyType(dict(table.texts_by_key("links"))),
        probe=probe,
    )
    table.done()
    return spec


def read_noun(table: Table) -> NounDecl:
    name = table.word("name", _NAME, _NAME_RULE)
    type_name = table.word("type", _TYPE_NAME, "an UpperCamel name")
    title = table.both("title") or _NO_TEXT
    fields = _declared(table.table("fields", required=True))
    links = tuple(_link(inner) for inner in table.tables("links"))
    noun = NounDecl(name, type_name, title, _keys(table), fields, links)
    table.done()
    return noun


def _fields(table: Table) -> tuple[FieldMapping, ...]:
    inner = table.table("fields", required=True)
    if table.has("fields") and not inner.data:
        table.fault("fields", "fields is empty: an answer must give something")
    return tuple(_field(name, value, inner) for name, value in inner.data.items())


def _field(name: str, value: Any, fields: Table) -> FieldMapping:
    if not _NAME.fullmatch(name):
        fields.fault(name, f"{shown(name)} must be {_NAME_RULE}")
    if isinstance(value, str):  # the short form
        if not value.strip():
            fields.fault(name, f"{name} names no raw field")
        return FieldMapping(name, value)
    if not isinstance(value, dict):
        fields.fault(name, f"{name} must be the raw field's name or a table with raw = ...")
        return FieldMapping(name, "")
    table = Table(value, (*fields.path, name), fields.complain)
    codes = table.texts_by_key("codes")
    for raw in codes:
        if raw != raw.strip():
            table.fault(
                "codes", f"code {shown(raw)} has blanks around it; values are trimmed before they are looked up"
            )
    mapping = FieldMapping(
        name=name,
        raw=table.text("raw"),
        type=table.choice("type", TYPES, "text") or "",
        clean=table.choice("clean", CLEANS, "none") or "none",
        codes=MappingProxyType(dict(codes)),
        rank=table.number("rank", None, 0, _RANK, whole=True),
        separator=table.text("separator", ""),
        masked=table.flag("masked", False),
    )
    if mapping.type == "code" and not codes:
        table.fault("type", f'{name} has type "code" but no codes = {{ "01" = "..." }}')
    if not mapping.type:  # its fault is told; what follows from it would only be noise
        table.done()
        return mapping
    if codes and mapping.type not in ("code", "list", "bool"):
        table.fault("codes", f'codes have no meaning for type "{mapping.type}"; did you mean type = "code"?')
    if mapping.separator and mapping.type != "list":
        table.fault("separator", 'a separator has a meaning only for type "list"')
    if mapping.clean != "none" and mapping.type not in ("text", "list"):
        table.fault("clean", f'clean has no meaning for type "{mapping.type}"')
    table.done()
    return mapping


def _subject(table: Table) -> Subject | None:
    inner = table.table("subject")
    if not table.has("subject"):
        return None
    subject = Subject(inner.text("id_no", ""), inner.text("name", ""), inner.text("birth_date", ""))
    if not subject.id_no and not subject.name:
        table.fault("subject", "subject names neither id_no nor name; leave it out where rows are not about persons")
    inner.done()
    return subject


def _keys(table: Table) -> tuple[tuple[str, ...], ...]:
    value = table.raw("keys")
    if not isinstance(value, list) or not value:
        table.fault("keys", 'keys must be a list of key sets, say [["parcelNo"]]')
        return ()
    inner = Table({}, (*table.path, "keys"), table.complain)
    good: list[tuple[str, ...]] = []
    for number, names in enumerate(value):
        if (
            not isinstance(names, list)
            or not names
            or not all(isinstance(n, str) and _NAME.fullmatch(n) for n in names)
        ):
            inner.fault(number, 'a key set must be a list of lowerCamel names, say ["parcelNo"]')
        elif len(set(names)) != len(names) or tuple(names) in good:
            inner.fault(number, "this key set, or a name in it, stands here twice")
        else:
            good.append(tuple(names))
    return tuple(good)


def _declared(table: Table) -> tuple[FieldDecl, ...]:
    declared: list[FieldDecl] = []
    for name, value in table.data.items():
        if not _NAME.fullmatch(name):
            table.fault(name, f"{shown(name)} must be {_NAME_RULE}")
        if name in _RESERVED:
            table.fault(name, f"every record has its own {name}; choose another name")
        if not isinstance(value, dict):
            table.fault(name, f"{name} must be a table with type and title")
            continue
        inner = Table(value, (*table.path, name), table.complain)
        declared.append(
            FieldDecl(
                name,
                inner.choice("type", DECLARED_TYPES) or "",
                inner.both("title") or _NO_TEXT,
                inner.choice("sensitivity", Sensitivity, Sensitivity.GENERAL) or Sensitivity.SENSITIVE,
                inner.flag("filterable", False),
                inner.flag("is_list", False),
            )
        )
        inner.done()
    if not table.data:
        table.fault(None, "fields is empty: a noun must have some")
    return tuple(declared)


def _link(table: Table) -> LinkDecl:
    on = table.word("on", _NAME, 'a noun, or "person"')
    name = table.word("name", _NAME, _NAME_RULE)
    link = LinkDecl(on, name, table.texts("by"), table.both("title") or _NO_TEXT)
    table.done()
    return link


def code_faults(mapping: FieldMapping, enum: frozenset[str]) -> Mapping[str, str]:
    """Raw code -> fault, for each target that is no name of `enum`."""
    return {
        raw: f"{shown(word)} is no value of {mapping.name}{did_you_mean(word, enum)}"
        for raw, word in mapping.codes.items()
        if word not in enum
    }
