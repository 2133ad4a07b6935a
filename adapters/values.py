"""One department's raw value into one canonical value, with the doubts that arise on the way."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TypeAlias

from adapters.dates import SHANGHAI, as_utc, is_plausible, midnight, read_date, read_instant, read_month
from adapters.identity import mask_id, mask_name
from adapters.manifest import FieldMapping
from adapters.source import Quality, Value
from adapters.texts import CLEANERS, Doubts, plain_text

UNMAPPED = "UNMAPPED"
TYPES = ("text", "int", "float", "bool", "date", "datetime", "month", "code", "list")
CLEANS = ("none", *CLEANERS)

Convert: TypeAlias = Callable[[object, Doubts], Value]
"""A raw value to a canonical one; None stands for "not stated". Never raises for anything a department may send."""

_INT = re.compile(r"[+-]?\d{1,18}(\.0{1,9})?", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_TRUE = frozenset({"true", "t", "1", "01", "y", "yes", "是", "有"})
_FALSE = frozenset({"false", "f", "0", "00", "n", "no", "否", "无"})


def converter(mapping: FieldMapping) -> Convert:
    """The converter for `mapping`'s value."""
    convert = _BY_TYPE[mapping.type](mapping)
    return _masked(convert, mapping) if mapping.masked else convert


def raw_converter(mapping: FieldMapping) -> Convert:
    """The converter for `<field>Raw`: the department's own text. What leaves masked is masked here too."""
    convert = _text(FieldMapping(mapping.name + "Raw", mapping.raw))
    return _masked(convert, mapping) if mapping.masked else convert


def _text(mapping: FieldMapping) -> Convert:
    name = mapping.name

    def text(raw: object, doubts: Doubts) -> Value:
        if type(raw) is str and raw.isprintable() and "\ufffd" not in raw:
            return raw.strip() or None
        return plain_text(raw, name, doubts)

    clean = CLEANERS.get(mapping.clean)
    if clean is None:
        return text

    def cleaned(raw: object, doubts: Doubts) -> Value:
        if type(raw) is str and raw.isprintable() and "\ufffd" not in raw:
            found = raw.strip() or None
        else:
            found = plain_text(raw, name, doubts)
        return None if found is None else clean(found, name, doubts)

    return cleaned


def _number(mapping: FieldMapping) -> Convert:
    name, whole = mapping.name, mapping.type == "int"

    def number(raw: object, doubts: Doubts) -> Value:
        if type(raw) is int and -(10**18) < raw < 10**18:
            return raw if whole else float(raw)
        text = plain_text(raw, name, doubts)
        if text is None:
            return None
        text = unicodedata.normalize("NFKC", text).replace(",", "")
        if whole and _INT.fullmatch(text):
            return int(text.partition(".")[0])
        percent = text.endswith("%")
        if not whole and _FLOAT.fullmatch(text.removesuffix("%")):
            value = float(text.removesuffix("%")) / (100 if percent else 1)
            if math.isfinite(value):
                return value
        doubts.append((name, Quality.CODE_UNMAPPED))
        return None

    return number


def _bool(mapping: FieldMapping) -> Convert:
    name, codes = mapping.name, mapping.codes

    def truth(raw: object, doubts: Doubts) -> Value:
        if type(raw) is bool:
            return raw
        text = plain_text(raw, name, doubts)
        if text is None:
            return None
        word = codes.get(text, text).casefold()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        doubts.append((name, Quality.CODE_UNMAPPED))
        return None

    return truth


def _date(mapping: FieldMapping) -> Convert:
    name = mapping.name

    def day(raw: object, doubts: Doubts) -> Value:
        if isinstance(raw, date):
            if not _in_calendar(raw):
                doubts.append((name, Quality.DATE_BAD))
                return None
            if isinstance(raw, datetime):
                return (raw.astimezone(SHANGHAI) if raw.tzinfo else raw).date()
            return raw
        text = raw if type(raw) is str else plain_text(raw, name, doubts)
        if text is None:
            return None
        found, doubt = read_date(text)
        if doubt is not None:
            doubts.append((name, doubt))
        return found

    return day


def _datetime(mapping: FieldMapping) -> Convert:
    name = mapping.name

    def instant(raw: object, doubts: Doubts) -> Value:
        if isinstance(raw, date):
            if not _in_calendar(raw):
                doubts.append((name, Quality.DATE_BAD))
                return None
            if isinstance(raw, datetime):
                return as_utc(raw)
            doubts.append((name, Quality.DATE_GUESSED))
            return midnight(raw)
        text = plain_text(raw, name, doubts)
        if text is None:
            return None
        found, doubt = read_instant(text)
        if doubt is not None:
            doubts.append((name, doubt))
        return found

    return instant


def _in_calendar(raw: date) -> bool:
    """Whether `raw` is a year a register may mean; an instant of the last year may fall off when its offset changes."""
    return is_plausible(raw.year) and not (isinstance(raw, datetime) and raw.tzinfo and raw.year == 9999)


def _month(mapping: FieldMapping) -> Convert:
    name = mapping.name

    def month(raw: object, doubts: Doubts) -> Value:
        text = plain_text(raw, name, doubts)
        if text is None:
            return None
        found, doubt = read_month(text[:10] if isinstance(raw, date) else text)
        if doubt is not None:
            doubts.append((name, doubt))
        return found

    return month


def _code(mapping: FieldMapping) -> Convert:
    name, codes = mapping.name, mapping.codes

    def code(raw: object, doubts: Doubts) -> Value:
        if type(raw) is str:
            known = codes.get(raw)
            if known is not None:
                return known
        before = len(doubts)
        text = plain_text(raw, name, doubts)
        if text is None:
            return UNMAPPED if len(doubts) > before else None
        known = codes.get(text) or codes.get(unicodedata.normalize("NFKC", text))
        if known is not None:
            return known
        doubts.append((name, Quality.CODE_UNMAPPED))
        return UNMAPPED

    return code


def _list(mapping: FieldMapping) -> Convert:
    separator = mapping.separator
    item = _code(mapping) if mapping.codes else _text(mapping)

    def several(raw: object, doubts: Doubts) -> Value:
        if raw is None:
            return None
        if isinstance(raw, Sequence) and not isinstance(raw, (str, bytes)):
            parts: Sequence[object] = raw
        elif isinstance(raw, str) and separator:
            parts = raw.split(separator)
        else:
            parts = (raw,)
        return tuple(value for part in parts if (value := item(part, doubts)) is not None)

    return several


def _masked(convert: Convert, mapping: FieldMapping) -> Convert:
    name, is_id = mapping.name, mapping.clean == "id"

    def mask(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(mask(part) for part in value)
        text = None if value is None else plain_text(value, name, [])
        if text is None:
            return None
        digits = text.isascii() and text[-4:].isdigit()
        return mask_id(text) if is_id or (digits and len(text) >= 15) else mask_name(text)

    return lambda raw, doubts: mask(convert(raw, doubts))


_BY_TYPE: Mapping[str, Callable[[FieldMapping], Convert]] = {
    "text": _text,
    "int": _number,
    "float": _number,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "month": _month,
    "code": _code,
    "list": _list,
}
