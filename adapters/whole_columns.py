"""The columns of a batch of records, each made canonical by a few calls over all of it. Whatever gives rise to a doubt, or
cannot be read, raises `Amiss`: then the records are read one by one, and each says what is wrong with it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.source import Value
from adapters.texts import ADDRESS_SIGNS, Doubts, plain_text
from adapters.values import Convert

_strip = str.strip
_no_sign = ADDRESS_SIGNS.isdisjoint


class Amiss(Exception):
    """Not the plain case; says nothing about the records but that."""


def texts(column: Sequence[Any], convert: Convert) -> Sequence[Value]:
    """One line of text each, None where there is none."""
    try:
        joined = "".join(column)
    except TypeError:
        return each(column, convert)
    if joined.isprintable() and "\ufffd" not in joined:
        stripped = list(map(_strip, column))
        if all(stripped):
            return stripped
    return each(column, convert)


def addresses(column: Sequence[Any], convert: Convert) -> Sequence[Value]:
    """Addresses in one form, all without blanks and in NFKC already as they come."""
    try:
        joined = "".join(column)
    except TypeError:
        return each(column, convert)
    if (
        joined.isprintable()
        and " " not in joined
        and "\ufffd" not in joined
        and unicodedata.is_normalized("NFKC", joined)  # then each of its parts is
        and True not in map(_no_sign, column)
    ):
        return column
    return each(column, convert)


def known(column: Sequence[Any], memory: Mapping[str, Value], convert: Convert) -> Sequence[Value]:
    """Values that come again and again; `convert` keeps in `memory` what it makes."""
    try:
        return list(map(memory.__getitem__, column))
    except (KeyError, TypeError):
        return each(column, convert)


def each(column: Sequence[Any], convert: Convert) -> Sequence[Value]:
    """One by one. Raises Amiss for a doubt, and what `convert` raises."""
    doubts: Doubts = []
    values = [convert(raw, doubts) for raw in column]
    if doubts:
        raise Amiss
    return values


def record_ids(column: Sequence[Any]) -> Sequence[Any]:
    """A text stands as it is; anything else as the text it makes."""
    if set(map(type, column)) == {str}:
        return column
    return each(column, _record_id)


def dates(dated: Callable[..., Value], records: Sequence[Any], when: Value, fetched_at: Value) -> Sequence[Value]:
    """Each record's own date."""
    doubts: Doubts = []
    found = [dated(record, when, fetched_at, doubts) for record in records]
    if doubts:
        raise Amiss
    return found


def _record_id(raw: object, doubts: Doubts) -> Value:
    return raw if type(raw) is str else plain_text(raw, "", doubts) or ""
