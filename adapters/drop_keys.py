"""The forms in which a record's key is indexed and asked for; only their HMAC is ever stored."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

from adapters.drop_options import KeyColumns
from adapters.drop_seal import Seal
from adapters.identity import fold_name, id_forms, is_readable, normalise_id
from adapters.source import Key, Value

_LONGEST: Final = 256  # characters of one key part; longer ones are no key


def macs_of_record(seal: Seal, ways: Sequence[KeyColumns], values: Mapping[str, Value]) -> set[bytes]:
    """Every key the record is found by; empty where it has none."""
    macs: set[bytes] = set()
    for way in ways:
        if way.without_id and _text(values.get(way.without_id)):
            continue
        macs |= _macs(seal, way, [_stored(name, _text(values.get(raw))) for name, raw in way.columns])
    return macs


def macs_of_key(seal: Seal, ways: Sequence[KeyColumns], by: tuple[str, ...], key: Key) -> set[bytes] | None:
    """Every key to look under; None where a part that the first way needs is missing."""
    parts = dict(zip(by, key, strict=True))
    if any(not _text(parts.get(name)) for name, _ in ways[0].columns):
        return None
    macs: set[bytes] = set()
    for way in ways:
        macs |= _macs(seal, way, [_asked(name, _text(parts.get(name))) for name, _ in way.columns])
    return macs


def _macs(seal: Seal, way: KeyColumns, forms: Sequence[Sequence[str]]) -> set[bytes]:
    return {seal.mac("key", way.label, *parts) for parts in product(*forms)}


def _stored(name: str, text: str) -> tuple[str, ...]:
    """An ID as it stands and in its 18 characters; a name folded, and not at all where characters are missing."""
    if name == "idNo":
        number = normalise_id(text)
        return tuple(dict.fromkeys((text, number.value18))) if number else (text,) if text else ()
    return _folded(name, text)


def _asked(name: str, text: str) -> tuple[str, ...]:
    if name == "idNo":
        number = normalise_id(text)
        return tuple(dict.fromkeys((text, *id_forms(number.value18)))) if number else (text,) if text else ()
    return _folded(name, text)


def _folded(name: str, text: str) -> tuple[str, ...]:
    if name == "name":
        folded = fold_name(text)
        return (folded,) if is_readable(folded) else ()
    return (text,) if text else ()


def _text(value: Value) -> str:
    """A key part as compared; "" for none and for what is too long to be one."""
    if (
        value is None
        or isinstance(value, bool | Mapping)
        or (isinstance(value, Sequence) and not isinstance(value, str))
    ):
        return ""
    text = str(value)
    return unicodedata.normalize("NFKC", text).strip() if len(text) <= _LONGEST else ""
